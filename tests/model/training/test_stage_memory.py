"""What is counted on shapes is what a real training step keeps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor

from model.networks.build_networks import SpeechSize, UNetSize
from model.samples.training_set import WindowLength
from model.training.activation_memory import kept_for_backward, like_cuda_autocast, shapes_only
from model.training.denoising import DiffusionStep
from model.training.image_step import inpaint_step, joint_step
from model.training.masks import MaskSettings
from model.training.motion_step import motion_step
from model.training.profiles import DiffusionStage, Profile, small
from model.training.stage_memory import StageMemory, stage_memory, worst_case_loss
from model.training.untrained import Shapes, pair_shapes, untrained_start, window_shapes
from tests.model.tiny_steps import KEEP_ALL

LENGTH = WindowLength(frames=5, num_motion_frames=2, speech=3)
SPEECH = SpeechSize(hidden_width=16, tokens=4)
JOINT_MASKS = MaskSettings(joint=1, image_to_depth=0, depth_to_image=0, regions=0)
STAGES: tuple[DiffusionStage, ...] = ("joint", "inpaint", "motion")
BUILDERS: dict[DiffusionStage, Callable[[Any, Any], DiffusionStep]] = {
    "joint": joint_step,
    "inpaint": inpaint_step,
    "motion": motion_step,
}


def tiny(side: int = 8) -> Profile:
    size = UNetSize(widths=(32, 64), attention_levels=(0,), head_width=8, prompt_width=16, side=side)
    profile = small()
    joint, inpaint, motion = (
        stage.model_copy(update={"loss": KEEP_ALL, **changes})
        for stage, changes in (
            (profile.joint, {}),
            (profile.inpaint, {"masks": JOINT_MASKS}),
            (profile.motion, {"length": LENGTH}),
        )
    )
    changed = {"joint": joint, "inpaint": inpaint, "motion": motion, "networks": size, "speech": SPEECH}
    return profile.model_copy(update=changed)


def build(stage: DiffusionStage, side: int = 8) -> DiffusionStep:
    profile = tiny(side)
    return BUILDERS[stage](untrained_start(profile), getattr(profile, stage))


def shapes_of(stage: DiffusionStage, side: int = 8) -> Shapes:
    return (window_shapes if stage == "motion" else pair_shapes)(tiny(side))


def batch(stage: DiffusionStage) -> dict[str, Tensor]:
    tensors = {name: torch.zeros(2, *shape) for name, shape in shapes_of(stage).items()}
    return {**tensors, "seed": torch.arange(2)}


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
    with shapes_only():
        planned = build(stage)
        counted = kept_for_backward(
            planned.networks(),
            lambda: worst_case_loss(planned, shapes_of(stage), samples=2),
            checkpointing=False,
        )
    assert counted.blocks == []
    assert counted.bytes == pytest.approx(really_kept(build(stage), batch(stage)), rel=1e-3)


def test_the_worst_case_keeps_every_condition() -> None:
    """Whatever the dropout of the profile: some of its batches drop nothing."""
    counted = []
    for dropout in (0.0, 1.0):
        every = {f"{name}_dropout": dropout for name in ("reference", "speech", "motion")}
        settings = tiny().motion.model_copy(update={"loss": KEEP_ALL.model_copy(update=every)})
        with shapes_only():
            step = motion_step(untrained_start(tiny()), settings)
            kept = kept_for_backward(
                step.networks(),
                partial(worst_case_loss, step, shapes_of("motion"), samples=1),
                checkpointing=False,
            )
        counted.append(kept.bytes)
    assert counted[0] == counted[1]


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
    return stage_memory(partial(build, "joint", side), shapes_of("joint", side))


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
