"""The 3DMM fitted to a still alone, against the still's registered mesh."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from model.metrics.depth_estimators import DepthSampling, EstimatorInput
from model.metrics.depth_metrics import METRIC, depth_scores
from tasks.evaluation import fit_3dmm
from tasks.evaluation.fit_3dmm import NO_FACE, WILD, StillFit, open_still_fit
from tasks.media.published_clip import clip_pictures, clip_range
from tasks.store.versions import read_version
from tests.conftest import RealBuild

SIDE = 128


def opened(real_build: RealBuild, *, kinds: tuple[str, ...]) -> StillFit | None:
    evaluation = SimpleNamespace(
        store=real_build.store,
        version=read_version(real_build.store, real_build.settings.name, number=1),
        frames=SimpleNamespace(of_kind=lambda kind: torch.tensor([one == kind for one in kinds])),
        side_px=SIDE,
    )
    return open_still_fit(evaluation, DepthSampling(steps=1, samples=1, seeds=1), 0)


def test_a_still_is_fitted_to_millimetres_and_a_clip_is_left_out(real_build: RealBuild) -> None:
    store = real_build.store
    version = read_version(store, real_build.settings.name, number=1)
    published = [row for row in version.rows if row.status == "published"]
    still = next(row for row in published if row.kind == "studio")
    clip = next(row for row in published if row.kind == "wild")
    estimator = opened(real_build, kinds=("studio", "wild"))
    assert estimator is not None
    fits = estimator.estimate(EstimatorInput(rgb=torch.zeros(2, 3, SIDE, SIDE), rows=(still, clip)))
    assert fits.reasons == (None, WILD)
    assert not fits.mask[1].any()
    assert (fits.code[1] == 1).all()
    blobs = {role: store.blob_path(still.blobs[role]) for role in ("crop", "depth", "mask")}
    (truth,) = clip_pictures(blobs, still.model_dump(), side_px=SIDE, frames_at_once=1)
    both = truth.mask & fits.mask[:1]
    assert both.sum() > 0.8 * truth.mask.sum()
    truth_m = clip_range(still.model_dump()).decode(truth.code)
    error = depth_scores(fits.code[:1], truth_m, both, protocol=METRIC, names=["still"])
    flat = depth_scores(torch.zeros_like(truth_m), truth_m, both, protocol=METRIC, names=["flat"])
    assert error.rmse.item() < 5
    assert error.rmse.item() < 0.5 * flat.rmse.item()
    assert error.alignment.scale.item() == pytest.approx(error.alignment.scale.abs().item())


def test_without_a_still_it_does_not_apply(real_build: RealBuild) -> None:
    assert opened(real_build, kinds=("wild",)) is None


def test_a_still_without_a_face_has_its_reason(
    real_build: RealBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = read_version(real_build.store, real_build.settings.name, number=1)
    still = next(row for row in version.rows if row.status == "published" and row.kind == "studio")
    black = np.zeros((512, 512, 3), np.uint8)
    monkeypatch.setattr(fit_3dmm, "read_frames", lambda *_, **__: iter([black]))
    estimator = opened(real_build, kinds=("studio",))
    found = estimator.estimate(EstimatorInput(rgb=torch.zeros(1, 3, SIDE, SIDE), rows=(still,)))
    assert found.reasons == (NO_FACE,)
    assert not found.mask.any()


def test_frames_of_no_clip_are_refused(real_build: RealBuild) -> None:
    estimator = opened(real_build, kinds=("studio",))
    with pytest.raises(ValueError, match="fit_3dmm reads the crop of a clip"):
        estimator.estimate(EstimatorInput(rgb=torch.zeros(1, 3, SIDE, SIDE)))
