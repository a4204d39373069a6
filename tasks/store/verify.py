"""Verify a version: hash files, rows, blobs and ledger again, and run stages again if asked.

Damaged blobs are moved to quarantine/, so that the next build recomputes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.settings import Record
from tasks.store.actions import TRANSIENT, Action, read_action
from tasks.store.blobs import Blob, CorruptBlob, Store
from tasks.store.explain import History, explain, same_outcome
from tasks.store.first_difference import first_difference
from tasks.store.recipes import Recipe
from tasks.store.rows import merkle_root
from tasks.store.versions import (
    CorruptVersion,
    Provenance,
    Version,
    checked_file,
    find_number,
    read_entry,
    read_provenance,
    read_version,
    version_folder,
    version_numbers,
)

Steps = tuple[tuple[str, str], ...]
"""Stage and action key of each stage that ran, in order."""


class Finding(Record):
    """A difference from what was published."""

    kind: str
    """Kind of thing that differs: version, rows, blob, action or stage."""
    clip_id: str | None = None
    stage: str | None = None
    """First stage whose outcome differs."""
    detail: str


class Verification(Record):
    """What was checked, and the findings; a sound version has none."""

    name: str
    number: int
    root: str | None = None
    """Root of the version; None if its files are too damaged to tell."""
    blobs: int = 0
    actions: int = 0
    recomputed: int = 0
    """Number of clips whose stages were run again."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """Result of running the stages of some clips again."""

    store: Store
    """Separate store of the rerun, so that nothing was looked up."""
    actions: Mapping[str, Steps]
    """Stages and action keys by clip id."""
    recipes: Mapping[str, Recipe]


Recompute = Callable[[Sequence[str]], Rerun]
"""Runs all stages of the clips with the given ids again."""


def verify_version(
    store: Store,
    name: str,
    *,
    number: int | None = None,
    recompute: Recompute | None = None,
    sample: int | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Check a version; default: the latest.

    Args:
        store: store of the version.
        name: name of the dataset.
        number: number of the version.
        recompute: runs clips again, for the comparison with the ledger.
        sample: number of clips to recompute; None = all.
        advance: called with the size of every blob after it was hashed, for a progress bar.
    """
    number = find_number(store, name) if number is None else number
    findings = [*_check_numbers(store, name), *_check_files(store, name, number)]
    try:
        version = read_version(store, name, number=number)
        provenance = read_provenance(store, version.lock)
    except (CorruptVersion, CorruptBlob) as damage:
        findings = findings or [Finding(kind="version", detail=str(damage))]
        return Verification(name=name, number=number, findings=tuple(findings))
    actions = _read_actions(store, provenance)
    sizes = _all_sizes(provenance, actions)
    findings += _check_rows(version)
    findings += _check_blobs(store, sizes, advance)
    findings += _check_actions(version, provenance, actions)
    chosen = draw_sample(provenance, sample) if recompute else []
    if recompute:
        findings += _check_stages(store, version, provenance, recompute(chosen), chosen)
    return Verification(
        name=name,
        number=number,
        root=version.root,
        blobs=len(sizes),
        actions=len(actions),
        recomputed=len(chosen),
        findings=tuple(findings),
    )


def draw_sample(provenance: Provenance, count: int | None) -> list[str]:
    """Choose `count` clips that went through stages, always the same ones; None = all."""
    ran = [clip_id for clip_id, steps in provenance.actions.items() if steps]
    return sorted(ran, key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())[:count]


def _check_numbers(store: Store, name: str) -> Iterator[Finding]:
    numbers = version_numbers(store, name)
    missing = sorted(set(range(1, max(numbers, default=0))) - set(numbers))
    if missing:
        yield Finding(kind="version", detail=f"the list of versions lacks the numbers {missing}")


def _check_files(store: Store, name: str, number: int) -> Iterator[Finding]:
    try:
        entry = read_entry(store, name, number=number)
    except CorruptVersion as damage:
        yield Finding(kind="version", detail=str(damage))
        return
    for file_name in entry.files:
        try:
            checked_file(version_folder(store, name, root=entry.root), entry, file_name)
        except CorruptVersion as damage:
            yield Finding(kind="version", detail=str(damage))


def _check_rows(version: Version) -> Iterator[Finding]:
    found = merkle_root(version.rows)
    if not found == version.root == version.lock.root:
        detail = (
            f"rows hash to {found}, the list of versions has {version.root}, the lock {version.lock.root}"
        )
        yield Finding(kind="rows", detail=detail)


def _read_actions(store: Store, provenance: Provenance) -> dict[str, Action | None]:
    keys = {key for steps in provenance.actions.values() for _, key in steps}
    return {key: read_action(store, key) for key in sorted(keys)}


def _all_sizes(provenance: Provenance, actions: Mapping[str, Action | None]) -> dict[str, int]:
    """Return the size by digest of every blob that a row or an action names."""
    made = {
        blob.sha256: blob.bytes for action in actions.values() if action for blob in action.outputs.values()
    }
    return {**made, **provenance.sizes}


def _check_blobs(store: Store, sizes: Mapping[str, int], advance: Callable[[int], None]) -> Iterator[Finding]:
    for digest, size in sorted(sizes.items()):
        try:
            store.checked_blob(digest)
        except CorruptBlob as damage:
            yield Finding(kind="blob", detail=str(damage))
        advance(size)


def _check_actions(
    version: Version, provenance: Provenance, actions: Mapping[str, Action | None]
) -> Iterator[Finding]:
    """Check every recorded action, except verdicts that may have been the fault of the machine."""
    unsure = {row.clip_id for row in version.rows if row.reason in TRANSIENT}
    for clip_id, steps in sorted(provenance.actions.items()):
        for stage, key in steps:
            if actions[key] is None and clip_id not in unsure:
                detail = (
                    f"actions/{key}.json is missing or damaged; build again: the stage is then recomputed"
                )
                yield Finding(kind="action", clip_id=clip_id, stage=stage, detail=detail)


def _check_stages(
    store: Store, version: Version, provenance: Provenance, rerun: Rerun, chosen: Iterable[str]
) -> Iterator[Finding]:
    models = version.lock.models
    for clip_id in chosen:
        old = History(
            store=store, steps=provenance.actions[clip_id], recipes=version.lock.recipes, models=models
        )
        new = History(
            store=rerun.store, steps=rerun.actions.get(clip_id, ()), recipes=rerun.recipes, models=models
        )
        yield from _first_different_stage(clip_id, old, new)


def _first_different_stage(clip_id: str, old: History, new: History) -> Iterator[Finding]:
    new_keys = dict(new.steps)
    for stage, old_key in old.steps:
        was = read_action(old.store, old_key)
        now = read_action(new.store, new_keys[stage]) if stage in new_keys else None
        if was is None:
            return
        if now is None:
            yield Finding(kind="stage", clip_id=clip_id, stage=stage, detail="was not reached again")
            return
        if not same_outcome(was, now):
            causes = [f"{cause.kind} {cause.name}" for cause in explain(old, new) if cause.stage == stage]
            detail = "; ".join([*_differences(old.store, new.store, was, now), *causes])
            yield Finding(kind="stage", clip_id=clip_id, stage=stage, detail=detail)
            return


def _differences(old_store: Store, new_store: Store, was: Action, now: Action) -> Iterator[str]:
    if was.reason != now.reason:
        yield f"verdict {was.reason} became {now.reason} ({now.detail})"
    for name in sorted({*was.values, *now.values}):
        if was.values.get(name) != now.values.get(name):
            yield f"value {name}: {was.values.get(name)} became {now.values.get(name)}"
    for role in sorted({*was.outputs, *now.outputs}):
        blobs = was.outputs.get(role), now.outputs.get(role)
        if blobs[0] is None or blobs[1] is None:
            yield f"{role}: {'missing' if blobs[1] is None else 'new'}"
        elif blobs[0] != blobs[1]:
            yield f"{role}: {_file_difference(role, old_store, blobs[0], new_store, blobs[1])}"


def _file_difference(role: str, old_store: Store, was: Blob, new_store: Store, now: Blob) -> str:
    if not old_store.has_blob(was.sha256, size=was.bytes):
        return f"{was.sha256} became {now.sha256}; the published file is lost"
    return first_difference(role, old=old_store.blob_path(was.sha256), new=new_store.blob_path(now.sha256))
