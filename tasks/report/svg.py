"""A small builder of inline SVG: escaped, deterministic, styled by the page's own CSS classes."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def number(value: float) -> str:
    """At most two decimals, the same text on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def element(tag: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """One element; attribute names take '-' for '_' and lose a trailing '_' (class_)."""
    values = {name: value if isinstance(value, str) else number(value) for name, value in attributes.items()}
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"' for name, value in values.items()
    )
    return Markup(f"<{tag}{written}>{''.join(map(escape, children))}</{tag}>")


def drawing(*children: Markup, width: float, height: float, label: str, class_: str) -> Markup:
    """An <svg> that scales with its box; `label` is read aloud instead of it."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=label,
        class_=class_,
    )


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of a polyline through (x, y) points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


def text(content: str, x: float, y: float, *, class_: str, anchor: str = "start") -> Markup:
    """A line of text whose baseline starts, centres or ends at (x, y)."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)
