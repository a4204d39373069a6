"""Make text from data safe to show: no invisible characters, no markup, no links."""

from __future__ import annotations

import re
import unicodedata

THIN_SPACE = "\u202f"
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories of invisible characters: controls, bidi overrides, surrogates, line separators."""


def visible(text: object) -> str:
    """Write each invisible character as its code, for example ESC as ⟨U+001B⟩.

    Bytes of a file name that are no UTF-8 arrive as lone surrogates; as codes they keep the page valid UTF-8.
    """
    return "".join(
        f"⟨U+{ord(character):04X}⟩" if unicodedata.category(character) in UNSEEN else character
        for character in str(text)
    )


def code_span(text: object) -> str:
    """Quote text as Markdown code, also inside tables: no links, tags, emphasis or cell breaks."""
    shown = visible(text).replace("|", "⟨U+007C⟩")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest or not shown.strip() else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def code_block(text: str, *, language: str) -> str:
    """Quote text as a fenced Markdown block with a fence that the text does not contain."""
    shown = "\n".join(map(visible, text.split("\n")))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def grouped(value: float) -> str:
    """Format a whole number in groups of three digits."""
    return f"{value:,.0f}".replace(",", THIN_SPACE)


def fixed(value: float | None, digits: int) -> str:
    """Format a number with a true minus sign; None becomes a dash."""
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", THIN_SPACE).replace("-", "−")


def duration(seconds: float) -> str:
    """Format seconds for reading: 48.2 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
