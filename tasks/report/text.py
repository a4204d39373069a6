"""Text from data made safe to look at: nothing invisible, nothing that acts."""

from __future__ import annotations

import re
import unicodedata

THIN_SPACE = "\u202f"
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories without a picture: controls, bidi overrides, surrogates, line separators."""


def visible(text: object) -> str:
    """The text with each character that has no picture written as its code: ESC -> ⟨U+001B⟩.

    Undecodable bytes of a file name arrive as lone surrogates; their codes keep the page valid UTF-8.
    """
    return "".join(
        f"⟨U+{ord(character):04X}⟩" if unicodedata.category(character) in UNSEEN else character
        for character in str(text)
    )


def code_span(text: object) -> str:
    """Markdown that shows the text literally, in tables too: no links, tags, emphasis or cell breaks."""
    shown = visible(text).replace("|", "⟨U+007C⟩")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest or not shown.strip() else ""
    return f"{fence}{padding}{shown}{padding}{fence}"


def code_block(text: str, *, language: str) -> str:
    """A fenced Markdown block that the text cannot end; lines stay lines."""
    shown = "\n".join(map(visible, text.split("\n")))
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


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
