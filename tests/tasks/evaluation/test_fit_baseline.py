"""The 3DMM fitted to a still alone, against the still's registered mesh."""

from __future__ import annotations

import pytest
import torch

from model.metrics.depth_metrics import METRIC, depth_scores
from tasks.evaluation.fit_baseline import fit_stills
from tasks.media.published_clip import clip_pictures, clip_range
from tasks.store.versions import read_version
from tests.conftest import RealBuild

SIDE = 128


def test_a_still_is_fitted_to_millimetres_and_a_clip_is_left_out(real_build: RealBuild) -> None:
    store = real_build.store
    version = read_version(store, real_build.settings.name, number=1)
    published = [row for row in version.rows if row.status == "published"]
    still = next(row for row in published if row.kind == "studio")
    clip = next(row for row in published if row.kind == "wild")
    fits = fit_stills(version, store, [still, clip], side_px=SIDE)
    assert not fits.cover[1].any()
    blobs = {role: store.blob_path(still.blobs[role]) for role in ("crop", "depth", "mask")}
    (truth,) = clip_pictures(blobs, still.model_dump(), side_px=SIDE, frames_at_once=1)
    both = truth.mask & fits.cover[:1]
    assert both.sum() > 0.8 * truth.mask.sum()
    truth_m = clip_range(still.model_dump()).decode(truth.code)
    error = depth_scores(fits.code[:1], truth_m, both, protocol=METRIC, names=["still"])
    flat = depth_scores(torch.zeros_like(truth_m), truth_m, both, protocol=METRIC, names=["flat"])
    assert error.rmse.item() < 5
    assert error.rmse.item() < 0.5 * flat.rmse.item()
    assert error.alignment.scale.item() == pytest.approx(error.alignment.scale.abs().item())
