"""Networks from nothing: which levels attend, and which ReferenceNet weights can never learn."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import Attention
from pydantic import ValidationError

from model.networks.build_networks import UNetSize, first_networks, untrained_unet
from model.networks.noise_schedule import NoiseSettings, noise_schedule
from model.training.image_step import JointStep
from tests.model.tiny_steps import KEEP_ALL, pairs


def size(*levels: int) -> UNetSize:
    return UNetSize(widths=(16, 32), attention_levels=levels, head_width=16, prompt_width=8, side=8)


@pytest.mark.parametrize(("levels", "widths"), [((0,), {16, 32}), ((1,), {32}), ((0, 1), {16, 32})])
def test_levels_that_are_named_attend(levels: tuple[int, ...], widths: set[int]) -> None:
    """The bottom always does: its block has no other form."""
    unet = untrained_unet(size(*levels))
    assert {module.query_dim for module in unet.modules() if isinstance(module, Attention)} == widths


def test_levels_that_are_not_there_are_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"attention_levels \(2,\) of 2 levels; name at least one of 0, 1"
    ):
        size(2)


@pytest.mark.parametrize("levels", [(0,), (1,), (0, 1)])
def test_what_gets_no_gradient_is_what_is_frozen_by_name(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    networks = first_networks(size(*levels))
    step = JointStep(
        denoiser=networks.denoiser,
        reference_net=networks.reference_net,
        prompt=networks.prompt,
        schedule=noise_schedule(NoiseSettings()),
        loss=KEEP_ALL,
    )
    frozen = {name for name, weight in networks.reference_net.named_parameters() if not weight.requires_grad}
    networks.reference_net.requires_grad_(True)
    step(pairs([1, 2])).total.backward()
    silent = {name for name, weight in networks.reference_net.named_parameters() if weight.grad is None}
    assert silent == frozen
