"""The DAG as the documentation shows it: a drawing and a table, both from tasks/dag.py.

`python -m tasks.report.dag_page` writes docs/images/dag.svg and the table of docs/stages.md; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from tasks.chain import Chain, Node
from tasks.dag import ENCODING, MODELS, STUDIO, WILD
from tasks.report.card import markdown_table
from tasks.report.svg import element
from tasks.roles import PUBLISHED

DOCS = Path(__file__).resolve().parents[2] / "docs"
DRAWING = DOCS / "images" / "dag.svg"
CHAINS = (WILD, STUDIO, ENCODING)
TABLE = "dag table"
"""Name of the generated block, as its marks in the page say it."""

WIDTH, BOX, STEP, HEAD = 1360, (120, 30), 52, 44
"""Width of the drawing; a box; distance from box to box and from the title to the first box, px."""
MIDDLES = (400, 1020)
"""Middle of the left and of the right column, px."""
INK, PAPER, FRAME = "#1f2933", "#ffffff", "#3f6ad8"
CENTRED = {"text_anchor": "middle", "font_weight": "bold"}
OUTLINED = {"fill": PAPER, "stroke": FRAME}


def drawing() -> str:
    """Draw the chains from top to bottom: each stage with the files it takes (left) and gives (right)."""
    tops = (20, 20, 20 + HEAD + STEP * (len(STUDIO.nodes) + 3))
    parts = [
        part
        for chain, middle, top in zip(CHAINS, (MIDDLES[0], MIDDLES[1], MIDDLES[1]), tops, strict=True)
        for part in _chain(chain, middle, top)
    ]
    height = tops[0] + HEAD + STEP * (len(WILD.nodes) + 2)
    ground = element("rect", width=WIDTH, height=height, fill=PAPER)
    style = {"font_family": "sans-serif", "font_size": "13", "fill": INK}
    size = f"0 0 {WIDTH} {height}"
    svg = element("svg", ground, *parts, xmlns="http://www.w3.org/2000/svg", viewBox=size, **style)
    return f"{svg}\n"


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


def _chain(chain: Chain, middle: int, top: int) -> list[Markup]:
    """A title, the boxes of the chain between its two ends, and an arrow from each box to the next."""
    first, last = ("version", "training") if chain is ENCODING else ("scan", "publish")
    own = [role for role in chain.given if role not in MODELS and not role.startswith("vae_")]
    given = {role for node in chain for role in node.gives}
    rows = [(first, "", ", ".join(own)), *map(_row, chain)]
    rows.append((last, ", ".join(role for role in PUBLISHED if role in given), ""))
    title = element("text", f"{chain.kind} chain", x=middle, y=top + 14, **CENTRED)
    parts = [title]
    for number, (name, takes, gives) in enumerate(rows):
        y = top + HEAD + STEP * number
        parts += _box(name, takes, gives, middle=middle, y=y, last=number + 1 == len(rows))
    return parts


def _row(node: Node) -> tuple[str, str, str]:
    takes = [*node.takes, *(f"({role})" for role in node.may_take)]
    return node.name, ", ".join(takes), ", ".join(node.gives) or "values only"


def _box(name: str, takes: str, gives: str, *, middle: int, y: int, last: bool) -> list[Markup]:
    """One stage; takes to its left, gives to its right, an arrow below."""
    width, height = BOX
    baseline, gap = y + height // 2 + 4, width // 2 + 10
    parts = [
        element(
            "rect", x=middle - width // 2, y=y, width=width, height=height, rx=6, fill=PAPER, stroke=FRAME
        ),
        element("text", name, x=middle, y=baseline, text_anchor="middle", font_weight="bold"),
        element("text", takes, x=middle - gap, y=baseline, text_anchor="end", font_size="11"),
        element("text", gives, x=middle + gap, y=baseline, font_size="11"),
    ]
    if not last:
        start, end = y + height, y + STEP
        head = f"M{middle} {start}V{end - 2}M{middle - 5} {end - 8}L{middle} {end - 2}L{middle + 5} {end - 8}"
        parts.append(element("path", d=head, stroke=FRAME, fill="none"))
    return parts


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
    """Write the drawing, and the table into its page."""
    DRAWING.write_text(drawing())
    page = DOCS / "stages.md"
    page.write_text(insert(page.read_text(), TABLE, table()))


if __name__ == "__main__":
    main()
