"""report.html: a self-contained page without script, in which data is always text and never markup."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from model.samples.manifest import ManifestRow
from tasks.report.choose_clips import choose_clips
from tasks.report.clip_figure import ClipFigure, build_clip_figure
from tasks.report.cost import build_cost
from tasks.report.draw_histograms import draw_histogram
from tasks.report.facts import BuildFacts, ClipFilesOf
from tasks.report.funnel import build_funnels, count_reasons, rejecting_stage
from tasks.report.histograms import build_histograms
from tasks.report.notices import build_notices
from tasks.report.quality_figures import FIGURES
from tasks.report.text import duration, fixed, grouped, visible
from tasks.report.totals import build_origin, build_splits, build_totals

MAX_CLIPS = 24
"""Clips with pictures; the pictures of a clip take up to 150 kB of the page."""


def build_report(
    rows: Sequence[ManifestRow],
    facts: BuildFacts,
    clip_files: ClipFilesOf,
    *,
    max_clips: int = MAX_CLIPS,
    workers: int = 1,
) -> bytes:
    """Build the page as UTF-8. The same rows, facts and files give the same bytes.

    Args:
        rows: all rows of the manifest.
        facts: how the version was built.
        clip_files: returns the files of a published clip; called only for clips that are drawn.
        max_clips: number of clips with pictures; the others are listed by name.
        workers: number of clips that are drawn at the same time.
    """
    published = [row for row in rows if row.status == "published"]
    # Moving clips first.
    chosen = sorted(choose_clips(published, max_clips), key=lambda row: row.kind == "studio")
    shown = {row.clip_id for row in chosen}
    page = page_environment().get_template("report.html.j2")
    return page.render(
        facts=facts,
        notices=build_notices(rows, facts),
        totals=build_totals(rows),
        splits=build_splits(published),
        funnels=build_funnels(rows, facts.rejected_at),
        reasons=count_reasons([str(row.reason) for row in rows if row.status == "quarantined"]),
        refused=[
            (row, rejecting_stage(row, facts.rejected_at)) for row in rows if row.status == "quarantined"
        ],
        shortened=[row for row in published if row.reason is not None],
        histograms=[(one, draw_histogram(one)) for one in build_histograms(rows, FIGURES)],
        timings=facts.timings,
        cost=build_cost(facts.timings),
        clips=_draw(chosen, clip_files, workers=workers),
        left_out=[row for row in published if row.clip_id not in shown],
        origin=build_origin(facts),
        settings_lines=json.dumps(dict(facts.settings), indent=2, sort_keys=True).split("\n"),
        quoted_name=shlex.quote(facts.name),
    ).encode()


def _draw(rows: Sequence[ManifestRow], clip_files: ClipFilesOf, *, workers: int) -> list[ClipFigure]:
    # threads: nearly all of the time goes to ffmpeg and OpenCV, which leave Python alone
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(lambda row: build_clip_figure(row, clip_files(row.clip_id)), rows))


def page_environment() -> Environment:
    """Return the templates, with everything escaped that comes from data."""
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
