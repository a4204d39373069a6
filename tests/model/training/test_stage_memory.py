"""What is counted on shapes is what a real training step keeps."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from model.networks.build_networks import SpeechSize, UNetSize, untrained_unet
from model.networks.denoiser import inpaint_denoiser, joint_denoiser, reference_net
from model.networks.motion import untrained_motion_adapter, video_denoiser
from model.networks.noise_schedule import NoiseSettings, noise_schedule
from model.networks.speech_adapter import SpeechAdapter
from model.samples.training_set import WindowLength
from model.training.activation_memory import kept_for_backward, like_cuda_autocast, shapes_only
from model.training.masks import MaskSettings
from model.training.profiles import Profile, small
from model.training.stage_memory import DiffusionStage, StageMemory, stage_forward, stage_memory
from model.training.training_step import InpaintStep, JointStep, MotionStep
from tests.model.tiny_steps import KEEP_ALL, tiny_prompt

LENGTH = WindowLength(frames=5, given=2, speech=3)
SPEECH = SpeechSize(hidden_width=16, tokens=4)
JOINT_MASKS = MaskSettings(joint=1, image_to_depth=0, depth_to_image=0, regions=0)
STAGES: tuple[DiffusionStage, ...] = ("joint", "inpaint", "motion")


def tiny(side: int = 8) -> Profile:
    size = UNetSize(widths=(32, 64), attention_levels=(0,), head_width=8, prompt_width=16, side=side)
    profile = small()
    motion = profile.motion.model_copy(update={"length": LENGTH})
    return profile.model_copy(update={"networks": size, "motion": motion, "speech": SPEECH})


def real_step(stage: DiffusionStage) -> Any:
    size = tiny().networks
    assert isinstance(size, UNetSize)
    joint, reader = joint_denoiser(untrained_unet(size)), reference_net(untrained_unet(size))
    common: dict[str, Any] = {
        "reference_net": reader,
        "prompt": tiny_prompt(),
        "schedule": noise_schedule(NoiseSettings()),
        "loss": KEEP_ALL,
    }
    if stage == "joint":
        return JointStep(denoiser=joint, **common)
    if stage == "inpaint":
        return InpaintStep(denoiser=inpaint_denoiser(joint), masks=JOINT_MASKS, **common)
    video = video_denoiser(joint, untrained_motion_adapter(joint), zero_output=True)
    speech = SpeechAdapter.for_denoiser(video, window_frames=LENGTH.speech, **SPEECH.model_dump())
    return MotionStep(denoiser=video, speech_adapter=speech, given_frames=LENGTH.given, **common)


def batch(stage: DiffusionStage) -> dict[str, Tensor]:
    frames = (LENGTH.frames,) if stage == "motion" else ()
    pictures = {name: torch.zeros(2, *frames, 4, 8, 8) for name in ("rgb", "depth")}
    reference, seed = torch.zeros(2, 4, 8, 8), torch.arange(2)
    speech = torch.zeros(2, LENGTH.frames, LENGTH.speech, 12, 768)
    return {**pictures, "reference": reference, "seed": seed, "speech": speech}


def really_kept(step: Any, given: dict[str, Tensor]) -> int:
    """Bytes of distinct real memory that autograd saves, by address."""
    parameters = {held.untyped_storage().data_ptr() for held in step.parameters()}
    kept: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in parameters:
            kept[memory.data_ptr()] = (memory.nbytes(), tensor)  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = step(given).total
    assert loss.requires_grad
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("stage", STAGES)
def test_counted_is_what_a_real_training_step_keeps(stage: DiffusionStage) -> None:
    step = real_step(stage)
    with shapes_only():
        networks, forward = stage_forward(stage, tiny())
        counted = kept_for_backward(networks, lambda: forward(2), checkpointing=False)
    assert counted.blocks == []
    assert counted.bytes == pytest.approx(really_kept(step, batch(stage)), rel=0.02)
    found = {name: sum(held.numel() for held in each.parameters()) for name, each in networks.items()}
    real = {name: sum(held.numel() for held in each.parameters()) for name, each in step.networks().items()}
    assert found == real
    trains = {name for name, held in step.named_parameters() if held.requires_grad}
    counts = (
        f"{name}.{key}"
        for name, each in networks.items()
        for key, held in each.named_parameters()
        if held.requires_grad
    )
    assert set(counts) == trains


def test_what_was_counted_takes_no_memory() -> None:
    with shapes_only():
        huge = torch.zeros(10**6, 10**6)
        kept = kept_for_backward({}, lambda: huge.requires_grad_().square().sum(), checkpointing=False)
    assert kept.bytes == 4 * 10**12


def test_a_network_can_be_moved_whose_shapes_were_never_seen() -> None:
    with shapes_only():
        assert torch.nn.Linear(13, 17).to(device="cpu").weight.shape == (17, 13)


@cache
def counted(side: int) -> StageMemory:
    return stage_memory("joint", tiny(side))


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_samples_grow_with_the_pictures_and_copies_of_weights_do_not(bf16: bool, checkpointing: bool) -> None:
    """Also where another block is the largest, with weights at 8 latents and with activations at 16."""
    before, after = (counted(side).activations[bf16, checkpointing] for side in (8, 16))
    assert 3.9 < after.sample / before.sample < 4.1
    assert after.step == pytest.approx(before.step, rel=0.01)


def test_bf16_and_checkpointing_keep_less() -> None:
    kept = {way: activations.sample for way, activations in counted(16).activations.items()}
    assert 0.5 < kept[True, False] / kept[False, False] < 0.8
    assert kept[False, True] < 0.6 * kept[False, False]
    assert kept[True, True] < 0.6 * kept[True, False]


def test_norms_keep_float32_as_on_a_gpu_and_only_in_there() -> None:
    norm, half = torch.nn.LayerNorm(8), torch.zeros(2, 8, dtype=torch.bfloat16)
    with like_cuda_autocast():
        assert norm(half).dtype == torch.float32
        assert torch.nn.Linear(8, 8)(torch.zeros(2, 8)).dtype == torch.bfloat16
    assert norm(half).dtype == torch.bfloat16
