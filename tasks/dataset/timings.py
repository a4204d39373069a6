"""What each stage cost, summed over the finished stages of all clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks import dag
from tasks.engine.clip import Clip, FinishedStage
from tasks.report.facts import StageTiming


def stage_timings(clips: Sequence[Clip]) -> tuple[StageTiming, ...]:
    """Return one entry for each stage that a clip went through, in the order of the stages."""
    names = [node.name for node in dag.data_stages()]
    return tuple(_timing(name, clips) for name in names if _steps(name, clips))


def rejecting_stages(clips: Iterable[Clip]) -> dict[str, str]:
    """Return the stage that refused each quarantined clip, by clip id."""
    return {clip.clip_id: clip.steps[-1].stage for clip in clips if clip.reason and clip.steps}


def _timing(name: str, clips: Sequence[Clip]) -> StageTiming:
    steps = _steps(name, clips)
    # a step of several clips (focal) is in each of them
    fresh = {step.key: step for step, _ in steps if not step.reused}
    return StageTiming(
        stage=name,
        clips=sum(not step.reused for step, _ in steps),
        frames=sum(_frames(clip) for step, clip in steps if not step.reused),
        cpu_s=round(sum(step.cpu_s for step in fresh.values()), 3),
        wall_s=round(sum(step.wall_s for step in fresh.values()), 3),
        reused=sum(step.reused for step, _ in steps),
    )


def _steps(name: str, clips: Sequence[Clip]) -> list[tuple[FinishedStage, Clip]]:
    return [(step, clip) for clip in clips for step in clip.steps if step.stage == name]


def _frames(clip: Clip) -> int:
    return int(clip.values.get("frames") or clip.values.get("source_frames") or 0)
