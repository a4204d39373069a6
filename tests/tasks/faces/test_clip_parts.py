"""Cuts, gaps and the longest good part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.faces.clip_parts import (
    ClipPart,
    CutSettings,
    frame_signature,
    landmark_jumps,
    longest_part,
    rejection,
    short_gaps,
    shot_starts,
    signature_distance,
)
from tasks.reasons import Reason


def starts_at(count: int, *frames: int) -> np.ndarray:
    return np.isin(np.arange(count), frames)


def scene(seed: int) -> np.ndarray:
    """A picture of large soft blobs, (90, 160, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 8))
    return np.repeat(np.kron(coarse, np.ones((18, 20)))[:, :, None], 3, axis=2).astype(np.uint8)


def test_signature_tells_pictures_apart_and_forgives_light_and_small_motion() -> None:
    one = frame_signature(scene(0))
    darker = frame_signature((scene(0) * 0.96).astype(np.uint8))
    moved = frame_signature(np.roll(scene(0), 3, axis=1))
    other = frame_signature(scene(1))
    assert signature_distance(one, one) == 0
    assert max(signature_distance(one, darker), signature_distance(one, moved)) < CutSettings().weak_change
    assert signature_distance(one, other) > CutSettings().strong_change


def test_jump_is_the_movement_in_face_heights() -> None:
    face = np.random.default_rng(0).uniform(0, 50, (1, 478, 3)).astype(np.float32)
    height = np.ptp(face[0, :, 1])
    moved = face + np.array([0.5 * height, 0, 0], np.float32)
    lost = np.full_like(face, np.nan)
    jumps = landmark_jumps(np.concatenate([face, face, moved, lost, moved]))
    np.testing.assert_allclose(jumps, [0, 0, 0.5, 0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "jump", "cut"),
    [(0.2, 0.0, True), (0.0, 0.9, True), (0.06, 0.2, True), (0.06, 0.0, False), (0.0, 0.2, False)],
)
def test_a_cut_changes_one_thing_strongly_or_both_a_little(change: float, jump: float, cut: bool) -> None:
    changes, jumps = np.full(20, 0.002), np.full(20, 0.01)
    changes[10] += change
    jumps[10] += jump
    starts = shot_starts(changes, jumps, CutSettings())
    assert starts[10] == cut
    assert starts.sum() == cut


def test_a_pan_is_no_cut() -> None:
    changes = np.full(30, 0.002)
    changes[10:20] = 0.09
    assert not shot_starts(changes, np.zeros(30), CutSettings()).any()


def test_short_clips_have_cuts_too() -> None:
    assert not shot_starts(np.array([0.0]), np.array([0.0]), CutSettings()).any()
    assert shot_starts(np.array([0.0, 0.0, 0.5]), np.zeros(3), CutSettings()).tolist() == [False, False, True]


def test_gaps_are_short_inside_one_shot_with_a_face_on_both_sides() -> None:
    missing = np.array([1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1], bool)
    gaps = short_gaps(missing, starts_at(12, 9), longest=2)
    assert np.flatnonzero(gaps).tolist() == [2, 3]


def test_whole_clip_has_no_reason() -> None:
    assert longest_part([None] * 5, starts_at(5)) == ClipPart(first=0, frames=5, reason=None)


def test_cuts_divide_and_the_longer_side_left_out_names_the_reason() -> None:
    faults = [Reason.LOST_FACE] * 2 + [None] * 18
    part = longest_part(faults, starts_at(20, 12))
    assert part == ClipPart(first=2, frames=10, reason=Reason.SCENE_CUT)
    part = longest_part([*faults[:12], *[Reason.BAD_POSE] * 9], starts_at(21))
    assert part == ClipPart(first=2, frames=10, reason=Reason.BAD_POSE)


@given(st.lists(st.sampled_from([None, Reason.LOST_FACE]), min_size=1, max_size=30), st.data())
def test_the_part_is_good_whole_and_cannot_be_longer(
    faults: list[Reason | None], data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(1, len(faults)), max_size=3))
    starts = starts_at(len(faults), *cuts)
    part = longest_part(faults, starts)
    inside = slice(part.first, part.first + part.frames)
    assert all(fault is None for fault in faults[inside])
    assert not starts[inside][1:].any()
    runs, run = [0], 0
    for fault, start in zip(faults, starts, strict=True):
        run = 0 if fault else 1 if start else run + 1
        runs.append(run)
    assert part.frames == max(runs)


@pytest.mark.parametrize(
    ("faults", "cuts", "reason"),
    [
        ([Reason.LOST_FACE] * 20, (), Reason.NO_FACE),
        (([None] * 5 + [Reason.LOST_FACE] * 5) * 2, (), Reason.LOST_FACE),
        ([Reason.BAD_POSE] * 15 + [Reason.LOST_FACE] * 5, (), Reason.BAD_POSE),
        ([None] * 20, (10,), Reason.SCENE_CUT),
        ([None] * 10, (), Reason.TOO_SHORT),
    ],
)
def test_rejection_names_the_commonest_cause(
    faults: list[Reason | None], cuts: tuple[int, ...], reason: Reason
) -> None:
    starts = starts_at(len(faults), *cuts)
    found, detail = rejection(faults, starts, longest_part(faults, starts), 18)
    assert found == reason
    assert str(len(faults)) in detail
