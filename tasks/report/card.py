"""card.md: what a dataset version is, for whoever finds it later. Without dates: same version, same bytes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence

from model.samples.manifest import ManifestRow
from tasks.report.facts import BuildFacts
from tasks.report.funnel import count_reasons
from tasks.report.notices import Notice, build_notices
from tasks.report.text import code_block, code_span, visible
from tasks.report.totals import build_origin, build_splits, build_totals
from tasks.roles import BY_NAME


def build_card(rows: Sequence[ManifestRow], facts: BuildFacts) -> str:
    """Write the card as Markdown. Data appears in code spans and code blocks only, never as markup."""
    parts = [
        f"# {code_span(facts.name)}, version {facts.number}",
        f"Portrait clips with depth, made by portrait-rgbd. Merkle root `{facts.root}`.",
        _change(facts),
        _notices(build_notices(rows, facts)),
        "## Counts",
        _counts(rows),
        _reasons(rows),
        "## Splits",
        "By subject: no person is in two splits. A later version of this name moves nobody.",
        _splits(rows),
        "## Files",
        "`manifest.parquet` has one row per source, published or quarantined; pyarrow and Hugging Face "
        "`datasets` read it. Its column `blobs` gives the sha256 of each file by role.",
        markdown_table(("role", "holds"), _files(rows)),
        "## Sources and licences",
        markdown_table(
            ("source", "kind", "origin", "licence"),
            [
                (code_span(s.label), s.kind, "synthetic" if s.synthetic else "filmed", code_span(s.licence))
                for s in facts.sources
            ],
        ),
        markdown_table(
            ("tool or model", "version", "licence"),
            [tuple(map(code_span, line)) for line in build_origin(facts)],
        ),
        "## Settings",
        code_block(json.dumps(dict(facts.settings), indent=2, sort_keys=True), language="json"),
        "## Verify, inspect, rebuild",
        "`S` is the store that holds this version. The same sources, settings and tools give the same root.",
        code_block(_commands(facts), language="sh"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Format a table whose cells are Markdown already; without lines the result is empty."""
    body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *body]) if body else ""


def _notices(notices: Sequence[Notice]) -> str:
    lines = [f"- {n.before}{code_span(n.quoted) if n.quoted else ''}{n.after}" for n in notices]
    return "\n".join(["## What this version is not", "", *lines]) if lines else ""


def _change(facts: BuildFacts) -> str:
    change = facts.change
    if change is None:
        return "The first version of this name."
    return (
        f"Against version {change.previous_number} (`{change.previous_root[:12]}`): {change.added} added, "
        f"{change.removed} removed, {change.changed} changed, {change.unchanged} as before."
    )


def _counts(rows: Sequence[ManifestRow]) -> str:
    totals = build_totals(rows)
    return markdown_table(tuple(totals), [tuple(totals.values())])


def _reasons(rows: Sequence[ManifestRow]) -> str:
    reasons = count_reasons([str(row.reason) for row in rows if row.status == "quarantined"])
    return markdown_table(
        ("quarantined for", "sources"), [(code_span(reason), str(n)) for reason, n in reasons.items()]
    )


def _splits(rows: Sequence[ManifestRow]) -> str:
    splits = build_splits([row for row in rows if row.status == "published"])
    return markdown_table(
        ("split", "clips", "subjects", "frames"),
        [
            (split, str(one["clips"]), str(one["subjects"]), str(one["frames"]))
            for split, one in splits.items()
        ],
    )


def _files(rows: Sequence[ManifestRow]) -> list[tuple[str, str]]:
    roles = sorted({role for row in rows for role in row.blobs})
    return [(code_span(role), BY_NAME[role].holds) for role in roles]


def _commands(facts: BuildFacts) -> str:
    name = visible(shlex.quote(facts.name))
    return "\n".join(
        [
            f"portrait-rgbd verify-dataset --store S --name {name}",
            f"portrait-rgbd show-clip --store S --name {name} --clip CLIP_ID --out DIR",
            f"portrait-rgbd diff-datasets --store S --name {name}",
            f"portrait-rgbd build-dataset --store S --name {name} --clips FOLDER   # with the settings above",
        ]
    )
