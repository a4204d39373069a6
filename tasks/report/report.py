"""report.html: one page without network and without script, in which data is only ever text."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from model.sample import ManifestRow
from tasks.report.choose_clips import choose_clips
from tasks.report.clip_figure import build_clip_figure
from tasks.report.draw_histograms import draw_histogram
from tasks.report.facts import BuildFacts, ClipFilesOf, StageTiming
from tasks.report.funnel import build_funnels, count_reasons, rejecting_stage
from tasks.report.histograms import FIGURES, build_histograms
from tasks.report.notices import build_notices
from tasks.report.text import visible

MAX_CLIPS = 24
"""A clip's pictures take up to 150 kB of the page."""
THIN_SPACE = "\u202f"


def build_report(
    rows: Sequence[ManifestRow], facts: BuildFacts, clip_files: ClipFilesOf, *, max_clips: int = MAX_CLIPS
) -> bytes:
    """The whole page as UTF-8; the same bytes for the same rows, facts and files.

    Args:
        rows: Every row of the manifest.
        facts: How the version was built.
        clip_files: Gives the files of a published clip; asked only for those that are drawn.
        max_clips: Clips with pictures; the others are listed by name.
    """
    published = [row for row in rows if row.status == "published"]
    chosen = choose_clips(published, max_clips)
    shown = {row.clip_id for row in chosen}
    page = _environment().get_template("report.html.j2")
    return page.render(
        facts=facts,
        notices=build_notices(rows, facts),
        totals=build_totals(rows),
        splits=build_splits(published),
        funnels=build_funnels(rows, facts.rejected_at),
        reasons=count_reasons([str(row.reason) for row in rows if row.status == "quarantined"]),
        refused=[(row, rejecting_stage(row, facts.rejected_at)) for row in rows if row.status == "quarantined"],
        shortened=[row for row in published if row.reason is not None],
        histograms=[(one, draw_histogram(one)) for one in build_histograms(rows, FIGURES)],
        timings=[TimingLine(timing, facts.timings) for timing in facts.timings],
        clips=[build_clip_figure(row, clip_files(row.clip_id)) for row in chosen],
        left_out=[row for row in published if row.clip_id not in shown],
        origin=build_origin(facts),
        settings_lines=json.dumps(dict(facts.settings), indent=2, sort_keys=True).split("\n"),
        quoted_name=shlex.quote(facts.name),
    ).encode()


def build_totals(rows: Sequence[ManifestRow]) -> Mapping[str, str]:
    """The figures at the top of the page, by label."""
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


def build_splits(published: Sequence[ManifestRow]) -> Mapping[str, Mapping[str, int]]:
    """Clips, subjects and frames of each split."""
    return {
        split: {
            "clips": len(of_split),
            "subjects": len({row.subject_id for row in of_split}),
            "frames": sum(row.frames or 0 for row in of_split),
        }
        for split in ("train", "val", "test")
        for of_split in [[row for row in published if row.split == split]]
    }


def build_origin(facts: BuildFacts) -> list[tuple[str, str, str]]:
    """Name, version and licence of each tool and model that the version was made with."""
    return [
        (name, facts.tools.get(name, "–"), facts.licences.get(name, "–"))
        for name in sorted(facts.tools.keys() | facts.licences.keys())
    ]


class TimingLine:
    """A stage's line in the throughput table."""

    def __init__(self, timing: StageTiming, timings: Sequence[StageTiming]) -> None:
        total = sum(one.cpu_s for one in timings)
        self.timing = timing
        self.frames_per_s = timing.frames / timing.cpu_s if timing.cpu_s else None
        """Frames per second of one core."""
        self.share = timing.cpu_s / total if total else 0.0
        """Part of the build's processor time, 0..1."""


def grouped(value: float) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,.0f}".replace(",", THIN_SPACE)


def fixed(value: float | None, digits: int) -> str:
    """A number with a true minus sign; a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", THIN_SPACE).replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds as people say them: 48.2 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Every value that is not our own drawing shows its control characters.
        finalize=_show,
    )
    environment.filters.update(grouped=grouped, fixed=fixed, duration=duration)
    return environment


def _show(value: Any) -> Any:
    return value if isinstance(value, Markup) else visible(value)
