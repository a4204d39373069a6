"""Agreement of the RGB and the depth of a sample: do both show the same face?"""

from __future__ import annotations

import torch
from torch import Tensor

from model.metrics.depth_metrics import LEAST_PIXELS, METRIC, depth_scores
from model.samples.depth_code import DepthRange

FACE_BELOW = 0.5
"""Depth codes below this value are the face; the code of the background is +1."""
TYPICAL_RANGE = DepthRange(near_m=0.80, far_m=0.94)
"""Metres that the codes of a sample are shown in, since a sample has no clip: the depth of a face in the
paper's crops."""


def face_mask(code: Tensor) -> Tensor:
    """Pixels of the face in sampled depth: codes (B, H, W) -> (B, H, W) bool."""
    return code < FACE_BELOW


def has_face(code: Tensor) -> Tensor:
    """Whether sampled depth shows a face of LEAST_PIXELS or more: codes (B, H, W) -> (B,) bool."""
    return face_mask(code).flatten(1).sum(dim=1) >= LEAST_PIXELS


def agreement_errors(sampled: Tensor, estimated: Tensor) -> Tensor:
    """Errors of the depth estimated from each sample's RGB against the sampled depth of all samples.

    Args:
        sampled: sampled depth codes, (N, H, W).
        estimated: depth codes estimated from the RGB of the same samples, (N, H, W).

    Returns:
        (N, N) RMSE in mm after scale-and-shift alignment; row i is the sampled depth of sample i, column j
        the estimate from the RGB of sample j. Rows of samples without a face are NaN.
    """
    masks, metres = face_mask(sampled), TYPICAL_RANGE.decode(sampled)
    names = [str(index) for index in range(len(sampled))]
    errors = torch.full((len(sampled), len(sampled)), torch.nan, dtype=torch.double)
    # Every estimate is scored on the face of sample i: the columns of a row are then comparable.
    for sample in has_face(sampled).nonzero()[:, 0].tolist():
        truth = metres[sample].expand(len(sampled), -1, -1)
        mask = masks[sample].expand(len(sampled), -1, -1)
        errors[sample] = depth_scores(estimated, truth, mask, protocol=METRIC, names=names).rmse
    return errors
