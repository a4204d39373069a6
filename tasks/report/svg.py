"""A small builder of inline SVG: escaped, deterministic, styled by the CSS classes of the page."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def number(value: float) -> str:
    """Format a coordinate with at most two decimals, the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def element(tag: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """Return an element. In attribute names "_" becomes "-", and a trailing "_" is dropped (class_)."""
    values = {name: value if isinstance(value, str) else number(value) for name, value in attributes.items()}
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"' for name, value in values.items()
    )
    return Markup(f"<{tag}{written}>{''.join(map(escape, children))}</{tag}>")


def drawing(*children: Markup, width: float, height: float, label: str, class_: str) -> Markup:
    """Return an <svg> that scales with its box; screen readers read `label` instead of it."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=label,
        class_=class_,
    )


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """Return the attribute `d` of a polyline through (x, y) points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + ("Z" if closed else "")


def text(content: str, x: float, y: float, *, class_: str, anchor: str = "start") -> Markup:
    """Return a line of text whose baseline starts, is centred or ends at (x, y)."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)
