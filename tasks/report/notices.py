"""What in a version is untrained, synthetic or estimated, in plain sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from model.sample import ManifestRow
from tasks.report.facts import BuildFacts


def build_notices(rows: Sequence[ManifestRow], facts: BuildFacts) -> tuple[str, ...]:
    """What a reader would otherwise wrongly believe about this version."""
    published = [row for row in rows if row.status == "published"]
    return (*_synthetic(facts), *_speech(published), *_face_models(published), *_estimated(published))


def _synthetic(facts: BuildFacts) -> list[str]:
    return [
        f"Synthetic source: {source.label} ({_KIND[source.kind]}) was rendered by this project, not filmed."
        for source in facts.sources
        if source.synthetic
    ]


def _speech(published: Sequence[ManifestRow]) -> list[str]:
    models = Counter(row.speech_model for row in published if row.speech_model)
    return [
        f"Untrained speech model: the speech features of {_clips(clips)} come from “{model}”, random weights "
        "that hold no knowledge of speech. They have the right shape and nothing else."
        for model, clips in sorted(models.items())
        if model.startswith("untrained")
    ]


def _face_models(published: Sequence[ManifestRow]) -> list[str]:
    models = Counter(row.face_model for row in published if row.face_model)
    return [
        f"Builtin face model: {_clips(clips)} were fitted with “{model}”, a head that this project generates, "
        "not one learnt from scans. Its anatomy limits how true the depth is."
        for model, clips in sorted(models.items())
        if model.startswith("builtin")
    ]


def _estimated(published: Sequence[ManifestRow]) -> list[str]:
    wild = [row for row in published if row.kind == "wild"]
    if not wild:
        return []
    notices = [
        f"Estimated depth: the depth of {_clips(len(wild))} was rendered from a fitted face model, not measured."
    ]
    priors = sum(row.focal_observable is False for row in wild)
    if priors:
        notices.append(
            f"Assumed focal length: in {priors} of {_clips(len(wild))} the motion does not determine it; there "
            "the prior sets the distance from the camera."
        )
    return notices


def _clips(count: int) -> str:
    return f"{count} clip" if count == 1 else f"{count} clips"


_KIND = {"wild": "talking-head clips", "studio": "studio captures"}
