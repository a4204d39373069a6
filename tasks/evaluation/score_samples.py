"""Samples of test identities: whose face they show, and whether their RGB and depth are of the same face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from torch import Tensor

from model.metrics.agreement import agreement_errors, face_of, has_face
from model.metrics.depth_estimators import PipelineDepth
from model.metrics.identity_score import Matches, identity_errors, match
from model.pipelines.pipeline_image import PortraitRGBD, PortraitRGBDPipeline
from model.samples.pictures import Pictures
from model.settings import Record
from tasks.evaluation.held_out_frames import TestFrames, taken

KNOWN = 4
"""Further frames of a person that samples are compared with; never the reference itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """One reference a person, and other frames of them."""

    subjects: tuple[str, ...]
    """(N,)."""
    reference: Tensor
    """(N, 3, H, W) in [0, 1]."""
    known: tuple[Pictures, ...]
    """(N,) up to KNOWN frames each."""


class MatchRate(Record):
    """How often the nearest of N is the right one.

    A sample without a face is of nobody: it counts among the N, and as not matched. So a model that makes no
    faces gets a rate of 0, not no rate.
    """

    rate: float
    rate_by_seed: tuple[float, ...]
    """The spread."""
    chance: float
    """1 / N."""
    error_ratio: float | None
    """Error against the right one / mean error against the others, of samples with a face; None where no seed
    has one."""
    error_ratio_by_seed: tuple[float | None, ...]
    faceless_by_seed: tuple[int, ...]
    """Of the N, samples without a face."""


class SampleScores(Record):
    """What samples of N identities show."""

    identities: int
    identity_with_reference: MatchRate
    """Made RGB against frames of the persons."""
    identity_without_reference: MatchRate
    """The same noise, no reference."""
    agreement: MatchRate
    """Made depth against depth estimated from the made RGB, with references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Scores, and the pictures of the first seed."""

    scores: SampleScores
    seen: PortraitRGBD
    """With references."""
    alone: PortraitRGBD
    """Without."""


def choose_identities(frames: TestFrames, *, most: int) -> Identities:
    """Persons with at least two frames, in the order of their names.

    Raises:
        ValueError: there are fewer than two.
    """
    by_subject: dict[str, list[int]] = {}
    for index, row in enumerate(frames.rows):
        by_subject.setdefault(row.subject_id, []).append(index)
    chosen = {name: some for name, some in sorted(by_subject.items()) if len(some) > 1}
    subjects = tuple(chosen)[:most]
    if len(subjects) < 2:
        raise ValueError(
            f"{len(subjects)} identities with two frames in the split, need 2; evaluate a larger one"
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
    estimator: PipelineDepth,
) -> Sampled:
    """Sample every identity with and without its reference, with the same noise."""
    seen, alone, pairs = [], [], []
    first: tuple[PortraitRGBD, PortraitRGBD] | None = None
    for seed in range(seeds):
        with_reference = _sampled(pipeline, identities.reference, len(identities.subjects), seed, steps)
        without = _sampled(pipeline, None, len(identities.subjects), seed, steps)
        first = first or (with_reference, without)
        seen.append(_identity(with_reference, identities))
        alone.append(_identity(without, identities))
        pairs.append(_agreement(with_reference, estimator))
    assert first is not None
    return Sampled(
        scores=SampleScores(
            identities=len(identities.subjects),
            identity_with_reference=_rates(seen),
            identity_without_reference=_rates(alone),
            agreement=_rates(pairs),
        ),
        seen=first[0],
        alone=first[1],
    )


def _sampled(
    pipeline: PortraitRGBDPipeline, reference: Tensor | None, count: int, seed: int, steps: int
) -> PortraitRGBD:
    noise = [torch.Generator().manual_seed(seed * 2**20 + index) for index in range(count)]
    made = pipeline(reference, samples=count, num_inference_steps=steps, generator=noise)
    return PortraitRGBD(rgb=made.rgb.cpu(), depth_code=made.depth_code.cpu(), depth_m=None)


def _identity(made: PortraitRGBD, identities: Identities) -> Matches:
    masks = face_of(made.depth_code)
    errors = [
        identity_errors(made.rgb, masks, (known.rgb + 1) / 2, known.mask).mean(dim=1)
        for known in identities.known
    ]
    return match(torch.stack(errors, dim=1), has_face=has_face(made.depth_code))


def _agreement(made: PortraitRGBD, estimator: PipelineDepth) -> Matches:
    errors = agreement_errors(made.depth_code, estimator(made.rgb))
    return match(errors, has_face=has_face(made.depth_code))


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
