from __future__ import annotations

import pytest

from tasks.report.cost import build_cost
from tasks.report.facts import BuildFacts, StageTiming


def test_rates_are_per_core_and_shares_add_up(facts: BuildFacts) -> None:
    cost = build_cost(facts.timings)
    assert [line.frames_per_s for line in cost.lines] == [None, 100.0]
    assert [line.share for line in cost.lines] == [0.25, 0.75]
    assert (cost.frames, cost.cpu_s, cost.wall_s) == (300, 4.0, pytest.approx(4.3))
    assert cost.frames_per_s == 75.0


def test_a_build_that_reused_everything_has_no_rates() -> None:
    reused = StageTiming(stage="fit", clips=0, frames=0, cpu_s=0.0, wall_s=0.0, reused=7)
    cost = build_cost([reused])
    assert cost.frames_per_s is None
    assert cost.lines[0].share == 0.0
    assert build_cost([]).frames == 0
