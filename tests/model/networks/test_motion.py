from __future__ import annotations

import pytest
import torch
from diffusers import DiffusionPipeline, MotionAdapter, UNet2DConditionModel, UNetMotionModel
from torch import nn

from model.networks.denoiser import JOINT_LAYOUT, check_layout, joint_denoiser, reference_net
from model.networks.motion import (
    FrameNorm,
    VideoDenoiser,
    freeze_all_but_motion,
    motion_features,
    motion_modules,
    untrained_motion_adapter,
    video_denoiser,
)
from model.networks.reference import (
    Reference,
    install_reference_attention,
    reference_features,
    reference_keys,
)
from model.networks.speech_adapter import Speech, SpeechAdapter
from tests.model.tiny_networks import inputs, tiny_unet

FRAMES = 3


@pytest.fixture
def joint():
    return install_reference_attention(joint_denoiser(tiny_unet()))


@pytest.fixture
def net():
    return install_reference_attention(reference_net(tiny_unet()))


@pytest.fixture
def video(joint):
    torch.manual_seed(5)
    return video_denoiser(joint, untrained_motion_adapter(joint), zero_output=False)


def noisy(samples=2, seed=3):
    """(B, 8, F, h, w), noise levels, prompt (1, M, D)."""
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(samples, 8, FRAMES, 8, 8, generator=generator)
    return latents, torch.arange(samples) * 400 + 50, inputs(8, 1)[2]


def given(samples=2, seed=4):
    """Clean latents of two motion frames, (B, 2, 4, h, w)."""
    return torch.randn(samples, 2, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def speech_of(denoiser, *frames):
    torch.manual_seed(6)
    adapter = SpeechAdapter.for_denoiser(denoiser, layers=2, layer_width=8, hidden_width=16, tokens=4)
    return Speech(adapter=adapter, tokens=adapter(torch.randn(*frames, 5, 2, 8)))


def gradients(video, *calls, checkpoint):
    """Of the sum of the calls' losses; all of them run forward before any runs backward."""
    video.zero_grad()
    video.enable_gradient_checkpointing() if checkpoint else video.disable_gradient_checkpointing()
    losses = [video(*noisy(), motion=features).sample.square().mean() for features in calls]
    torch.stack(losses).sum().backward()
    return {name: parameter.grad.clone() for name, parameter in video.named_parameters()}


@torch.no_grad()
def test_at_step_0_every_frame_is_the_image_denoisers(joint, net):
    video = video_denoiser(joint, untrained_motion_adapter(joint), zero_output=True)
    latents, level, prompt = noisy()
    features = reference_features(net, inputs(4)[0], prompt)
    moving = video(
        latents,
        level,
        prompt,
        motion=motion_features(net, given(), prompt),
        cross_attention_kwargs={
            "reference": Reference(features=features),
            "speech": speech_of(video, 2, FRAMES),
        },
    ).sample
    for frame in range(FRAMES):
        image = joint(
            latents[:, :, frame],
            level,
            prompt,
            cross_attention_kwargs={"reference": Reference(features=features)},
        ).sample
        torch.testing.assert_close(moving[:, :, frame], image, rtol=0, atol=1e-5)


@torch.no_grad()
def test_adapter_weights_move_from_the_start_if_asked(joint, video):
    latents, level, prompt = noisy()
    image = joint(latents[:, :, 0], level, prompt).sample
    assert (video(latents, level, prompt).sample[:, :, 0] - image).abs().max() > 1e-2


@torch.no_grad()
def test_reference_keys_of_a_clip_serve_all_its_frames(video, net):
    latents, level, prompt = noisy()
    features = reference_features(net, inputs(4)[0], prompt)
    keep = torch.tensor([True, False])

    def run(reference):
        return video(latents, level, prompt, cross_attention_kwargs={"reference": reference}).sample

    straight = run(Reference(features=features))
    keys = reference_keys(video, features)
    assert {len(key) for key, _ in keys.values()} == {2}
    assert torch.equal(run(Reference(keys=keys)), straight)
    mixed = run(Reference(keys=keys, keep=keep))
    torch.testing.assert_close(mixed[0], straight[0])
    torch.testing.assert_close(mixed[1], run(None)[1])


@torch.no_grad()
def test_a_prompt_for_all_equals_one_for_each_frame(video):
    """UNetMotionModel wants the prompt repeated B * F times; here that is allowed but not needed."""
    latents, level, prompt = noisy()
    repeated = video(latents, level, prompt.expand(2 * FRAMES, -1, -1)).sample
    torch.testing.assert_close(video(latents, level, prompt).sample, repeated)


@torch.no_grad()
def test_every_motion_module_reads_the_motion_frames(video, net):
    latents, level, prompt = noisy()
    features = motion_features(net, given(), prompt)
    modules = dict(motion_modules(video))
    assert features.keys() == modules.keys()
    plain = video(latents, level, prompt).sample
    all_read = video(latents, level, prompt, motion=features).sample
    assert (all_read - plain).abs().max() > 1e-3
    for name in modules:
        other = {**features, name: torch.randn_like(features[name])}
        assert (video(latents, level, prompt, motion=other).sample - all_read).abs().max() > 1e-5, name


@torch.no_grad()
def test_motion_features_are_the_reference_nets_at_the_same_place(net):
    prompt = noisy()[2]
    seen = {}
    hooks = [
        net.down_blocks[0].attentions[0].register_forward_hook(lambda *call: seen.update(down=call[2][0])),
        net.down_blocks[1].resnets[0].register_forward_hook(lambda *call: seen.update(deep=call[2])),
    ]
    features = motion_features(net, given(), prompt)
    for hook in hooks:
        hook.remove()
    assert torch.equal(features["down_blocks.0.motion_modules.0"].flatten(0, 1), seen["down"])
    assert torch.equal(features["down_blocks.1.motion_modules.0"].flatten(0, 1), seen["deep"])
    assert not any(module._forward_hooks for module in net.modules())


@torch.no_grad()
def test_motion_frames_stand_before_the_noisy_ones(video):
    """A motion module alone: with motion frames it equals itself on the longer clip, cut off."""
    module = dict(motion_modules(video))["down_blocks.0.motion_modules.0"]
    clip = torch.randn(2, 2 + FRAMES, 32, 4, 4)
    whole = module(clip.flatten(0, 1), num_frames=2 + FRAMES).reshape(clip.shape)
    module.motion = clip[:, :2]
    cut = module(clip[:, 2:].flatten(0, 1), num_frames=FRAMES)
    assert torch.equal(cut, whole[:, 2:].flatten(0, 1))


@torch.no_grad()
def test_a_frames_norm_does_not_depend_on_the_frames_beside_it():
    norm = FrameNorm(4, 8)
    frames = torch.randn(2, 8, FRAMES, 4, 4)
    alone = nn.functional.group_norm(frames[:, :, 1], 4)
    torch.testing.assert_close(norm(frames)[:, :, 1], alone)


@torch.no_grad()
def test_the_video_denoiser_norms_by_frame(video):
    assert {type(module.norm) for _, module in motion_modules(video)} == {FrameNorm}


@pytest.mark.parametrize("count", [1, 2])
def test_checkpointing_changes_no_gradient(video, net, count):
    """Two calls run forward first: backward must recompute each with its own motion frames."""
    with torch.no_grad():
        calls = [motion_features(net, given(seed=seed), noisy()[2]) for seed in range(count)]
    plain = gradients(video, *calls, checkpoint=False)
    recomputed = gradients(video, *calls, checkpoint=True)
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


def test_checkpointing_recomputes_every_motion_module_once(video):
    """The library checkpoints the mid block's motion module only."""
    calls = dict.fromkeys(dict(motion_modules(video)), 0)

    def count(name):
        def hook(*_):
            calls[name] += 1

        return hook

    for name, module in motion_modules(video):
        module.norm.register_forward_hook(count(name))
    gradients(video, None, checkpoint=True)
    assert set(calls.values()) == {2}


def test_a_call_leaves_nothing_behind(video, net):
    prompt = noisy()[2]
    features = motion_features(net, given(), prompt)
    with pytest.raises(RuntimeError):
        video(noisy()[0][:, :4], noisy()[1], prompt, motion=features)
    assert all(module.motion is None for _, module in motion_modules(video))


def test_too_long_a_chunk_names_the_limit(joint, net):
    video = video_denoiser(joint, untrained_motion_adapter(joint, max_frames=4), zero_output=True)
    with pytest.raises(ValueError, match="2 motion frames \\+ 3 frames, the motion modules have 4 positions"):
        video(*noisy(), motion=motion_features(net, given(), noisy()[2]))


@torch.no_grad()
def test_an_adapter_fits_the_image_and_the_video_denoiser(joint, video):
    sites = [SpeechAdapter.for_denoiser(denoiser).config.sites for denoiser in (joint, video)]
    assert sites[0] == sites[1]


def test_saving_keeps_weights_layout_and_classes(video, net, tmp_path):
    video.save_pretrained(tmp_path)
    loaded = VideoDenoiser.from_pretrained(tmp_path)
    check_layout(loaded, JOINT_LAYOUT)
    features = motion_features(net, given(), noisy()[2])
    assert torch.equal(loaded(*noisy(), motion=features).sample, video(*noisy(), motion=features).sample)
    plain = UNetMotionModel.from_pretrained(tmp_path)
    assert plain.state_dict().keys() == video.state_dict().keys()


class Pipeline(DiffusionPipeline):
    """The components of ours that a pipeline saves and loads."""

    def __init__(self, denoiser, speech_adapter):
        super().__init__()
        self.register_modules(denoiser=denoiser, speech_adapter=speech_adapter)


def test_a_pipeline_saves_and_loads_them_as_components(video, tmp_path):
    adapter = speech_of(video, 1, 1).adapter
    Pipeline(video, adapter).save_pretrained(tmp_path)
    loaded = Pipeline.from_pretrained(tmp_path)
    assert (type(loaded.denoiser), type(loaded.speech_adapter)) == (VideoDenoiser, SpeechAdapter)
    assert loaded.denoiser.state_dict().keys() == video.state_dict().keys()
    assert loaded.speech_adapter.config.sites == adapter.config.sites
    check_layout(loaded.denoiser, JOINT_LAYOUT)


def test_an_adapter_without_mid_block_has_one_place_less(joint, net):
    """AnimateDiff v1 and v3."""
    shape = untrained_motion_adapter(joint).config
    config = {name: value for name, value in shape.items() if not name.startswith("_")}
    adapter = MotionAdapter(**{**config, "use_motion_mid_block": False})
    video = video_denoiser(joint, adapter, zero_output=False)
    with torch.no_grad():
        features = motion_features(net, given(), noisy()[2])
    plain = gradients(video, features, checkpoint=False)
    recomputed = gradients(video, features, checkpoint=True)
    assert not any(name.startswith("mid_block.motion") for name in plain)
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


def test_only_the_motion_modules_train(video):
    freeze_all_but_motion(video)
    trained = {name for name, parameter in video.named_parameters() if parameter.requires_grad}
    assert trained == {name for name, _ in video.named_parameters() if ".motion_modules." in name}


def test_real_sizes_without_weights():
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        adapter = MotionAdapter()
    video = video_denoiser(joint_denoiser(unet), adapter, zero_output=True)
    assert millions(adapter) == 453.2
    assert millions(video) == 1312.8
    assert sum(1 for _ in motion_modules(video)) == 21


def millions(network):
    return round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 1)
