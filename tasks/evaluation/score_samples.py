"""Scores of samples of held-out identities: do they show the right person, and do RGB and depth agree?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor

from model.metrics.agreement import agreement_errors, face_mask, has_face
from model.metrics.depth_estimators import DepthEstimator, EstimatorInput
from model.metrics.identity_score import Matches, identity_errors, match
from model.pipelines.pipeline_image import PortraitRGBD, PortraitRGBDPipeline
from model.samples.pictures import Pictures
from model.settings import Record
from tasks.evaluation.held_out_frames import HeldOutFrames, taken

KNOWN = 4
"""Largest number of frames of a person that samples are compared with; the reference is never one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """N persons: a reference of each, and other frames that samples are compared with."""

    subjects: tuple[str, ...]
    """(N,) names."""
    reference: Tensor
    """(N, 3, H, W) in [0, 1]."""
    known: tuple[Pictures, ...]
    """(N,) up to KNOWN other frames of each person."""


class MatchRate(Record):
    """How often the nearest of N candidates is the right one.

    A sample in which no face is found counts as a wrong match. A model that samples no faces has a rate of 0.
    """

    rate: float
    """Share of right matches, mean over seeds."""
    rate_by_seed: tuple[float, ...]
    """Share of right matches for each seed, which shows the spread."""
    chance: float
    """1 / N."""
    error_ratio: float | None
    """Mean error against the right candidate / mean error against the others, over samples with a face; None
    if no sample of any seed has one."""
    error_ratio_by_seed: tuple[float | None, ...]
    faceless_by_seed: tuple[int, ...]
    """Number of the N samples without a face, for each seed."""


class SampleScores(Record):
    """Scores of samples of N identities."""

    identities: int
    """N."""
    identity_with_reference: MatchRate
    """Sampled RGB against other frames of the persons."""
    identity_without_reference: MatchRate
    """Samples from the same noise without a reference."""
    agreement: MatchRate
    """Sampled depth against depth estimated from the sampled RGB, with references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Scores of all seeds, and the samples of the first seed."""

    scores: SampleScores
    with_reference: PortraitRGBD
    without_reference: PortraitRGBD


def choose_identities(frames: HeldOutFrames, *, most: int) -> Identities:
    """Choose up to `most` persons with at least two frames, in the order of their names.

    The middle frame of a person is the reference.

    Raises:
        ValueError: fewer than two persons have two frames.
    """
    by_subject: dict[str, list[int]] = {}
    for index, row in enumerate(frames.rows):
        by_subject.setdefault(row.subject_id, []).append(index)
    chosen = {name: some for name, some in sorted(by_subject.items()) if len(some) > 1}
    subjects = tuple(chosen)[:most]
    if len(subjects) < 2:
        raise ValueError(
            f"{len(subjects)} identities with two frames in the split, need 2; evaluate a larger split"
        )
    middles = [chosen[name][len(chosen[name]) // 2] for name in subjects]
    others = [
        [index for index in chosen[name] if index != middle][:KNOWN]
        for name, middle in zip(subjects, middles, strict=True)
    ]
    return Identities(
        subjects=subjects,
        reference=frames.rgb[middles],
        known=tuple(taken(frames.pictures, some) for some in others),
    )


def score_samples(
    pipeline: PortraitRGBDPipeline,
    identities: Identities,
    *,
    steps: int,
    seeds: int,
    estimator: DepthEstimator,
) -> Sampled:
    """Sample every identity with and without its reference, from the same noise, and score the samples.

    Args:
        pipeline: picture pipeline of any stage.
        identities: persons to sample.
        steps: number of denoising steps of a sample.
        seeds: number of samples of each person, at least 1.
        estimator: estimates depth from the sampled RGB, for the agreement of RGB and depth.
    """
    with_it, without_it, agreement = [], [], []
    first: tuple[PortraitRGBD, PortraitRGBD] | None = None
    for seed in range(seeds):
        with_reference = _sampled(pipeline, identities.reference, len(identities.subjects), seed, steps)
        without = _sampled(pipeline, None, len(identities.subjects), seed, steps)
        first = first or (with_reference, without)
        with_it.append(_identity(with_reference, identities))
        without_it.append(_identity(without, identities))
        agreement.append(_agreement(with_reference, estimator))
    assert first is not None, "seeds is at least 1"
    return Sampled(
        scores=SampleScores(
            identities=len(identities.subjects),
            identity_with_reference=_rates(with_it),
            identity_without_reference=_rates(without_it),
            agreement=_rates(agreement),
        ),
        with_reference=first[0],
        without_reference=first[1],
    )


def _sampled(
    pipeline: PortraitRGBDPipeline, reference: Tensor | None, count: int, seed: int, steps: int
) -> PortraitRGBD:
    # seeded by seed and place only: samples with and without reference share their noise
    noise = [torch.Generator().manual_seed(seed * 2**20 + index) for index in range(count)]
    samples = pipeline(reference, samples=count, num_inference_steps=steps, generator=noise)
    return PortraitRGBD(rgb=samples.rgb.cpu(), depth_code=samples.depth_code.cpu(), depth_m=None)


def _identity(samples: PortraitRGBD, identities: Identities) -> Matches:
    masks = face_mask(samples.depth_code)
    # column j: mean error of every sample against the known frames of person j
    errors = [
        identity_errors(samples.rgb, masks, (known.rgb + 1) / 2, known.mask).mean(dim=1)
        for known in identities.known
    ]
    return match(torch.stack(errors, dim=1), has_face=has_face(samples.depth_code))


def _agreement(samples: PortraitRGBD, estimator: DepthEstimator) -> Matches:
    estimated = estimator.estimate(EstimatorInput(rgb=samples.rgb)).code
    errors = agreement_errors(samples.depth_code, estimated)
    return match(errors, has_face=has_face(samples.depth_code))


def _rates(matches: Sequence[Matches]) -> MatchRate:
    ratios = [one.ratio for one in matches if one.ratio is not None]
    return MatchRate(
        rate=mean(one.rate for one in matches),
        rate_by_seed=tuple(one.rate for one in matches),
        chance=mean(one.chance for one in matches),
        error_ratio=mean(ratios) if ratios else None,
        error_ratio_by_seed=tuple(one.ratio for one in matches),
        faceless_by_seed=tuple(one.faceless for one in matches),
    )
