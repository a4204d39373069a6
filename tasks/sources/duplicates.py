"""Sources of the same content: the first by name is kept, every other one becomes a row `duplicate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks.reasons import Reason
from tasks.sources.source import RejectedSource, Source


def mark_duplicates(
    sources: Iterable[Source], digests: Mapping[str, str]
) -> tuple[tuple[Source, ...], tuple[RejectedSource, ...]]:
    """Divide sources into (kept, duplicates), by content and interval.

    Args:
        sources: in any order.
        digests: clip id -> sha256 (digest_of_roles); a source without a digest is kept.
    """
    first: dict[tuple[str, float | None, float | None], Source] = {}
    kept: list[Source] = []
    duplicates: list[RejectedSource] = []
    # sorted, so that which one is kept does not depend on the order in which folders were listed
    for source in sorted(sources, key=lambda source: (source.source_name, source.subset)):
        if source.clip_id not in digests:
            kept.append(source)
            continue
        # two intervals of one video have the same digest and are two clips
        original = first.setdefault((digests[source.clip_id], *source.interval), source)
        if original is source:
            kept.append(source)
        else:
            detail = f"same content as {original.source_name!r} ({original.clip_id})"
            duplicates.append(RejectedSource.of(source, Reason.DUPLICATE, detail))
    return tuple(kept), tuple(duplicates)
