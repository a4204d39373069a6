"""Choose the clips that a report draws if there are more than fit."""

from __future__ import annotations

from collections.abc import Sequence

from model.samples.manifest import ManifestRow


def choose_clips(published: Sequence[ManifestRow], max_clips: int) -> list[ManifestRow]:
    """Return all rows, or half with the largest landmark errors and half an even sample of the rest."""
    if len(published) <= max_clips:
        return list(published)
    by_error = sorted(published, key=lambda row: (-(row.landmark_nme or 0.0), row.clip_id))
    worst = {row.clip_id for row in by_error[: max_clips // 2]}
    rest = [row for row in published if row.clip_id not in worst]
    room = max_clips - len(worst)
    sample = {rest[(2 * index + 1) * len(rest) // (2 * room)].clip_id for index in range(room)}
    return [row for row in published if row.clip_id in worst | sample]
