"""Cache the pictures and latents that training reads: the encoding chain over the clips of a version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, PositiveInt

from model.samples.manifest import ManifestRow
from model.settings import Settings
from tasks.chain import Node
from tasks.dag import ENCODING
from tasks.dataset.plan import make_shards
from tasks.dataset.run_shards import run_shards
from tasks.engine.clip import Clip
from tasks.engine.run_stage import RunSettings
from tasks.engine.schedule import Schedule
from tasks.progress import StageProgress
from tasks.stages.cache_latents import LatentSettings
from tasks.stages.cache_pictures import PictureSettings
from tasks.store.blobs import Store
from tasks.weights.vae import find_vae

PICTURES, LATENTS = ENCODING.nodes


class EncodingSettings(Settings):
    """How clips are encoded; these settings change no result."""

    workers: PositiveInt = 2
    """Shards worked on at once, each in a process of its own."""
    shard_clips: PositiveInt = 500
    """Most clips of a shard."""
    run: RunSettings = RunSettings()
    """Limits of time and memory for each clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionEncoder:
    """Encode the clips that the ledger does not hold yet. The caller holds the build lock of the store."""

    store: Store
    settings: EncodingSettings
    progress: StageProgress

    def pictures(self, rows: Iterable[ManifestRow], settings: PictureSettings) -> dict[str, str]:
        """Return the sha256 of the pictures at training size by clip id.

        Raises:
            RuntimeError: a clip's videos could not be read.
        """
        clips = [_clip(row, {role: row.blobs[role] for role in PICTURES.takes}) for row in _published(rows)]
        return self._run(PICTURES, clips, settings=settings)

    def latents(
        self,
        rows: Iterable[ManifestRow],
        vae: Path,
        settings: LatentSettings,
        *,
        pictures: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Return the sha256 of the latents by clip id.

        Args:
            rows: rows of the version.
            vae: folder of an AutoencoderKL.
            settings: size of the pictures, device and batch.
            pictures: result of `pictures` at the same size with every frame; quicker to read than videos.

        Raises:
            FileNotFoundError: the VAE folder lacks a file.
            RuntimeError: a clip could not be encoded.
        """
        files = {role: self.store.put_file(path, move=False).sha256 for role, path in find_vae(vae).items()}
        clips = []
        for row in _published(rows):
            read = (
                {role: row.blobs[role] for role in PICTURES.takes}
                if pictures is None
                else {"pictures": pictures[row.clip_id]}
            )
            clips.append(_clip(row, {**read, **files}))
        return self._run(LATENTS, clips, settings=settings)

    def _run(self, node: Node, clips: list[Clip], *, settings: BaseModel) -> dict[str, str]:
        self.progress.begin(node.name, clips=len(clips))
        schedule = Schedule(self.settings.workers)
        try:
            results = run_shards(
                make_shards(clips, workers=self.settings.workers, largest=self.settings.shard_clips),
                (node,),
                schedule=schedule,
                store_root=self.store.root,
                settings={node.name: settings},
                run=self.settings.run,
                retries=0,
                progress=self.progress,
            )
            done = [clip for shard in schedule.collect(results) for clip in shard]
        except BaseException:  # Ctrl-C among them
            schedule.abandon()
            raise
        finally:
            schedule.close()
        failed = [clip for clip in done if clip.reason]
        if failed:
            raise RuntimeError(
                f"{node.name}: {len(failed)} of {len(done)} clips failed, first {failed[0].clip_id}: "
                f"{failed[0].reason}: {failed[0].detail}"
            )
        (role,) = node.gives
        return {clip.clip_id: clip.blobs[role] for clip in done}


def _published(rows: Iterable[ManifestRow]) -> list[ManifestRow]:
    return [row for row in rows if row.status == "published"]


def _clip(row: ManifestRow, blobs: dict[str, str]) -> Clip:
    return Clip(
        clip_id=row.clip_id,
        kind=row.kind,
        video_id=row.clip_id,
        files={},
        blobs=blobs,
        values={name: getattr(row, name) for name in PICTURES.reads},
    )
