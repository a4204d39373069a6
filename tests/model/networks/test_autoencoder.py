"""The small VAE: its size, what its loss sees, and that it learns."""

from __future__ import annotations

import pytest
import torch

from model.networks.autoencoder import (
    AutoencoderSize,
    AutoencoderWeights,
    autoencoder_loss,
    decode,
    encode,
    fit_scaling_factor,
    small_autoencoder,
)
from model.samples.depth_code import as_picture
from model.samples.pictures import Pictures

TINY = AutoencoderSize(widths=(8, 8, 8), side_px=16)


def tiny_vae():
    torch.manual_seed(0)
    return small_autoencoder(TINY)


def pictures(batch: int = 4, side: int = 16) -> Pictures:
    generator = torch.Generator().manual_seed(0)
    axis = torch.linspace(-1, 1, side)
    bowl = axis[:, None] ** 2 + axis[None] ** 2 - 1
    tilt = torch.rand(batch, 1, 1, generator=generator) * axis
    mask = (bowl < 0).expand(batch, -1, -1)
    code = torch.where(mask, (bowl + 0.3 * tilt).clamp(-1, 1), 1.0)
    rgb = torch.stack([code, -code, tilt.expand(batch, side, side)], dim=1)
    return Pictures(rgb=rgb, code=code, mask=mask)


def loss_of(vae, batch: Pictures, seed: int = 0, **weights: float):
    generator = torch.Generator().manual_seed(seed)
    return autoencoder_loss(vae, batch, weights=AutoencoderWeights(**weights), generator=generator)


def test_sixty_four_pixels_become_sixteen_by_sixteen_latents() -> None:
    vae = small_autoencoder(AutoencoderSize())
    parameters = sum(parameter.numel() for parameter in vae.parameters())
    assert 0.5e6 < parameters < 1.2e6
    latents = encode(vae, torch.zeros(1, 3, 64, 64))
    assert latents.shape == (1, 4, 16, 16)
    assert decode(vae, latents).shape == (1, 3, 64, 64)


def test_the_scaling_factor_gives_unit_variance_and_cancels() -> None:
    vae, batch = tiny_vae(), pictures()
    with torch.inference_mode():
        plain = decode(vae, encode(vae, batch.rgb))
        factor = fit_scaling_factor(vae, encode(vae, batch.rgb))
        assert vae.config.scaling_factor == factor
        latents = encode(vae, batch.rgb)
        assert latents.std().item() == pytest.approx(1, rel=1e-5)
        torch.testing.assert_close(decode(vae, latents), plain, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_passes_hold_so_many_pixels_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, rgb = tiny_vae(), pictures(5).rgb
    sizes = {"encoder": [], "decoder": []}
    for name, passes in sizes.items():
        vae.get_submodule(name).register_forward_pre_hook(
            lambda _, arguments, passes=passes: passes.append(len(arguments[0]))
        )
    latents = encode(vae, rgb)
    decoded = decode(vae, latents)
    monkeypatch.setattr("model.networks.autoencoder.CPU_PASS_PIXELS", 2 * 16 * 16)
    torch.testing.assert_close(encode(vae, rgb), latents)
    torch.testing.assert_close(decode(vae, latents), decoded)
    assert sizes == {"encoder": [5, 2, 2, 1], "decoder": [5, 2, 2, 1]}
    assert latents.is_contiguous()
    assert decoded.is_contiguous()


def test_the_total_is_the_weighted_sum_of_its_parts() -> None:
    vae, batch = tiny_vae(), pictures()
    weights = {"rgb": 2.0, "edges": 3.0, "depth": 5.0, "background": 7.0, "size": 11.0}
    loss = loss_of(vae, batch, **weights)
    expected = sum(weight * getattr(loss, name) for name, weight in weights.items())
    torch.testing.assert_close(loss.total.detach(), expected)
    assert loss.total.requires_grad
    assert not loss.depth.requires_grad


def test_depth_is_counted_on_the_skin_and_background_off_it() -> None:
    vae, batch = tiny_vae(), pictures()
    before = loss_of(vae, batch, noise=0.0)
    decoded = decode(vae, encode(vae, as_picture(batch.code)))
    error = (decoded.mean(dim=1) - batch.code).abs().detach()
    torch.testing.assert_close(before.depth, error[batch.mask].mean())
    torch.testing.assert_close(before.background, error[~batch.mask].mean())


def test_a_mask_without_skin_is_no_nan() -> None:
    batch = pictures()
    empty = Pictures(rgb=batch.rgb, code=batch.code, mask=torch.zeros_like(batch.mask))
    loss = loss_of(tiny_vae(), empty)
    assert loss.depth == 0
    assert torch.isfinite(loss.total)


def test_it_learns_depth() -> None:
    vae, batch = tiny_vae(), pictures()
    optimizer = torch.optim.AdamW(vae.parameters(), lr=5e-3)
    first = loss_of(vae, batch).depth.item()
    for step in range(60):
        loss = loss_of(vae, batch, seed=step)
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert loss.depth.item() < 0.4 * first
