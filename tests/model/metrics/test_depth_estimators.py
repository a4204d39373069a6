"""Baselines: what the mean map is the mean of, and what the VAE leaves of true depth."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch

from model.metrics.depth_estimators import DepthEstimate, EstimatorInput, MeanDepth, VaeBound
from model.networks.autoencoder import AutoencoderSize, small_autoencoder
from model.samples.pictures import Pictures


def pictures(code: float, mask: torch.Tensor, frames: int = 1) -> Pictures:
    return Pictures(
        rgb=torch.zeros(frames, 3, 4, 4),
        code=torch.full((frames, 4, 4), code),
        mask=mask.expand(frames, -1, -1),
    )


def test_each_pixel_is_the_mean_over_the_frames_where_it_is_skin() -> None:
    everywhere = torch.ones(4, 4, dtype=torch.bool)
    top = everywhere.clone()
    top[2:] = False
    mean = MeanDepth.of([pictures(0.0, top), pictures(0.6, everywhere, frames=2)])
    torch.testing.assert_close(mean.code[:2], torch.full((2, 4), 0.4))
    torch.testing.assert_close(mean.code[2:], torch.full((2, 4), 0.6))


def test_a_running_sum_is_the_same_to_the_bit_in_any_order() -> None:
    """Clips are summed as they come; their codes are cached as half floats."""
    seeded = torch.Generator().manual_seed(0)
    clips = [
        Pictures(
            rgb=torch.zeros(5, 3, 4, 4),
            code=(torch.rand(5, 4, 4, generator=seeded) * 2 - 1).half().float(),
            mask=torch.rand(5, 4, 4, generator=seeded) < 0.7,
        )
        for _ in range(300)
    ]
    sums_alive = []

    def sums() -> int:
        tensors = [one for one in gc.get_objects() if type(one) is torch.Tensor]
        return sum(one.dtype == torch.double for one in tensors)

    def read(order: range) -> Iterator[Pictures]:
        before = sums()
        for index in order:
            yield clips[index]
        sums_alive.append(sums() - before)

    code, mask = (torch.cat([getattr(clip, name) for clip in clips]) for name in ("code", "mask"))
    at_once = torch.where(mask, code, 0.0).double().sum(dim=0) / mask.sum(dim=0)
    for order in (range(300), range(299, -1, -1)):
        assert torch.equal(MeanDepth.of(read(order)).code, at_once.float())
    assert max(sums_alive) < 10


def test_where_there_never_was_skin_it_is_background() -> None:
    nowhere = torch.zeros(4, 4, dtype=torch.bool)
    assert (MeanDepth.of([pictures(0.2, nowhere)]).code == 1).all()


def test_the_mean_map_is_the_same_for_all_pictures() -> None:
    estimate = MeanDepth(code=torch.rand(4, 4)).estimate(EstimatorInput(rgb=torch.rand(3, 3, 4, 4))).code
    assert estimate.shape == (3, 4, 4)
    assert (estimate == estimate[:1]).all()


def test_no_pictures_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        MeanDepth.of([])


def test_the_vaes_bound_does_not_depend_on_its_scaling_factor() -> None:
    torch.manual_seed(0)
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16)).eval()
    code = torch.rand(2, 16, 16) * 2 - 1
    frames = EstimatorInput(rgb=torch.zeros(2, 3, 16, 16), true_code=code)
    bound = VaeBound(vae=vae).estimate(frames).code
    vae.register_to_config(scaling_factor=0.2)
    torch.testing.assert_close(VaeBound(vae=vae).estimate(frames).code, bound, atol=1e-5, rtol=1e-4)
    assert not torch.equal(bound[0], bound[1])


def test_the_bound_needs_ground_truth() -> None:
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16))
    with pytest.raises(
        ValueError, match="vae_bound needs ground-truth depth, and these frames have RGB only"
    ):
        VaeBound(vae=vae).estimate(EstimatorInput(rgb=torch.zeros(1, 3, 16, 16)))


@pytest.mark.parametrize("has_truth", [True, False])
def test_batches_are_joined_in_order(has_truth: bool) -> None:
    frames = EstimatorInput(rgb=torch.rand(5, 3, 4, 4), true_code=torch.rand(5, 4, 4) if has_truth else None)
    batches = list(frames.batches(2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    reasons = ("a", None)
    parts = [
        DepthEstimate(
            code=batch.rgb[:, 0] if batch.true_code is None else batch.true_code,
            mask=batch.rgb[:, 1] > 0.5,
            reasons=reasons[: len(batch)],
        )
        for batch in batches
    ]
    joined = DepthEstimate.joined(parts)
    assert torch.equal(joined.code, frames.true_code if has_truth else frames.rgb[:, 0])
    assert torch.equal(joined.mask, frames.rgb[:, 1] > 0.5)
    assert joined.reasons == ("a", None, "a", None, "a")
