"""The depth estimators that an evaluation compares: one line of ESTIMATORS each, in the order of the results.

To add an estimator, write a module with a class that has the members of
model.metrics.depth_estimators.DepthEstimator and a function that opens it for an evaluation, and add one line
to ESTIMATORS. tasks/evaluation/fit_3dmm.py is an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from model.metrics.depth_estimators import DepthEstimator, DepthSampling, MeanDepth, PipelineDepth, VaeBound
from model.samples.manifest import ManifestRow
from tasks.dataset.read_version import Split, split_rows
from tasks.evaluation.fit_3dmm import StillFit, open_still_fit
from tasks.evaluation.open_evaluation import Evaluation

OpenEstimator = Callable[[Evaluation, DepthSampling, int], DepthEstimator | None]
"""(evaluation, sampling, seed) -> estimator; None if it applies to no frame of the evaluation."""


def _open_pipeline(evaluation: Evaluation, sampling: DepthSampling, seed: int) -> PipelineDepth:
    return PipelineDepth(
        pipeline=evaluation.model.pipeline, steps=sampling.steps, samples=sampling.samples, seed=seed
    )


def _open_mean_map(evaluation: Evaluation, _sampling: DepthSampling, _seed: int) -> MeanDepth:
    rows = mean_map_clips(evaluation.version.rows, evaluation.split)
    return MeanDepth.of(part for row in rows for part in evaluation.clips.batches(row))


def _open_vae_bound(evaluation: Evaluation, _sampling: DepthSampling, _seed: int) -> VaeBound:
    return VaeBound(vae=evaluation.model.pipeline.vae)


def mean_map_clips(rows: Sequence[ManifestRow], _split: Split) -> list[ManifestRow]:
    """Clips whose frames the mean depth map averages: the train split.

    Raises:
        ValueError: the version has no published train clips.
    """
    train = split_rows(rows, "train")
    if not train:
        raise ValueError("the version has no published train clips to take the mean depth map of")
    return train


ESTIMATORS: Mapping[type[DepthEstimator], OpenEstimator] = {
    PipelineDepth: _open_pipeline,
    MeanDepth: _open_mean_map,
    VaeBound: _open_vae_bound,
    StillFit: open_still_fit,
}
