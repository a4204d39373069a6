"""The DAG as the documentation shows it: a diagram and a table, both from tasks/dag.py.

`python -m tasks.report.dag_page` writes them into docs/architecture.md and docs/stages.md; a test compares.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from tasks.chain import Chain, Node
from tasks.dag import ENCODING, STUDIO, WILD
from tasks.report.card import markdown_table
from tasks.roles import PUBLISHED

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHAINS = (WILD, STUDIO, ENCODING)
DIAGRAM, TABLE = "dag diagram", "dag table"
"""Names of the generated blocks, as their marks in the pages say them."""


def diagram() -> str:
    """The chains as a Mermaid flow chart: a solid edge is a file that must be there, a dotted one may be."""
    lines = ["```mermaid", "flowchart LR"]
    for chain in CHAINS:
        lines += [f"  subgraph {chain.kind}", "    direction LR", *_edges(chain), "  end"]
    return "\n".join([*lines, "```"])


def table() -> str:
    """One line for each stage of each chain."""
    lines = [_line(chain, node) for chain in CHAINS for node in chain]
    return markdown_table(
        ("chain", "stage", "module", "takes", "may take", "gives", "values in the key", "skipped"), lines
    )


def insert(page: str, name: str, block: str) -> str:
    """The page with what stands between its marks of that name replaced.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if begin not in page or end not in page:
        raise ValueError(f"the page lacks the marks {begin!r} and {end!r}")
    head, tail = page.split(begin)[0], page.split(end)[1]
    return f"{head}{begin}\n{block}\n{end}{tail}"


def _edges(chain: Chain) -> list[str]:
    """One edge for each pair of stages, labelled with the roles that pass along it."""
    givers: dict[str, list[str]] = {}
    edges: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for node in chain:
        for roles, arrow in ((node.takes, "-->"), (node.may_take, "-.->")):
            for role in roles:
                for giver in givers.get(role, [_source(chain, role)]):
                    edges[giver, arrow, _box(chain, node.name)].append(role)
        for role in node.gives:
            # a stage that takes what it gives has changed it; else either stage may have given it
            before = [] if role in node.takes else givers.get(role, [])
            givers[role] = [*before, _box(chain, node.name)]
    for role in PUBLISHED if chain is not ENCODING else ():
        for giver in givers.get(role, []):
            edges[giver, "-->", f"{chain.kind}_publish([publish])"].append(role)
    return [
        f'    {giver} {arrow}|"{", ".join(roles)}"| {taker}' for (giver, arrow, taker), roles in edges.items()
    ]


def _box(chain: Chain, name: str) -> str:
    return f"{chain.kind}_{name}[{name}]"


def _source(chain: Chain, role: str) -> str:
    model = role in ("face_model", "face_landmarker") or role.startswith(("speech_", "vae_"))
    place = "models" if model else "version" if chain is ENCODING else "scan"
    return f"{chain.kind}_{place}([{place}])"


def _line(chain: Chain, node: Node) -> tuple[str, ...]:
    skipped = f"without `{node.skip.without}`: {node.skip.because}" if node.skip else ""
    roles = (node.takes, node.may_take, node.gives, node.reads)
    module = f"`{node.dotted.replace('.', '/')}.py`"
    return (
        chain.kind,
        node.name,
        module,
        *(", ".join(f"`{role}`" for role in some) for some in roles),
        skipped,
    )


def main() -> None:
    """Write both blocks into their pages."""
    for page, name, block in (("architecture.md", DIAGRAM, diagram()), ("stages.md", TABLE, table())):
        path = DOCS / page
        path.write_text(insert(path.read_text(), name, block))


if __name__ == "__main__":
    main()
