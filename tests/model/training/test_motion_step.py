"""The motion step: what is given, what is dropped, what trains."""

from __future__ import annotations

import pytest
import torch

from model.networks.denoiser import joint_denoiser
from model.networks.motion import motion_modules
from model.networks.noise_schedule import NoiseSettings, add_noise, loss_target, noise_schedule
from model.networks.reference import Reference, reference_features
from model.samples.training_set import WindowLength
from model.training.denoising import LossSettings
from model.training.sample_noise import kept, noise_levels, sample_noise
from tests.model.tiny_networks import tiny_unet
from tests.model.tiny_steps import FRAMES, GIVEN, KEEP_ALL, lively, tiny_motion_step, windows

SEEDS = list(range(40, 46))


def observed(step, batch):
    """The loss; the input and the prediction of the denoiser; what the ReferenceNet was given."""
    seen = {"looked_at": []}

    def look(_, given, options, prediction):
        seen.update(input=given[0], level=given[1], prediction=prediction.sample, motion=options["motion"])

    def look_at(_, given):
        seen["looked_at"].append((given[0].clone(), given[1].clone(), torch.is_grad_enabled()))

    hooks = [
        step.denoiser.register_forward_hook(look, with_kwargs=True),
        step.reference_net.register_forward_pre_hook(look_at),
    ]
    loss = step(batch)
    for hook in hooks:
        hook.remove()
    return loss, seen


def drawn(batch, given=GIVEN):
    """Clean latents (B, 8, F, h, w) of the frames after the given ones, noise and level."""
    frames = torch.cat([batch["rgb"], batch["depth"]], dim=2)[:, given:]
    clean = frames.movedim(1, 2)
    return clean, sample_noise(batch["seed"], shape=tuple(clean.shape[1:])), noise_levels(batch["seed"])


def parts(step, batch):
    """Each sample's loss, the modalities' sum."""
    with torch.no_grad():
        return sum(step(batch).parts.values())


def test_of_14_frames_the_first_4_are_given_and_the_loss_is_on_10():
    """Paper 5.1."""
    length = WindowLength()
    batch = windows(SEEDS[:2], frames=length.frames)
    with torch.no_grad():
        loss, seen = observed(tiny_motion_step(num_motion_frames=length.num_motion_frames), batch)
    assert seen["input"].shape == (2, 8, 10, 8, 8)
    schedule = noise_schedule(NoiseSettings())
    assert torch.equal(seen["input"], add_noise(schedule, *drawn(batch, 4)))
    error = (seen["prediction"] - loss_target(schedule, *drawn(batch, 4))).square()
    torch.testing.assert_close(loss.total, error.mean())
    torch.testing.assert_close(loss.parts["rgb"], error[:, :4].mean(dim=(1, 2, 3, 4)))
    torch.testing.assert_close(loss.parts["depth"], error[:, 4:].mean(dim=(1, 2, 3, 4)))
    assert {features.shape[:2] for features in seen["motion"].values()} == {(2, 4)}


def test_motion_frames_go_through_the_reference_net_without_noise_and_without_gradient():
    batch = windows(SEEDS)
    _, seen = observed(tiny_motion_step(), batch)
    (reference, *_), (past, *_) = seen["looked_at"]
    assert torch.equal(reference, batch["reference"])
    assert torch.equal(past, batch["rgb"][:, :GIVEN].flatten(0, 1))
    assert not any(level.any() or gradient for _, level, gradient in seen["looked_at"])
    assert not any(features.requires_grad for features in seen["motion"].values())


def test_depth_and_speech_of_motion_frames_are_not_read():
    step, batch = tiny_motion_step(), windows(SEEDS)
    other = {name: tensor.clone() for name, tensor in batch.items()}
    other["depth"][:, :GIVEN] += 1
    other["speech"][:, :GIVEN] += 1
    assert torch.equal(parts(step, batch), parts(step, other))


@pytest.mark.parametrize(
    ("condition", "name", "where"),
    [
        ("reference", "reference", slice(None)),
        ("speech", "speech", slice(None)),
        ("motion", "rgb", (slice(None), slice(0, GIVEN))),
    ],
)
def test_a_dropped_condition_does_not_matter_and_a_kept_one_does(condition, name, where):
    """AniPortrait #113: motion modules that were silently not loaded."""
    dropouts = {f"{other}_dropout": 0.0 for other in ("reference", "speech", "motion")}
    step = tiny_motion_step(loss=LossSettings(**{**dropouts, f"{condition}_dropout": 0.5}))
    batch = windows(SEEDS)
    keep = kept(batch["seed"], condition, dropout=0.5)
    assert 0 < keep.sum() < len(SEEDS)
    changed = batch[name].clone()
    changed[where] = changed.roll(1, dims=0)[where]
    first, other = parts(step, batch), parts(step, {**batch, name: changed})
    assert torch.equal(first[~keep], other[~keep])
    assert ((first - other)[keep].abs() > 1e-5).all()


def test_dropped_motion_frames_are_the_reference_repeated():
    """As in the first chunk of a clip."""
    batch = windows(SEEDS)
    first = {**batch, "rgb": batch["rgb"].clone()}
    first["rgb"][:, :GIVEN] = batch["reference"][:, None]
    dropped = tiny_motion_step(loss=KEEP_ALL.model_copy(update={"motion_dropout": 1.0}))
    assert torch.equal(parts(dropped, batch), parts(tiny_motion_step(), first))


def test_only_the_new_modules_train():
    """Paper 7.2: the parameters of the first stage are fixed."""
    step = tiny_motion_step()
    trained = {name for name, held in step.named_parameters() if held.requires_grad}
    modules = tuple(f"denoiser.{name}." for name, _ in motion_modules(step.denoiser))
    assert trained == {
        name for name, _ in step.named_parameters() if name.startswith((*modules, "speech_adapter."))
    }
    assert all(any(name.startswith(module) for name in trained) for module in modules)


def test_before_training_the_loss_is_the_joint_denoisers_frame_by_frame():
    """Moore-AnimateAnyone #110: the video stage began with noise."""
    batch = windows(SEEDS[:2])
    step = tiny_motion_step(silent=True)
    joint = joint_denoiser(lively(tiny_unet()))
    joint.set_attn_processor(
        {name: held for name, held in step.denoiser.attn_processors.items() if "motion_modules" not in name}
    )
    clean, noise, level = drawn(batch)
    schedule = noise_schedule(NoiseSettings())
    with torch.no_grad():
        features = reference_features(step.reference_net, batch["reference"], step.prompt())
        read = {"reference": Reference(features=features)}
        noisy = add_noise(schedule, clean, noise, level)
        prediction = [
            joint(noisy[:, :, frame], level, step.prompt(), cross_attention_kwargs=read).sample
            for frame in range(FRAMES - GIVEN)
        ]
        error = (torch.stack(prediction, dim=2) - noise).square().mean()
        torch.testing.assert_close(step(batch).total, error, rtol=1e-4, atol=1e-5)


def test_bf16_stays_inside_the_networks():
    """Hallo cast features to float16 whatever the run's dtype: losses, gradients and weights are float32."""
    step, batch = tiny_motion_step(), windows(SEEDS)
    full = step(batch).total.detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, seen = observed(step, batch)
    loss.total.backward()
    assert seen["prediction"].dtype == torch.bfloat16
    assert {features.dtype for features in seen["motion"].values()} == {torch.bfloat16}
    assert loss.total.dtype == torch.float32
    assert {part.dtype for part in loss.parts.values()} == {torch.float32}
    assert {held.grad.dtype for held in step.parameters() if held.grad is not None} == {torch.float32}
    assert {held.dtype for held in step.parameters()} == {torch.float32}
    torch.testing.assert_close(loss.total.detach(), full, rtol=0.02, atol=0)
