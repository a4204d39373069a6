"""Scores of samples: a weak model has bad scores, never none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.metrics.depth_estimators import DepthEstimate, EstimatorInput, PipelineDepth
from model.pipelines.pipeline_image import PortraitRGBD
from tasks.evaluation import score_samples as scoring
from tasks.evaluation.score_samples import Identities, SampleScores, choose_identities, score_samples
from tests.model.tiny_pipelines import image_pipeline
from tests.tasks.evaluation.synthetic_frames import SIDE_PX, faces, synthetic_frames

PEOPLE = 3


@pytest.fixture(scope="module")
def people() -> Identities:
    return choose_identities(synthetic_frames([("a", 3), ("b", 3), ("c", 3)]), most=PEOPLE)


def scored(people: Identities, monkeypatch: pytest.MonkeyPatch, made: list[PortraitRGBD]) -> SampleScores:
    """Scores of given samples, one batch for each seed; the estimator recognises persons by brightness."""

    class KnownFaces:
        def estimate(self, frames: EstimatorInput) -> DepthEstimate:
            brightness, known = frames.rgb.mean(dim=(1, 2, 3)), people.reference.mean(dim=(1, 2, 3))
            nearest = (brightness[:, None] - known).abs().argmin(dim=1)
            return DepthEstimate.everywhere(faces(PEOPLE)[nearest])

    monkeypatch.setattr(scoring, "_sampled", lambda _pipeline, _reference, _count, seed, _steps: made[seed])
    return score_samples(None, people, steps=1, seeds=len(made), estimator=KnownFaces()).scores


def portraits(people: Identities, *, faceless: tuple[int, ...] = (), seed: int = 0) -> PortraitRGBD:
    """Everybody as their reference shows them, some without a face."""
    code = faces(PEOPLE)
    code[list(faceless)] = 1.0
    return PortraitRGBD(rgb=people.reference * (1 - 0.01 * seed), depth_code=code, depth_m=None)


def test_samples_like_their_references_are_matched(people, monkeypatch) -> None:
    scores = scored(people, monkeypatch, [portraits(people)])
    for rate in (scores.identity_with_reference, scores.agreement):
        assert rate.rate == 1
        assert rate.error_ratio < 0.5
        assert rate.faceless_by_seed == (0,)
        assert rate.chance == pytest.approx(1 / PEOPLE)


def test_a_sample_without_a_face_is_not_matched_and_still_counts(people, monkeypatch) -> None:
    made = [portraits(people, faceless=gone, seed=seed) for seed, gone in enumerate(((), (1,), (0, 2)))]
    scores = scored(people, monkeypatch, made)
    for rate in (scores.identity_with_reference, scores.identity_without_reference, scores.agreement):
        assert rate.rate_by_seed == pytest.approx((1, 2 / 3, 1 / 3))
        assert rate.rate == pytest.approx(2 / 3)
        assert rate.chance == pytest.approx(1 / PEOPLE)
        assert rate.faceless_by_seed == (0, 1, 2)
        assert all(ratio < 0.5 for ratio in rate.error_ratio_by_seed)


def test_a_model_that_makes_no_faces_gets_a_rate_of_0(people, monkeypatch) -> None:
    made = [portraits(people, faceless=(0, 1, 2)), portraits(people, seed=1)]
    rate = scored(people, monkeypatch, made).agreement
    assert rate.rate_by_seed == (0, 1)
    assert rate.error_ratio_by_seed[0] is None
    assert rate.error_ratio == rate.error_ratio_by_seed[1]
    nothing = scored(people, monkeypatch, made[:1]).agreement
    assert (nothing.rate, nothing.error_ratio) == (0, None)
    assert SampleScores.model_validate_json(scored(people, monkeypatch, made[:1]).model_dump_json())


def test_an_untrained_pipeline_is_scored(people) -> None:
    pipeline = image_pipeline()
    estimator = PipelineDepth(pipeline=pipeline, steps=1, samples=1, seed=0)
    sampled = score_samples(pipeline, people, steps=1, seeds=2, estimator=estimator)
    assert sampled.scores.identities == PEOPLE
    assert sampled.with_reference.rgb.shape == (PEOPLE, 3, SIDE_PX, SIDE_PX)
    assert len(sampled.scores.agreement.rate_by_seed) == 2


def test_persons_are_in_order_and_their_reference_is_not_among_what_is_known() -> None:
    frames = synthetic_frames([("b", 3), ("lonely", 1), ("a", 7), ("c", 2)])
    people = choose_identities(frames, most=9)
    assert people.subjects == ("a", "b", "c")
    assert [len(known) for known in people.known] == [scoring.KNOWN, 2, 1]
    for reference, known in zip(people.reference, people.known, strict=True):
        assert not any(torch.equal(reference, (one + 1) / 2) for one in known.rgb)
    assert choose_identities(frames, most=2).subjects == ("a", "b")


def test_one_person_is_no_question() -> None:
    with pytest.raises(ValueError, match="1 identities with two frames"):
        choose_identities(synthetic_frames([("a", 2), ("b", 1)]), most=9)


def differs(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() > 1e-4)


def test_the_same_noise_with_and_without_reference_each_seed_another(people) -> None:
    pipeline = image_pipeline()
    with_it, again = (scoring._sampled(pipeline, people.reference, PEOPLE, 0, 1) for _ in range(2))
    assert torch.equal(with_it.rgb, again.rgb)
    alone = scoring._sampled(pipeline, None, PEOPLE, 0, 1)
    assert differs(alone.rgb, with_it.rgb)
    assert differs(scoring._sampled(pipeline, None, PEOPLE, 1, 1).rgb, alone.rgb)
