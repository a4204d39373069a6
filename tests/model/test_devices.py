"""The steps where their weights are on another device: nothing mixes it with what stays on the CPU.

torch's meta device stands in for a GPU: it has no values and refuses most operations with the CPU's tensors.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from model.autoencoder import AutoencoderSize, AutoencoderWeights, small_autoencoder
from model.autoencoder_step import AutoencoderStep
from model.training_masks import MaskSettings
from model.training_step import LossSettings
from tests.model.tiny_steps import (
    FRAMES,
    KEEP_ALL,
    tiny_inpaint_step,
    tiny_joint_step,
    tiny_motion_step,
)

BATCH = 4
SEED = torch.arange(BATCH)
HALF = LossSettings(reference_dropout=0.5, speech_dropout=0.5, motion_dropout=0.5)


def elsewhere(*shape: int) -> Tensor:
    return torch.zeros(BATCH, *shape, device="meta")


def test_what_is_mixed_up_is_found() -> None:
    with pytest.raises(RuntimeError, match="not on the expected device"):
        elsewhere(4) + torch.zeros(4)


@pytest.mark.parametrize("stage", ["autoencoder", "joint", "inpaint", "motion"])
@pytest.mark.parametrize("loss", [KEEP_ALL, HALF])
@pytest.mark.parametrize("recompute", [False, True])
def test_a_step_and_its_gradients_are_where_the_weights_are(
    stage: str, loss: LossSettings, recompute: bool
) -> None:
    step, batch = prepared(stage, loss)
    step = step.to("meta")
    if recompute and stage != "autoencoder":
        for network in (step.denoiser, step.reference_net):
            network.enable_gradient_checkpointing()
    made = step({**batch, "seed": SEED})
    assert {made.total.device.type, *(part.device.type for part in made.parts.values())} == {"meta"}
    made.total.backward()
    gradients = [held.grad for held in step.parameters() if held.requires_grad]
    assert {gradient.device.type for gradient in gradients if gradient is not None} == {"meta"}


def prepared(stage: str, loss: LossSettings) -> tuple[nn.Module, dict[str, Tensor]]:
    """A step, and a batch on the other device; only seeds stay on the CPU."""
    latents = {"rgb": elsewhere(4, 8, 8), "depth": elsewhere(4, 8, 8), "reference": elsewhere(4, 8, 8)}
    if stage == "joint":
        return tiny_joint_step(loss=loss), latents
    if stage == "inpaint":
        return tiny_inpaint_step(masks=MaskSettings(), loss=loss), latents
    if stage == "motion":
        window = {"rgb": elsewhere(FRAMES, 4, 8, 8), "depth": elsewhere(FRAMES, 4, 8, 8)}
        return tiny_motion_step(loss=loss), {**latents, **window, "speech": elsewhere(FRAMES, 5, 2, 8)}
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16))
    return AutoencoderStep(vae, weights=AutoencoderWeights()), {
        "rgb": elsewhere(3, 16, 16),
        "code": elsewhere(16, 16),
        "mask": elsewhere(16, 16).bool(),
    }
