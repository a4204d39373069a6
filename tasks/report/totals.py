"""The totals of a version: counts, splits, tools and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.samples.manifest import ManifestRow
from tasks.report.facts import BuildFacts
from tasks.report.text import duration, grouped


def build_totals(rows: Sequence[ManifestRow]) -> Mapping[str, str]:
    """Return the figures at the top of the page by label."""
    published = [row for row in rows if row.status == "published"]
    seconds = sum(row.frames / row.fps for row in published if row.frames and row.fps)
    return {
        "sources": grouped(len(rows)),
        "published": grouped(len(published)),
        "quarantined": grouped(len(rows) - len(published)),
        "frames": grouped(sum(row.frames or 0 for row in published)),
        "of video": duration(seconds),
        "with sound": grouped(sum(row.has_audio for row in published)),
        "subjects": grouped(len({row.subject_id for row in published})),
    }


def build_splits(published: Sequence[ManifestRow]) -> Mapping[str, Mapping[str, float]]:
    """Return clips, subjects and frames of each split, and the share of all frames, 0..1."""
    frames = sum(row.frames or 0 for row in published)
    return {
        split: {
            "clips": len(of_split),
            "subjects": len({row.subject_id for row in of_split}),
            "frames": sum(row.frames or 0 for row in of_split),
            "share": sum(row.frames or 0 for row in of_split) / max(frames, 1),
        }
        for split in ("train", "val", "test")
        for of_split in [[row for row in published if row.split == split]]
    }


def build_origin(facts: BuildFacts) -> list[tuple[str, str, str]]:
    """Return name, version and licence of each tool and model that the version was built with."""
    return [
        (name, facts.tools.get(name, "–"), facts.licences.get(name, "–"))
        for name in sorted(facts.tools.keys() | facts.licences.keys())
    ]
