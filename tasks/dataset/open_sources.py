"""Turn sources into clips: digest their files, set unreadable sources and duplicates aside."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tasks.engine.clip import Clip
from tasks.reasons import Rejected
from tasks.sources.digest import digest_files, digest_of_roles
from tasks.sources.duplicates import mark_duplicates
from tasks.sources.source import Catalogue, RejectedSource, Source

DIGEST_THREADS = 4
"""Threads that digest files. hashlib releases the interpreter's lock; more threads only wait for the disk."""


def open_sources(catalogue: Catalogue, models: Mapping[str, str]) -> tuple[list[Clip], list[RejectedSource]]:
    """(clips to build, every source that was refused before a stage ran).

    Args:
        catalogue: the result of the scan.
        models: role -> sha256 of the stored files that all clips share ("face_model" ...).
    """
    with ThreadPoolExecutor(DIGEST_THREADS) as threads:
        digested = list(threads.map(_digested, catalogue.sources))
    digests = {
        source.clip_id: found
        for source, found in zip(catalogue.sources, digested, strict=True)
        if isinstance(found, dict)
    }
    unreadable = [found for found in digested if isinstance(found, RejectedSource)]
    opened = [source for source in catalogue.sources if source.clip_id in digests]
    whole = {clip_id: digest_of_roles(found) for clip_id, found in digests.items()}
    kept, duplicates = mark_duplicates(opened, whole)
    clips = [_clip(source, digests[source.clip_id], models) for source in kept]
    return clips, [*catalogue.rejected, *unreadable, *duplicates]


def _digested(source: Source) -> dict[str, str] | RejectedSource:
    try:
        return digest_files(source)
    except Rejected as rejected:
        return RejectedSource.of(source, rejected.reason, rejected.detail)


def _clip(source: Source, digests: Mapping[str, str], models: Mapping[str, str]) -> Clip:
    return Clip(
        clip_id=source.clip_id,
        kind=source.kind,
        video_id=source.video_id,
        files={role: str(path) for role, path in source.files.items()},
        blobs={**models, **digests},
        values=source.values,
    )
