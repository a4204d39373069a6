from __future__ import annotations

from pathlib import Path

from tasks.reasons import Reason
from tasks.store.actions import Action, record_action
from tasks.store.blobs import Store
from tasks.store.explain import Cause, History, explain
from tasks.store.recipes import Recipe

RECIPE = Recipe(stage="any", version=1, modules={"m": "1"}, settings={}, tools={})


def history(store: Store, *actions: Action) -> History:
    steps = tuple((action.stage, record_action(store, action)) for action in actions)
    return History(store=store, steps=steps, recipes={RECIPE.digest: RECIPE}, models={"face_model": "f" * 64})


def action(store: Store, stage: str, out: bytes, **fields: object) -> Action:
    common = {
        "stage": stage,
        "recipe": RECIPE.digest,
        "inputs": {"source": "5" * 64},
        "given": {},
        "outputs": {"result": store.put_bytes(out)},
    }
    return Action.model_validate(common | fields)


def told(causes: list[Cause]) -> list[tuple[str, str, str]]:
    return [(cause.kind, cause.stage, cause.name) for cause in causes]


def test_the_same_history_has_no_causes(store: Store) -> None:
    same = history(store, action(store, "fit", b"1"))
    assert explain(same, same) == []


def test_a_recipe_that_changed_nothing_is_no_cause(store: Store) -> None:
    other = Recipe(stage="any", version=2, modules={}, settings={}, tools={})
    old = history(store, action(store, "fit", b"1"))
    new = history(store, action(store, "fit", b"1", recipe=other.digest))
    assert explain(old, new) == []


def test_a_model_is_told_from_a_source(store: Store) -> None:
    old = history(store, action(store, "fit", b"1", inputs={"face_model": "1" * 64, "source": "5" * 64}))
    new = history(store, action(store, "fit", b"2", inputs={"face_model": "2" * 64, "source": "6" * 64}))
    assert told(explain(old, new)) == [("model", "fit", "face_model"), ("input", "fit", "source")]


def test_a_given_figure_counts_where_no_earlier_stage_differs(store: Store) -> None:
    old = history(store, action(store, "fit", b"1", given={"camera": {"focal_px": 1100.0}}))
    new = history(store, action(store, "fit", b"2", given={"camera": {"focal_px": 1200.0}}))
    assert told(explain(old, new)) == [("input", "fit", "camera.focal_px")]


def test_what_follows_from_an_earlier_stage_is_no_cause(store: Store) -> None:
    def chain(mark: str) -> History:
        first = action(store, "crop", mark.encode(), inputs={"source": mark * 64})
        second = action(
            store,
            "fit",
            b"fit " + mark.encode(),
            inputs={"crop": first.outputs["result"].sha256},
            given={"focal_px": float(mark)},
        )
        return history(store, first, second)

    assert told(explain(chain("1"), chain("2"))) == [("input", "crop", "source")]


def test_a_clip_of_the_same_video_can_be_the_cause(store: Store) -> None:
    old = history(
        store, action(store, "focal", b"", inputs={"landmarks/0": "1" * 64}, values={"focal_px": 1.0})
    )
    both = {"landmarks/0": "1" * 64, "landmarks/1": "2" * 64}
    new = history(store, action(store, "focal", b"", inputs=both, values={"focal_px": 2.0}))
    assert told(explain(old, new)) == [("input", "focal", "landmarks/1")]


def test_another_outcome_from_the_same_key_is_unstable(store: Store, tmp_path: Path) -> None:
    other = Store.create(tmp_path / "other")
    causes = explain(history(store, action(store, "fit", b"1")), history(other, action(other, "fit", b"2")))
    assert told(causes) == [("unstable", "fit", "same recipe and inputs")]


def test_a_verdict_is_an_outcome(store: Store) -> None:
    old = history(store, action(store, "fit", b"1"))
    rejected = action(store, "fit", b"", outputs={}, reason=Reason.BAD_POSE, inputs={"source": "6" * 64})
    assert told(explain(old, history(store, rejected))) == [("input", "fit", "source")]
