"""The cost of a build: rates of each stage and of the whole build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.report.facts import StageTiming


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCost:
    """Line of the throughput table for one stage."""

    timing: StageTiming
    frames_per_s: float | None
    """Frames a second on one core; None if the stage computed no frame."""
    share: float
    """Share of the processor time of the build, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of a whole build."""

    lines: tuple[StageCost, ...]
    frames: int
    """Frames of the stage that computed the most."""
    cpu_s: float
    wall_s: float
    frames_per_s: float | None
    """Frames a second on one core through all stages."""


def build_cost(timings: Sequence[StageTiming]) -> Cost:
    """Compute rates and shares from the timings of the stages."""
    cpu_s = sum(timing.cpu_s for timing in timings)
    frames = max((timing.frames for timing in timings), default=0)
    return Cost(
        lines=tuple(
            StageCost(
                timing=timing,
                frames_per_s=_rate(timing.frames, timing.cpu_s),
                share=timing.cpu_s / cpu_s if cpu_s else 0.0,
            )
            for timing in timings
        ),
        frames=frames,
        cpu_s=cpu_s,
        wall_s=sum(timing.wall_s for timing in timings),
        frames_per_s=_rate(frames, cpu_s),
    )


def _rate(frames: int, cpu_s: float) -> float | None:
    return frames / cpu_s if frames and cpu_s else None
