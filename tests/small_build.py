"""A build in miniature for the store's tests: three clips, two stages, one version; no Prefect, no media."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from model.samples.manifest import ManifestRow
from tasks.stage import Json, Stage, StageInput, StageOutput
from tasks.store.actions import Action, find_action, record_action
from tasks.store.blobs import Blob, Store
from tasks.store.build_memo import build_key, find_build, remember_build
from tasks.store.locks import build_lock
from tasks.store.publish import publish
from tasks.store.recipes import Recipe, action_key, recipe_of
from tasks.store.splits import SplitSettings, assign_splits, previous_splits
from tasks.store.versions import LockFacts, Published, latest_number

CLIPS = {"a" * 16: "anna", "b" * 16: "bert", "c" * 16: "carl"}


class CutSettings(BaseModel, frozen=True, extra="forbid"):
    scale: float = 1.6


class PaintSettings(BaseModel, frozen=True, extra="forbid"):
    color: str = "red"


def _not_run(stage_input: StageInput, settings: BaseModel) -> StageOutput:
    raise AssertionError("the small build makes its outputs itself")


CUT = Stage(
    name="cut",
    version=1,
    run=_not_run,
    settings_type=CutSettings,
    modules=("tasks.stage",),
    tools=("numpy",),
)
PAINT = Stage(
    name="paint",
    version=1,
    run=_not_run,
    settings_type=PaintSettings,
    modules=("tasks.reasons",),
    tools=("pydantic",),
)
TAKES = {"cut": ("source",), "paint": ("crop", "face_model")}
GIVES = {"cut": "crop", "paint": "depth"}


def build(
    store: Store,
    name: str = "small",
    *,
    clips: Mapping[str, str] = CLIPS,
    settings: Sequence[BaseModel] = (CutSettings(), PaintSettings()),
    salt: str = "",
    work: list[str] | None = None,
) -> Published:
    """Build and publish; `work` receives the stages that really ran. Another salt is other source content."""
    recipes = [recipe_of(stage, own) for stage, own in zip((CUT, PAINT), settings, strict=True)]
    face_model = Blob(sha256="f" * 64, bytes=0)
    key = build_key(name, facts=[dict(clips), salt, [recipe.digest for recipe in recipes]])
    with build_lock(store):
        known = find_build(store, name, key)
        if known:
            return known
        base = latest_number(store, name)
        rows, actions = [], {}
        splits = assign_splits(
            clips.values(), previous=previous_splits(store, name), settings=SplitSettings()
        )
        for clip_id, subject in clips.items():
            blobs = {"source": source_digest(clip_id, salt), "face_model": face_model.sha256}
            actions[clip_id] = _run_stages(store, clip_id, blobs, recipes, work)
            rows.append(
                ManifestRow(
                    clip_id=clip_id,
                    kind="wild",
                    source_name=f"{subject}.mp4",
                    source_sha256=blobs["source"],
                    subject_id=subject,
                    split=splits[subject],
                    status="published",
                    frames=75,
                    blobs={role: blobs[role] for role in ("crop", "depth")},
                )
            )
        published = publish(
            store,
            name,
            rows=rows,
            facts=LockFacts(
                settings={own.__class__.__name__: own.model_dump(mode="json") for own in settings},
                catalogue="0" * 64,
                models={"face_model": face_model.sha256},
                recipes={recipe.digest: recipe for recipe in recipes},
                splits=splits,
            ),
            actions=actions,
            pages={"card.md": b"# small\n", "report.html": b"<p>small</p>\n"},
            base=base,
        )
        remember_build(store, key, root=published.root)
        return published


def source_digest(clip_id: str, salt: str) -> str:
    """A made-up digest of a source file; only the first clip's content depends on the salt."""
    return (clip_id * 4 if clip_id[0] != "a" else (salt.encode().hex() + clip_id * 4))[:64]


def _run_stages(
    store: Store, clip_id: str, blobs: dict[str, str], recipes: Sequence[Recipe], work: list[str] | None
) -> list[tuple[str, str]]:
    steps = []
    for stage, recipe in zip((CUT, PAINT), recipes, strict=True):
        inputs = {role: blobs[role] for role in TAKES[stage.name]}
        key = action_key(recipe.digest, inputs=inputs, given={})
        action = find_action(store, key)
        if action is None:
            action = _run(store, stage, recipe, inputs)
            if work is not None:
                work.append(f"{stage.name} {clip_id}")
        blobs |= {role: blob.sha256 for role, blob in action.outputs.items()}
        steps.append((stage.name, key))
    return steps


def _run(store: Store, stage: Stage, recipe: Recipe, inputs: Mapping[str, str]) -> Action:
    role = GIVES[stage.name]
    told: Json = [stage.name, recipe.settings, sorted(inputs.items())]
    with store.scratch() as scratch:
        made = scratch / f"{role}.bin"
        made.write_bytes(repr(told).encode() * 50)
        action = Action(
            stage=stage.name,
            recipe=recipe.digest,
            inputs=dict(inputs),
            given={},
            outputs={role: store.put_file(made)},
            values={"length": len(repr(told))},
            wall_s=0.5,
        )
    record_action(store, action)
    return action
