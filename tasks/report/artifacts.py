"""Publish the funnel, the tables and the card of a version as Prefect artifacts of the running flow."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

from model.samples.manifest import ManifestRow
from tasks.report.card import build_card
from tasks.report.cost import build_cost
from tasks.report.facts import BuildFacts, StageTiming
from tasks.report.funnel import build_funnels, rejecting_stage
from tasks.report.text import visible

Table = list[dict[str, str | int | float]]

MOST_LINES = 1000
"""Most lines of a table: Prefect keeps an artifact as one JSON value. report.html has the whole list."""


def funnel_table(rows: Sequence[ManifestRow], facts: BuildFacts) -> Table:
    """Return a line for each kind of source and stage: how many entered, how many left, and why."""
    return [
        {
            "kind": funnel.kind,
            "stage": stage.stage,
            "in": stage.entered,
            "out": stage.passed,
            "refused": ", ".join(f"{reason} {count}" for reason, count in stage.reasons.items()),
        }
        for funnel in build_funnels(rows, facts.rejected_at)
        for stage in funnel.stages
    ]


def refused_table(rows: Sequence[ManifestRow], facts: BuildFacts) -> Table:
    """Return up to MOST_LINES quarantined sources with stage, reason and detail."""
    refused = [row for row in rows if row.status == "quarantined"]
    return [
        {
            "source": visible(row.source_name),
            "stage": rejecting_stage(row, facts.rejected_at),
            "reason": str(row.reason),
            "in words": visible(row.detail or ""),
            "clip id": row.clip_id,
        }
        for row in refused[:MOST_LINES]
    ]


def throughput_table(timings: Sequence[StageTiming]) -> Table:
    """Return what each stage computed, what it reused and what it cost."""
    return [
        {
            "stage": line.timing.stage,
            "computed": line.timing.clips,
            "reused": line.timing.reused,
            "frames": line.timing.frames,
            "processor s": round(line.timing.cpu_s, 2),
            "elapsed s": round(line.timing.wall_s, 2),
            "frames/s per core": round(line.frames_per_s or 0.0, 1),
        }
        for line in build_cost(timings).lines
    ]


def publish_artifacts(rows: Sequence[ManifestRow], facts: BuildFacts) -> None:
    """Attach the tables and the card to the flow run; outside a flow run this does nothing.

    The keys begin with the name of the dataset, so that the page lists its versions one below the other.
    """
    if FlowRunContext.get() is None:
        return
    key = re.sub("[^a-z0-9]+", "-", facts.name.lower()).strip("-")
    version = f"{facts.name} version {facts.number}"
    create_markdown_artifact(build_card(rows, facts), key=f"{key}-card", description=f"{version}: card.md")
    tables = {
        "funnel": (
            funnel_table(rows, facts),
            "sources that each stage took on, and why it refused the others",
        ),
        "refused": (refused_table(rows, facts), "each source that was not published"),
        "throughput": (throughput_table(facts.timings), "what each stage computed, reused and cost"),
    }
    for name, (table, description) in tables.items():
        if table:
            create_table_artifact(table, key=f"{key}-{name}", description=f"{version}: {description}")
