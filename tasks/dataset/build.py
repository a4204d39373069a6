"""The steps of the flow `build-dataset`, and what a build knows while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.chain import Chain
from tasks.dag import data_stages
from tasks.dataset.known_recipes import stage_recipes
from tasks.dataset.models import ModelFiles, store_models
from tasks.dataset.open_sources import open_sources
from tasks.dataset.plan import run_forward
from tasks.dataset.record import BuildRecord
from tasks.dataset.rows import all_rows
from tasks.dataset.settings import BuildSettings
from tasks.dataset.source_facts import catalogue_digest, source_facts
from tasks.engine.clip import Clip
from tasks.progress import StageProgress
from tasks.sources.scan import scan_sources, source_flags
from tasks.sources.source import Catalogue, RejectedSource, Source
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
    """Number of the latest version at the time when the build began; 0 if there was none."""
    key: str
    """Digest of everything that the whole build depends on."""

    @property
    def unchanged(self) -> Published | None:
        """The latest version, if this build would publish the same one again."""
        return find_build(self.store, self.settings.name, self.key)


@task(task_run_name="scan", cache_policy=NO_CACHE, persist_result=False)
def scan(settings: BuildSettings) -> Catalogue:
    """List every source of a build.

    Raises:
        ValueError: a source list is wrong, or there is no source; nothing was built.
    """
    catalogue = scan_sources(settings)
    if not catalogue.sources and not catalogue.rejected:
        raise ValueError(f"no sources: give {source_flags()}")
    source_facts(settings)  # a bad source.json stops before work starts
    return catalogue


@contextmanager
def open_build(settings: BuildSettings, catalogue: Catalogue) -> Iterator[Build]:
    """Digest the sources, store the models and hold the store against garbage collection.

    Raises:
        ValueError: a setting or a model file is wrong; nothing was built.
    """
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
    """Record everything that the rows will depend on, before any stage has run."""
    recipes = stage_recipes(store, data_stages(), settings.stages.by_name())
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


def run_stages(build: Build, chains: Iterable[Chain], progress: StageProgress) -> list[Clip]:
    """Take every clip through the chain of its kind; what the ledger holds is not submitted."""
    # here and not above: a build with nothing to do loads neither worker pool nor report
    from tasks.dataset.run_pending import Pending, run_pending

    finished: list[Clip] = []
    pending: list[Pending] = []
    for chain in chains:
        of_kind = [clip for clip in build.clips if clip.kind == chain.kind]
        done, left = run_forward(of_kind, chain, build.settings.stages.by_name(), build.store)
        finished += done
        pending.append(Pending(nodes=chain.nodes, clips=left))
    return finished + run_pending(
        pending, settings=build.settings, store_root=build.store.root, progress=progress
    )


@task(task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish_version(build: Build, clips: list[Clip]) -> Published:
    """Publish a row for every source, and remember the build where every verdict is final."""
    from tasks.dataset.publish_rows import publish_rows  # here for the same reason

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
    """Count the rows of a version: (published, quarantined by reason)."""
    counts = read_lock(store, name, number=number).counts
    refused = {
        key.removeprefix(QUARANTINED): count for key, count in counts.items() if key.startswith(QUARANTINED)
    }
    return counts.get("published", 0), dict(sorted(refused.items()))
