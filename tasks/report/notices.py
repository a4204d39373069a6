"""Notices of a version: plain sentences that say what is untrained, synthetic or estimated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.samples.manifest import ManifestRow
from tasks.report.facts import BuildFacts

KIND_WORDS = {"wild": "talking-head clips", "studio": "studio captures"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A sentence. The part of it that is data is kept apart, so that each format can quote it safely."""

    before: str
    quoted: str = ""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}{self.quoted}{self.after}"


def build_notices(rows: Sequence[ManifestRow], facts: BuildFacts) -> tuple[Notice, ...]:
    """Return the notices that keep a reader from wrong conclusions about this version."""
    published = [row for row in rows if row.status == "published"]
    return (*_synthetic(facts), *_speech(published), *_face_models(published), *_estimated(published))


def _synthetic(facts: BuildFacts) -> list[Notice]:
    return [
        Notice(
            before="Synthetic source: ",
            quoted=source.label,
            after=f" ({KIND_WORDS[source.kind]}) was rendered by this project, not filmed.",
        )
        for source in facts.sources
        if source.synthetic
    ]


def _speech(published: Sequence[ManifestRow]) -> list[Notice]:
    return [
        Notice(
            before=f"Untrained speech model: the speech features of {_clips(clips)} come from ",
            quoted=name,
            after=", random weights that know nothing of speech. They have the right shape and no more.",
        )
        for name, clips in _names(published, lambda row: row.speech_model, prefix="untrained")
    ]


def _face_models(published: Sequence[ManifestRow]) -> list[Notice]:
    return [
        Notice(
            before=f"Builtin face model: {_clips(clips)} fitted with ",
            quoted=name,
            after=", a head that this project generates, not one learnt from scans. Its anatomy limits "
            "how true the depth is.",
        )
        for name, clips in _names(published, lambda row: row.face_model, prefix="builtin")
    ]


def _estimated(published: Sequence[ManifestRow]) -> list[Notice]:
    wild = [row for row in published if row.kind == "wild"]
    assumed = sum(row.focal_observable is False for row in wild)
    depth = (
        f"Estimated depth: for {_clips(len(wild))} it was rendered from a fitted face model, not measured."
    )
    focal = (
        f"Assumed focal length: in {assumed} of {_clips(len(wild))} the motion does not determine it, and a "
        "prior sets the distance from the camera."
    )
    return [Notice(before=text) for text, applies in ((depth, bool(wild)), (focal, bool(assumed))) if applies]


def _names(
    published: Sequence[ManifestRow], name: Callable[[ManifestRow], str | None], *, prefix: str
) -> list[tuple[str, int]]:
    """Count the clips by name, for names that begin with the prefix."""
    names = Counter(found for row in published if (found := name(row)) and found.startswith(prefix))
    return sorted(names.items())


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"
