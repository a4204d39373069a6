"""Run the stages of published clips again in a scratch store, to compare them with the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from model.samples.manifest import ManifestRow
from model.settings import Record
from tasks import dag
from tasks.chain import Node
from tasks.engine.clip import Clip, FinishedStage
from tasks.engine.run_stage import RunSettings, run_stage
from tasks.reasons import Rejected
from tasks.sources.digest import digest_source
from tasks.stage import Json, load_stage
from tasks.store.actions import read_action, record_action
from tasks.store.blobs import Store
from tasks.store.recipes import Recipe, recipe_of
from tasks.store.verify import Rerun
from tasks.store.versions import Provenance, Version, read_provenance

SOURCES_PAGE = "sources.json"
"""File of a version that says where the sources were at the time of the build."""


class SourcePlace(Record):
    """Where the source files of a clip are on this machine; not part of the root of the version."""

    video_id: str
    values: dict[str, Json]
    """Values that the source list gave for the clip."""
    files: dict[str, str]
    """Absolute path by role."""
    blobs: dict[str, str]
    """sha256 of these files by role."""


_PLACES = TypeAdapter(dict[str, SourcePlace])


def sources_page(clips: Iterable[Clip]) -> bytes:
    """Write sources.json for clips as they were opened."""
    places = {
        clip.clip_id: SourcePlace(
            video_id=clip.video_id,
            values=clip.values,
            files=clip.files,
            blobs={role: clip.blobs[role] for role in clip.files},
        )
        for clip in clips
    }
    # not pydantic's own JSON: file names may hold bytes that are no UTF-8, which only json escapes
    return json.dumps(_PLACES.dump_python(places), indent=1, sort_keys=True).encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputation:
    """Recompute clips of a published version from their sources."""

    store: Store
    version: Version
    run: RunSettings

    def rerun(self, chosen: Sequence[str], *, scratch: Store) -> Rerun:
        """Run all stages of the chosen clips again, with the version's settings and today's code and tools.

        For a clip whose source files are gone, the stages that read them are taken over from the ledger.
        """
        provenance = read_provenance(self.store, self.version.lock)
        recipes = dict(self.version.lock.recipes)
        for digest in self.version.lock.models.values():
            scratch.put_file(self.store.checked_blob(digest), move=False)
        clips = [self._opened(clip_id, provenance, scratch) for clip_id in self._with_siblings(chosen)]
        for chain in (dag.WILD, dag.STUDIO):
            of_kind = [clip for clip in clips if clip.kind == chain.kind]
            others = [clip for clip in clips if clip.kind != chain.kind]
            for node in chain:
                recipe = self._recipe_of_today(node)
                recipes[recipe.digest] = recipe
                of_kind = run_stage.fn(
                    node,
                    of_kind,
                    label="",
                    store_root=scratch.root,
                    settings=load_stage(node.dotted).settings_type.model_validate(recipe.settings),
                    run=self.run,
                )
            clips = others + of_kind
        steps = {clip.clip_id: tuple((step.stage, step.key) for step in clip.steps) for clip in clips}
        return Rerun(store=scratch, actions={one: steps[one] for one in chosen}, recipes=recipes)

    @property
    def _places(self) -> Mapping[str, SourcePlace]:
        return _PLACES.validate_python(json.loads((self.version.folder / SOURCES_PAGE).read_bytes()))

    def _with_siblings(self, chosen: Sequence[str]) -> list[str]:
        """Add all other clips of the same source videos, because they share a focal length."""
        places = self._places
        videos = {places[clip_id].video_id for clip_id in chosen}
        return [clip_id for clip_id, place in places.items() if place.video_id in videos]

    def _recipe_of_today(self, node: Node) -> Recipe:
        stage = load_stage(node.dotted)
        locked = next(recipe for recipe in self.version.lock.recipes.values() if recipe.stage == node.name)
        return recipe_of(stage, stage.settings_type.model_validate(locked.settings))

    def _opened(self, clip_id: str, provenance: Provenance, scratch: Store) -> Clip:
        place, row = self._places[clip_id], self._row(clip_id)
        clip = Clip(
            clip_id=clip_id,
            kind=row.kind,
            video_id=place.video_id,
            files=place.files,
            blobs={**self.version.lock.models, **place.blobs},
            values=place.values,
        )
        if _is_there(place):
            return clip
        return self._without_source(clip, provenance.actions[clip_id], scratch)

    def _without_source(self, clip: Clip, steps: Iterable[tuple[str, str]], scratch: Store) -> Clip:
        """Return the clip after the stages that read its source files, taken over from the ledger."""
        for stage_name, key in steps:
            action = read_action(self.store, key)
            # the first stage that reads no source file is run again, and all stages after it
            if action is None or not set(action.inputs) & set(clip.files):
                break
            for blob in action.outputs.values():
                scratch.put_file(self.store.checked_blob(blob.sha256), move=False)
            record_action(scratch, action)
            made = {role: blob.sha256 for role, blob in action.outputs.items()}
            step = FinishedStage(stage=stage_name, key=key, reused=True, wall_s=0.0, cpu_s=0.0)
            if action.reason:
                return clip.rejected(action.reason, action.detail or "", step)
            clip = clip.after(step, blobs=made, values=action.values)
        own = set(clip.files)
        return clip.model_copy(
            update={"blobs": {role: digest for role, digest in clip.blobs.items() if role not in own}}
        )

    def _row(self, clip_id: str) -> ManifestRow:
        return next(row for row in self.version.rows if row.clip_id == clip_id)


def _is_there(place: SourcePlace) -> bool:
    try:
        return all(digest_source(Path(path)) == place.blobs[role] for role, path in place.files.items())
    except Rejected:
        return False
