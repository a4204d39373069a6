from __future__ import annotations

from collections.abc import Callable

from model.samples.manifest import ManifestRow
from tasks.reasons import Reason
from tasks.report.funnel import STAGES, USUAL_STAGE, build_funnels, count_reasons, rejecting_stage

MakeRow = Callable[..., ManifestRow]


def test_every_reason_has_a_usual_stage_that_exists() -> None:
    assert set(USUAL_STAGE) == set(Reason)
    assert set(USUAL_STAGE.values()) <= set(STAGES["wild"])


def test_each_stage_hands_on_what_it_did_not_refuse_and_the_last_count_is_the_published(
    make_row: MakeRow, make_refused: MakeRow
) -> None:
    rows = [
        *(make_row(f"{k}.mp4") for k in range(5)),
        make_refused("a.mp4", "too_short"),
        make_refused("b.mp4", "no_face"),
        make_refused("c.mp4", "no_face"),
        make_refused("d.mp4", "timeout"),
    ]
    (funnel,) = build_funnels(rows, {rows[-1].clip_id: "fit"})
    assert funnel.sources == len(rows)
    assert funnel.stages[0].entered == len(rows)
    for before, after in zip(funnel.stages, funnel.stages[1:], strict=False):
        assert after.entered == before.passed
    assert funnel.stages[-1].passed == 5
    refused = {stage.stage: dict(stage.reasons) for stage in funnel.stages if stage.reasons}
    assert refused == {"probe": {"too_short": 1}, "landmarks": {"no_face": 2}, "fit": {"timeout": 1}}


def test_a_stage_unknown_to_the_list_is_counted_before_publish(make_refused: MakeRow) -> None:
    row = make_refused("a.mp4", "crashed")
    (funnel,) = build_funnels([row], {row.clip_id: "latents"})
    assert [stage.stage for stage in funnel.stages[-2:]] == ["latents", "publish"]
    assert funnel.stages[-1].passed == 0


def test_kinds_have_funnels_of_their_own(make_row: MakeRow) -> None:
    funnels = build_funnels([make_row(), make_row("S1/smile", kind="studio")], {})
    assert [(funnel.kind, funnel.sources) for funnel in funnels] == [("wild", 1), ("studio", 1)]
    assert "landmarks" not in {stage.stage for stage in funnels[1].stages}


def test_the_recorded_stage_wins_over_the_usual_one(make_refused: MakeRow) -> None:
    row = make_refused("a.mp4", "truncated")
    assert rejecting_stage(row, {}) == "probe"
    assert rejecting_stage(row, {row.clip_id: "resample"}) == "resample"


def test_reasons_are_ordered_by_count_and_then_by_name() -> None:
    assert list(count_reasons(["b", "c", "a", "c"]).items()) == [("c", 2), ("a", 1), ("b", 1)]
