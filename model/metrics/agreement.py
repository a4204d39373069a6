"""Whether RGB and depth that were made together are of the same face."""

from __future__ import annotations

import torch
from torch import Tensor

from model.metrics.depth_metrics import LEAST_PIXELS, METRIC, depth_scores
from model.samples.depth_code import DepthRange

SURFACE_BELOW = 0.5
"""Made codes below are the face; the background's is +1."""
TYPICAL = DepthRange(near_m=0.80, far_m=0.94)
"""Metres that codes are shown in where there is no clip: a face as deep as the paper's crops show it."""


def face_of(code: Tensor) -> Tensor:
    """Where a made portrait has its face: codes (B, H, W) -> bool."""
    return code < SURFACE_BELOW


def has_face(code: Tensor) -> Tensor:
    """Which made portraits have a face: codes (B, H, W) -> (B,) bool. Fewer pixels have no form."""
    return face_of(code).flatten(1).sum(dim=1) >= LEAST_PIXELS


def agreement_errors(made: Tensor, estimated: Tensor) -> Tensor:
    """Errors of depth estimated from each sample's RGB against the depth of every sample.

    Args:
        made: depth codes of the samples, (N, H, W).
        estimated: depth codes estimated from their RGB, (N, H, W).

    Returns:
        (N, N) RMSE in mm after scale and shift; row i is the depth of sample i, column j the estimate of j.
        Rows of samples without a face are NaN.
    """
    masks, metres = face_of(made), TYPICAL.decode(made)
    names = [str(index) for index in range(len(made))]
    errors = torch.full((len(made), len(made)), torch.nan, dtype=torch.double)
    for sample in has_face(made).nonzero()[:, 0].tolist():
        truth = metres[sample].expand(len(made), -1, -1)
        mask = masks[sample].expand(len(made), -1, -1)
        errors[sample] = depth_scores(estimated, truth, mask, protocol=METRIC, names=names).rmse
    return errors
