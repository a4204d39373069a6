"""Matches of samples portraits with persons: known answers on flat colours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.metrics.identity_score import Matches, identity_errors, match


def flat(colors: list[tuple[float, float, float]]) -> Tensor:
    return torch.tensor(colors)[:, :, None, None].expand(-1, -1, 16, 16)


PEOPLE = [(0.8, 0.6, 0.5), (0.4, 0.3, 0.2), (0.6, 0.6, 0.6)]


def matched(errors: Tensor) -> Matches:
    """All samples have a face."""
    return match(errors, has_face=torch.ones(len(errors), dtype=torch.bool))


def left_half() -> Tensor:
    mask = torch.zeros(3, 16, 16, dtype=torch.bool)
    mask[:, :, :8] = True
    return mask


def test_pictures_of_a_person_are_nearest_to_that_person() -> None:
    near = flat([tuple(value + 0.03 for value in color) for color in PEOPLE])
    matches = matched(identity_errors(near, left_half(), flat(PEOPLE), left_half()))
    assert matches.rate == 1
    assert matches.chance == pytest.approx(1 / 3)
    assert matches.ratio < 0.1


def test_what_is_outside_of_the_masks_does_not_count() -> None:
    samples = flat(PEOPLE).clone()
    samples[:, :, :, 8:] = flat(PEOPLE[1:] + PEOPLE[:1])[:, :, :, 8:]
    assert matched(identity_errors(samples, left_half(), flat(PEOPLE), left_half())).rate == 1
    assert matched(identity_errors(samples, ~left_half(), flat(PEOPLE), ~left_half())).rate == 0


def test_coarse_form_tells_people_of_one_colour_apart() -> None:
    ramps = torch.linspace(0, 1, 16).expand(3, 16, 16)
    forms = torch.stack([ramps, ramps.flip(-1), ramps.transpose(-1, -2)])
    everywhere = torch.ones(3, 16, 16, dtype=torch.bool)
    assert matched(identity_errors(forms, everywhere, forms, everywhere)).rate == 1


def test_the_same_picture_for_all_is_chance() -> None:
    same = flat([PEOPLE[1]] * 3)
    matches = matched(identity_errors(same, left_half(), flat(PEOPLE), left_half()))
    assert matches.rate == pytest.approx(matches.chance)
    assert matched(torch.rand(40, 40, generator=torch.Generator().manual_seed(0))).rate < 0.1


def test_a_sample_without_a_face_matches_nobody_and_stays_one_of_the_candidates() -> None:
    errors = identity_errors(flat(PEOPLE), left_half(), flat(PEOPLE), left_half())
    whole, has_face = matched(errors), torch.tensor([True, False, True])
    errors[1] = torch.nan
    matches = match(errors, has_face=has_face)
    assert matches.rate == pytest.approx(2 / 3)
    assert (matches.chance, matches.faceless) == (whole.chance, 1)
    assert matches.ratio == whole.ratio == 0
    nobody = match(errors, has_face=torch.zeros(3, dtype=torch.bool))
    assert (nobody.rate, nobody.ratio, nobody.faceless) == (0, None, 3)


def test_one_candidate_is_no_question() -> None:
    with pytest.raises(ValueError, match="N of at least 2"):
        matched(torch.zeros(1, 1))
