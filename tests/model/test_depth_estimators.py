"""Baselines: what the mean map is the mean of, and what the VAE leaves of true depth."""

from __future__ import annotations

import pytest
import torch

from model.autoencoder import AutoencoderSize, small_autoencoder
from model.depth_estimators import MeanDepth, through_vae
from model.pictures import Pictures


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


def test_where_there_never_was_skin_it_is_background() -> None:
    nowhere = torch.zeros(4, 4, dtype=torch.bool)
    assert (MeanDepth.of([pictures(0.2, nowhere)]).code == 1).all()


def test_it_says_the_same_of_all_pictures() -> None:
    estimate = MeanDepth(code=torch.rand(4, 4))(torch.rand(3, 3, 4, 4))
    assert estimate.shape == (3, 4, 4)
    assert (estimate == estimate[:1]).all()


def test_no_pictures_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no pictures"):
        MeanDepth.of([])


def test_the_vaes_bound_does_not_depend_on_its_scaling_factor() -> None:
    torch.manual_seed(0)
    vae = small_autoencoder(AutoencoderSize(widths=(8, 8), side_px=16)).eval()
    code = torch.rand(2, 16, 16) * 2 - 1
    bound = through_vae(vae, code)
    vae.register_to_config(scaling_factor=0.2)
    torch.testing.assert_close(through_vae(vae, code), bound, atol=1e-5, rtol=1e-4)
    assert not torch.equal(bound[0], bound[1])
