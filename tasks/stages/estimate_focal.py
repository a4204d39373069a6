"""Stage focal: one focal length for all clips of a source video."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from rendering.face_model import FaceModel
from rendering.fitting.focal import ClipLandmarks, estimate_focal
from rendering.fitting.settings import FocalSettings
from tasks.face_models.files import load_face_model
from tasks.stage import Json, Stage, StageInput, StageOutput


def run(stage_input: StageInput, settings: FocalSettings) -> StageOutput:
    """Estimate the focal length from the landmarks of all clips; say whether the motion determines it."""
    given = stage_input.values["clips"]
    width, height = given[0]["frame_width"], given[0]["frame_height"]
    estimate = estimate_focal(
        [_landmarks(stage_input, index, values) for index, values in enumerate(given)],
        width=width,
        height=height,
        face_model=_face_model(stage_input.blobs["face_model/0"]),
        settings=settings,
    )
    source = max(given[0].get("source_width", width), given[0].get("source_height", height))
    ratio = estimate.focal_px / max(width, height)
    return StageOutput(
        files={},
        values={
            "focal_ratio": round(ratio, 9),
            "focal_px": round(ratio * source, 6),
            "focal_observable": estimate.observable,
            "focal_curvature": round(estimate.curvature, 6),
        },
    )


def _landmarks(stage_input: StageInput, index: int, values: dict[str, Json]) -> ClipLandmarks:
    part = slice(values["first_frame"], values["first_frame"] + values["frames"])
    with np.load(stage_input.blobs[f"landmarks/{index}"], allow_pickle=False) as file:
        return ClipLandmarks(points=file["landmarks"][part], presence=file["presence"][part])


@lru_cache(maxsize=1)
def _face_model(path: Path) -> FaceModel:
    """Blobs are named by their content: a path stands for one face model."""
    return load_face_model(path)


STAGE = Stage(
    name="focal",
    version=3,
    run=run,
    settings_type=FocalSettings,
    tools=("numba", "numpy", "scipy"),
)
