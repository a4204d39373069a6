"""Synthetic held-out frames, without a build or a store."""

from __future__ import annotations

import torch
from torch import Tensor

from model.samples.manifest import ManifestRow
from model.samples.pictures import Pictures
from tasks.evaluation.held_out_frames import HeldOutFrames

SIDE_PX = 16
NEAR_M, FAR_M = 0.6, 0.8


def row_of(subject: str, *, frames: int = 1, **facts) -> ManifestRow:
    """Row of a published clip without files."""
    return ManifestRow(
        **{
            "clip_id": f"clip_{subject}",
            "kind": "wild",
            "source_name": subject,
            "subject_id": subject,
            "split": "test",
            "status": "published",
            "frames": frames,
            "depth_near_m": NEAR_M,
            "depth_far_m": FAR_M,
            **facts,
        }
    )


def faces(count: int) -> Tensor:
    """Depth codes (N, H, W): a different relief on a disc for each, background +1."""
    axis = torch.linspace(-1, 1, SIDE_PX)
    x, y = axis[None].expand(SIDE_PX, SIDE_PX), axis[:, None].expand(SIDE_PX, SIDE_PX)
    reliefs = torch.stack([torch.cos((index + 1) * x + y) * 0.4 - 0.4 for index in range(count)])
    return torch.where(x**2 + y**2 < 0.8, reliefs, torch.tensor(1.0))


def pictures_of(code: Tensor, *, brightness: float = 0.0) -> Pictures:
    """Frames (N, H, W) of one person, each a little brighter than the one before."""
    steps = brightness + 0.01 * torch.arange(len(code))
    return Pictures(
        rgb=steps[:, None, None, None].expand(-1, 3, *code.shape[1:]).clone(), code=code, mask=code < 0.5
    )


def synthetic_frames(subjects: list[tuple[str, int]], **facts) -> HeldOutFrames:
    """Frames of persons, given as (name, number of frames); persons differ in brightness and form."""
    rows, frames, parts = [], [], []
    forms = faces(len(subjects))
    for index, (subject, count) in enumerate(subjects):
        rows += [row_of(subject, frames=count, **facts)] * count
        frames += list(range(count))
        parts.append(pictures_of(forms[index].expand(count, -1, -1).clone(), brightness=0.3 * index - 0.8))
    return HeldOutFrames(
        rows=tuple(rows),
        frames=tuple(frames),
        pictures=Pictures(
            rgb=torch.cat([part.rgb for part in parts]),
            code=torch.cat([part.code for part in parts]),
            mask=torch.cat([part.mask for part in parts]),
        ),
    )
