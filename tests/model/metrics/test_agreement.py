"""RGB and depth of the same face: estimates from the own RGB fit best, up to scale and shift."""

from __future__ import annotations

import torch
from torch import Tensor

from model.metrics.agreement import agreement_errors, face_mask, has_face
from model.metrics.identity_score import match


def faces() -> Tensor:
    """Three reliefs on a disc, background +1."""
    axis = torch.linspace(-1, 1, 32)
    x, y = axis[None].expand(32, 32), axis[:, None].expand(32, 32)
    reliefs = torch.stack([x**2, y**2, x * y])
    return torch.where(x**2 + y**2 < 0.8, -0.6 + 0.5 * reliefs, torch.tensor(1.0))


def test_estimates_of_the_own_face_are_nearest_whatever_their_scale_and_shift() -> None:
    samples = faces()
    matches = match(agreement_errors(samples, 0.3 * samples + 5), has_face=has_face(samples))
    assert matches.rate == 1
    assert matches.ratio < 1e-3


def test_rows_are_samples_and_columns_estimates() -> None:
    samples = faces()
    errors = agreement_errors(samples, samples.roll(1, dims=0))
    assert errors.argmin(dim=1).tolist() == [1, 2, 0]


def test_a_sample_without_a_face_has_no_errors_and_costs_the_others_none() -> None:
    samples = faces()
    whole = agreement_errors(samples, samples.roll(1, dims=0))
    samples[1] = 1.0
    samples[1, 0, :2] = 0.0
    assert has_face(samples).tolist() == [True, False, True]
    errors = agreement_errors(samples, faces().roll(1, dims=0))
    assert errors[1].isnan().all()
    assert torch.equal(errors[::2], whole[::2])


def test_the_background_is_no_face() -> None:
    assert not face_mask(faces())[:, 0, 0].any()
    assert face_mask(faces())[:, 16, 16].all()
