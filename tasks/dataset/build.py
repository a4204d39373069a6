"""One build in progress: what was found, what is already known, and the three steps of the flow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tasks.dataset.known_recipes import stage_recipes
from tasks.dataset.models import ModelFiles, store_models
from tasks.dataset.open_sources import open_sources
from tasks.dataset.plan import run_forward
from tasks.dataset.record import BuildRecord
from tasks.dataset.rows import all_rows
from tasks.dataset.settings import BuildSettings
from tasks.dataset.source_facts import catalogue_digest, source_facts
from tasks.engine.clip import Clip
from tasks.engine.registry import STUDIO_STAGES, WILD_STAGES
from tasks.progress import StageProgress
from tasks.sources.scan import scan_sources
from tasks.sources.source import RejectedSource, Source
from tasks.store.actions import TRANSIENT
from tasks.store.blobs import Store
from tasks.store.build_memo import build_key, find_build, remember_build
from tasks.store.locks import build_lock
from tasks.store.splits import assign_splits, previous_splits
from tasks.store.versions import QUARANTINED, Published, latest_number, read_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Everything a build knows before its first stage."""

    store: Store
    settings: BuildSettings
    models: ModelFiles
    sources: dict[str, Source]
    clips: list[Clip]
    rejected: list[RejectedSource]
    record: BuildRecord
    base: int
    """Number of the latest version when the build began."""
    key: str
    """Names all that the whole build depends on."""

    @property
    def unchanged(self) -> Published | None:
        """The version that this build would publish again."""
        return find_build(self.store, self.settings.name, self.key)


@contextmanager
def open_build(settings: BuildSettings) -> Iterator[Build]:
    """Scan the sources, store the models and hold the store against garbage collection.

    Raises:
        ValueError: a setting or a source list is wrong; nothing was built.
    """
    catalogue = scan_sources(settings)
    if not catalogue.sources and not catalogue.rejected:
        raise ValueError("no sources: give --clips, --studio, --hdtf, --vfhq, --multiface or --facescape")
    source_facts(settings)  # a bad source.json stops before work starts
    store = Store.create(settings.store)
    with build_lock(store):
        base = latest_number(store, settings.name)
        models = store_models(
            store,
            face_model=settings.face_model,
            face_landmarker=settings.face_landmarker,
            speech_model=settings.speech_model,
            run=settings.run,
        )
        clips, rejected = open_sources(catalogue, models.blobs)
        sources = {source.clip_id: source for source in catalogue.sources}
        record = _record(store, settings, models, clips, rejected, sources)
        yield Build(
            store=store,
            settings=settings,
            models=models,
            sources=sources,
            clips=clips,
            rejected=rejected,
            record=record,
            base=base,
            key=build_key(settings.name, facts=record.model_dump(mode="json")),
        )


def _record(
    store: Store,
    settings: BuildSettings,
    models: ModelFiles,
    clips: list[Clip],
    rejected: list[RejectedSource],
    sources: dict[str, Source],
) -> BuildRecord:
    """All that the rows will depend on, before any stage has run."""
    recipes = stage_recipes(store, settings.stages.by_name())
    subjects = {clip_id: source.subject_id for clip_id, source in sources.items()}
    return BuildRecord(
        name=settings.name,
        settings={
            "stages": settings.stages.model_dump(mode="json"),
            "splits": settings.splits.model_dump(mode="json"),
        },
        models=models.blobs,
        catalogue=catalogue_digest(clips, rejected, subjects),
        recipes={recipe.digest: recipe for recipe in recipes},
        face_model=models.face_model,
        sources=source_facts(settings),
        licences=models.licences,
    )


def run_stages(build: Build, progress: StageProgress) -> list[Clip]:
    """Every clip through its stages; what the ledger holds is not submitted."""
    # here and not above: a build with nothing to do loads neither worker pool nor report
    from tasks.dataset.run_pending import Pending, run_pending

    finished: list[Clip] = []
    pending: list[Pending] = []
    for kind, stages in (("wild", WILD_STAGES), ("studio", STUDIO_STAGES)):
        of_kind = [clip for clip in build.clips if clip.kind == kind]
        done, left = run_forward(of_kind, stages, build.settings.stages.by_name(), build.store)
        finished += done
        pending.append(Pending(stages=stages, clips=left))
    return finished + run_pending(
        pending, settings=build.settings, store_root=build.store.root, progress=progress
    )


def finish_build(build: Build, clips: list[Clip]) -> Published:
    """Publish the rows, and remember the build where every verdict is final."""
    from tasks.dataset.publish_version import publish_rows  # likewise

    subjects = {source.subject_id for source in [*build.sources.values(), *build.rejected]}
    splits = assign_splits(
        sorted(subjects),
        previous=previous_splits(build.store, build.settings.name),
        settings=build.settings.splits,
    )
    rows = all_rows(clips, build.rejected, build.sources, splits, face_model=build.models.face_model)
    published = publish_rows(
        build.store,
        build.record,
        rows=rows,
        clips=clips,
        splits=splits,
        opened=build.clips,
        report_clips=build.settings.report_clips,
        workers=build.settings.workers,
        base=build.base,
    )
    if not any(clip.reason in TRANSIENT for clip in clips):
        remember_build(build.store, build.key, root=published.root)
    return published


def count_rows(store: Store, name: str, number: int) -> tuple[int, dict[str, int]]:
    """(published, quarantined by reason) of a version."""
    counts = read_lock(store, name, number=number).counts
    refused = {
        key.removeprefix(QUARANTINED): count for key, count in counts.items() if key.startswith(QUARANTINED)
    }
    return counts.get("published", 0), dict(sorted(refused.items()))
