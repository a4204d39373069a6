"""The steps where their weights are on another device: nothing mixes it with what stays on the CPU.

torch's meta device stands in for a GPU: it has no values and refuses most operations with the CPU's tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model.networks.autoencoder import AutoencoderSize, AutoencoderWeights, small_autoencoder
from model.training.autoencoder_step import AutoencoderStep
from model.training.denoising import LossSettings
from model.training.masks import MaskSettings
from model.training.trainer import train
from tests.model.tiny_steps import (
    FRAMES,
    KEEP_ALL,
    tiny_inpaint_step,
    tiny_joint_step,
    tiny_motion_step,
)
from tests.model.toy_training import Notes, ToySamples, ToyStep, toy_order, toy_settings

BATCH = 4
SEED = torch.arange(BATCH)
HALF = LossSettings(reference_dropout=0.5, speech_dropout=0.5, motion_dropout=0.5)


def elsewhere(*shape: int) -> Tensor:
    return torch.zeros(BATCH, *shape, device="meta")


@pytest.fixture
def gpu() -> Iterator[str]:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    yield "cuda"
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


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


@pytest.mark.gpu
@pytest.mark.parametrize("stage", ["autoencoder", "joint", "inpaint", "motion"])
def test_a_step_on_a_gpu_is_that_of_the_cpu(gpu: str, stage: str) -> None:
    step, shapes = prepared(stage, HALF)
    random = torch.Generator().manual_seed(0)
    batch = {
        name: (
            torch.rand(like.shape, generator=random) < 0.5
            if like.dtype == torch.bool
            else torch.rand(like.shape, generator=random) * 2 - 1
        )
        for name, like in shapes.items()
    }
    on_cpu = step({**batch, "seed": SEED}).total
    moved = {name: tensor.to(gpu) for name, tensor in batch.items()}
    on_gpu = step.to(gpu)({**moved, "seed": SEED}).total
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_a_training_on_a_gpu_goes_on_where_it_was_and_ends_on_the_cpu(
    gpu: str, tmp_path: Path, precision: str
) -> None:
    del gpu
    settings = {"mixed_precision": precision, "gradient_checkpointing": True}
    finished = []
    for steps in (4, 6):
        step = ToyStep()
        finished.append(
            train(
                step,
                data=ToySamples(),
                order=toy_order(),
                settings=toy_settings(steps=steps, **settings),
                folder=tmp_path,
                callback=Notes(),
            )
        )
        assert {held.device.type for held in step.parameters()} == {"cpu"}
    assert finished[1].resumed_at == 4


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
