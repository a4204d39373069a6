"""The funnel: how many sources entered each stage, and why it refused some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from model.samples.manifest import ManifestRow
from tasks.dag import STUDIO, WILD
from tasks.reasons import Reason

STAGES: Mapping[str, tuple[str, ...]] = {
    "wild": ("scan", *WILD.names, "publish"),
    "studio": ("scan", *STUDIO.names, "publish"),
}
"""Stages that a source passes, in order, by kind of source."""

USUAL_STAGE: Mapping[Reason, str] = {
    Reason.UNSAFE_PATH: "scan",
    Reason.NOT_REGULAR: "scan",
    Reason.UNREADABLE: "scan",
    Reason.DUPLICATE: "scan",
    Reason.EMPTY: "probe",
    Reason.NOT_MEDIA: "probe",
    Reason.FORBIDDEN_FORMAT: "probe",
    Reason.TRUNCATED: "probe",
    Reason.CORRUPT: "probe",
    Reason.ENCRYPTED: "probe",
    Reason.NO_VIDEO: "probe",
    Reason.TOO_SHORT: "probe",
    Reason.LOW_FPS: "probe",
    Reason.TOO_LARGE: "probe",
    Reason.TIMEOUT: "probe",
    Reason.CRASHED: "probe",
    Reason.STATIC_VIDEO: "resample",
    Reason.AV_MISMATCH: "resample",
    Reason.NO_FACE: "landmarks",
    Reason.MANY_FACES: "landmarks",
    Reason.SMALL_FACE: "landmarks",
    Reason.BAD_POSE: "landmarks",
    Reason.SCENE_CUT: "landmarks",
    Reason.LOST_FACE: "landmarks",
    Reason.LOST_TRACK: "fit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStage:
    """One stage of the funnel."""

    stage: str
    entered: int
    """Sources that the stage was given."""
    passed: int
    """Sources that the stage passed on."""
    reasons: Mapping[str, int]
    """Refused sources by reason, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """All stages of one kind of source."""

    kind: Literal["wild", "studio"]
    sources: int
    stages: tuple[FunnelStage, ...]


def rejecting_stage(row: ManifestRow, rejected_at: Mapping[str, str]) -> str:
    """Return the stage that refused a quarantined source."""
    return rejected_at.get(row.clip_id) or USUAL_STAGE[Reason(row.reason or Reason.CRASHED)]


def count_reasons(reasons: Sequence[str]) -> dict[str, int]:
    """Count by reason, most frequent first and then by name."""
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))


def build_funnels(rows: Sequence[ManifestRow], rejected_at: Mapping[str, str]) -> tuple[Funnel, ...]:
    """Return a funnel for each kind of source that the version has."""
    kinds: tuple[Literal["wild", "studio"], ...] = ("wild", "studio")
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in kinds}
    return tuple(_funnel(kind, of_kind, rejected_at) for kind, of_kind in by_kind.items() if of_kind)


def _funnel(
    kind: Literal["wild", "studio"], rows: Sequence[ManifestRow], rejected_at: Mapping[str, str]
) -> Funnel:
    refused: dict[str, list[str]] = {}
    for row in rows:
        if row.status == "quarantined":
            refused.setdefault(rejecting_stage(row, rejected_at), []).append(str(row.reason))
    # A stage that this list does not know still counts, so that the funnel always ends at the published.
    names = [*STAGES[kind][:-1], *sorted(refused.keys() - set(STAGES[kind])), STAGES[kind][-1]]
    stages, entered = [], len(rows)
    for name in names:
        reasons = count_reasons(refused.get(name, []))
        passed = entered - sum(reasons.values())
        stages.append(FunnelStage(stage=name, entered=entered, passed=passed, reasons=reasons))
        entered = passed
    return Funnel(kind=kind, sources=len(rows), stages=tuple(stages))
