"""Latents and pictures of a version's clips: cached stages over its rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from model.sample import ManifestRow
from tasks.cache_latents import LatentSettings
from tasks.cache_pictures import PictureSettings
from tasks.clip_pictures import READS
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings, run_stage
from tasks.store.blobs import Store
from tasks.vae_files import find_vae

LATENTS_STAGE, PICTURES_STAGE = "tasks.cache_latents", "tasks.cache_pictures"


def version_latents(
    rows: Iterable[ManifestRow], vae: Path, *, store: Store, settings: LatentSettings, run: RunSettings
) -> dict[str, str]:
    """Clip id -> sha256 of its latents; what the ledger holds for this VAE and these settings is reused.

    Raises:
        FileNotFoundError: the VAE folder lacks a file.
        RuntimeError: a clip could not be encoded.
    """
    files = {role: store.put_file(path, move=False).sha256 for role, path in find_vae(vae).items()}
    return _over(rows, LATENTS_STAGE, files, store=store, settings=settings, run=run, role="latents")


def version_pictures(
    rows: Iterable[ManifestRow], *, store: Store, settings: PictureSettings, run: RunSettings
) -> dict[str, str]:
    """Clip id -> sha256 of its pictures at training size, reused likewise.

    Raises:
        RuntimeError: a clip's videos could not be read.
    """
    return _over(rows, PICTURES_STAGE, {}, store=store, settings=settings, run=run, role="pictures")


def _over(
    rows: Iterable[ManifestRow],
    stage: str,
    models: dict[str, str],
    *,
    store: Store,
    settings: BaseModel,
    run: RunSettings,
    role: str,
) -> dict[str, str]:
    clips = [
        Clip(
            clip_id=row.clip_id,
            kind=row.kind,
            video_id=row.clip_id,
            files={},
            blobs={**row.blobs, **models},
            values={name: getattr(row, name) for name in READS},
        )
        for row in rows
        if row.status == "published"
    ]
    # the engine's function without its task: progress is the caller's
    done = run_stage.fn(stage, clips, label="", store_root=store.root, settings=settings, run=run)
    failed = [clip for clip in done if clip.reason]
    if failed:
        raise RuntimeError(
            f"{stage}: {len(failed)} of {len(done)} clips failed, first {failed[0].clip_id}: "
            f"{failed[0].reason}: {failed[0].detail}"
        )
    return {clip.clip_id: clip.blobs[role] for clip in done}
