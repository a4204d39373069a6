from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.media.frame_plan import FRAME_RATE, plan_frames


def times(rate: Fraction, count: int, start: Fraction = Fraction(0)) -> list[Fraction]:
    return [start + k / rate for k in range(count)]


def test_25_fps_stays_as_it_is() -> None:
    plan = plan_frames(
        times(Fraction(25), 10, Fraction(7)), start_s=Fraction(7), end_s=Fraction(7) + Fraction(10, 25)
    )
    assert plan.source_frames == tuple(range(10))
    assert (plan.duplicated, plan.dropped, plan.largest_shift_s) == (0, 0, 0)


def test_50_fps_takes_every_other_frame() -> None:
    plan = plan_frames(times(Fraction(50), 20), start_s=Fraction(0), end_s=Fraction(20, 50))
    assert plan.source_frames == tuple(range(0, 20, 2))
    assert (plan.duplicated, plan.dropped) == (0, 9)


def test_ties_take_the_earlier_frame() -> None:
    # 12.5 fps: every second 25 fps frame lies half way between two source frames
    plan = plan_frames(times(Fraction(25, 2), 4), start_s=Fraction(0), end_s=Fraction(8, 25))
    assert plan.source_frames == (0, 0, 1, 1, 2, 2, 3, 3)
    assert (plan.duplicated, plan.dropped) == (4, 0)


def test_23_976_has_whole_frames_only() -> None:
    rate = Fraction(24000, 1001)
    plan = plan_frames(times(rate, 96), start_s=Fraction(0), end_s=96 / rate)
    assert len(plan.source_frames) == 100  # 4.004 s
    assert plan.duplicated == 4
    assert plan.largest_shift_s <= float(Fraction(1, 2) / rate)


def test_a_millisecond_of_rounding_costs_no_frame() -> None:
    rounded = [Fraction(round(1000 * k / 30), 1000) for k in range(30)]
    assert len(plan_frames(rounded, start_s=Fraction(0), end_s=Fraction(999, 1000)).source_frames) == 25


def test_an_interval_counts_from_its_start() -> None:
    plan = plan_frames(times(Fraction(25), 100), start_s=Fraction(1), end_s=Fraction(2))
    assert plan.source_frames == tuple(range(25, 50))


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 400), min_size=1, max_size=80),
    start=st.integers(-5000, 5000),
)
def test_every_frame_shows_the_nearest_source_frame(gaps: list[int], start: int) -> None:
    clock = [start]
    for gap in gaps:
        clock.append(clock[-1] + gap)
    shown = [Fraction(tick, 1000) for tick in clock]
    plan = plan_frames(shown, start_s=shown[0], end_s=shown[-1])
    assert list(plan.source_frames) == sorted(plan.source_frames)
    for k, chosen in enumerate(plan.source_frames):
        distances = [abs(time - shown[0] - Fraction(k, FRAME_RATE)) for time in shown]
        assert chosen == distances.index(min(distances))
    used = set(plan.source_frames)
    assert plan.duplicated == len(plan.source_frames) - len(used)
    assert plan.dropped == (max(used) - min(used) + 1 - len(used) if used else 0)
