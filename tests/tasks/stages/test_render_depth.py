"""The depth stage on a small face-like model and on captured meshes, read back from its videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rendering.camera import Camera
from rendering.face_model import FaceModel
from rendering.rasterizers.rasterize import rasterize
from rendering.skin.depth_map import DepthScale
from tasks.face_models.files import save_face_model
from tasks.media.video_files import read_frames
from tasks.reasons import Reason, Rejected
from tasks.stage import StageInput, StageOutput
from tasks.stages.depth_settings import DepthSettings
from tasks.stages.render_depth import run
from tests.nodes import find_node

SIDE_PX = 96
CAMERA = Camera(
    focal_x_px=200.0, focal_y_px=200.0, center_x_px=50.0, center_y_px=46.0, width=SIDE_PX, height=SIDE_PX
)
GRID = 25


def bowl_model() -> FaceModel:
    """A sheet that bulges towards the camera; its lower rows are not skin."""
    axis = np.linspace(-0.08, 0.08, GRID)
    x, y = np.meshgrid(axis, axis)
    mean = np.stack([x, y, 6 * (x**2 + y**2)], axis=-1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(GRID - 1)[:, None] * GRID + np.arange(GRID - 1)).ravel()
    low = np.stack([corner, corner + GRID, corner + GRID + 1], axis=1)
    high = np.stack([corner, corner + GRID + 1, corner + 1], axis=1)
    triangles = np.concatenate([low, high]).astype(np.int32)
    skin = np.flatnonzero(mean[triangles][:, :, 1].max(axis=1) < 0.05)
    identity, expression = np.zeros((50, len(mean), 3), np.float32), np.zeros((25, len(mean), 3), np.float32)
    identity[0, :, 2] = 0.002
    expression[0, :, 2] = 0.001
    return FaceModel(
        mean=mean,
        triangles=triangles,
        identity_basis=identity,
        expression_basis=expression,
        skin_triangles=skin.astype(np.int32),
        landmark_triangles=np.full(478, -1, np.int32),
        landmark_barycentrics=np.zeros((478, 3), np.float32),
        name="bowl",
        provenance="made for this test",
        licence="none",
    )


def fit_arrays(frames: int = 5) -> dict[str, np.ndarray]:
    rotation = np.zeros((frames, 3), np.float32)
    rotation[:, 1] = np.linspace(-0.5, 0.5, frames)
    identity, expression = np.zeros(50, np.float32), np.zeros((frames, 25), np.float32)
    identity[0], expression[:, 0] = 1.0, np.arange(frames)
    translation = np.tile(np.float32([0.0, 0.0, 0.5]), (frames, 1))
    return {"identity": identity, "expression": expression, "rotation": rotation, "translation": translation}


def camera_vertices(model: FaceModel, fit: dict[str, np.ndarray]) -> np.ndarray:
    heads = model.vertices(fit["identity"], fit["expression"])
    turns = np.stack([cv2.Rodrigues(turn.astype(np.float64))[0] for turn in fit["rotation"]])
    placed = np.einsum("nij,nvj->nvi", turns, heads) + fit["translation"][:, None]
    return placed.astype(np.float32)


def wild(folder: Path, fit: dict[str, np.ndarray], settings: DepthSettings | None = None) -> StageOutput:
    save_face_model(folder / "model.npz", bowl_model())
    np.savez(folder / "fit.npz", **fit)
    blobs = {"fit": folder / "fit.npz", "face_model": folder / "model.npz"}
    values: dict[str, Any] = {"camera_matrix": CAMERA.matrix.ravel().tolist(), "crop_side_px": SIDE_PX}
    return run(StageInput(blobs=blobs, values=values, scratch=folder), settings or DepthSettings())


def decoded(output: StageOutput) -> tuple[np.ndarray, np.ndarray]:
    scale = DepthScale(scale_m=output.values["depth_scale_m"], offset_m=output.values["depth_offset_m"])
    depth = [scale.decode(codes) for codes in read_frames(output.files["depth"], pixel_format="gray16le")]
    return np.stack(depth), np.stack(list(read_frames(output.files["mask"], pixel_format="gray")))


def test_depth_in_the_file_is_the_meshs_to_half_a_step(tmp_path: Path) -> None:
    fit, model = fit_arrays(), bowl_model()
    output = wild(tmp_path, fit)
    depth, mask = decoded(output)
    raster = rasterize(camera_vertices(model, fit), model.triangles, CAMERA)
    skin = np.isin(raster.triangle_id, model.skin_triangles)
    assert depth.shape == mask.shape == (5, SIDE_PX, SIDE_PX)
    np.testing.assert_array_equal(depth > 0, skin)
    assert np.abs(depth - raster.depth_m)[skin].max() <= output.values["depth_scale_m"] / 2 + 2e-7
    assert output.values["depth_near_m"] == pytest.approx(depth[skin].min(), abs=1e-5)
    assert output.values["depth_far_m"] == pytest.approx(depth[skin].max(), abs=1e-5)
    assert set(np.unique(mask)) == {0, 255}
    assert not (mask[~skin] > 0).any()
    assert (mask[skin] > 0).mean() > 0.98
    assert output.values["mask_source"] == "mesh"
    assert sorted(path.name for path in tmp_path.glob("mask*")) == ["mask.mkv"]


def test_hidden_vertices_leave_the_mask_only(tmp_path: Path) -> None:
    fit = fit_arrays(2)
    (tmp_path / "bare").mkdir()
    bare, _ = decoded(wild(tmp_path / "bare", fit))
    inlier = (bowl_model().mean[:, 0] < 0.02).astype(np.float32)
    output = wild(tmp_path, {**fit, "vertex_inlier": inlier})
    depth, mask = decoded(output)
    assert output.values["mask_source"] == "mesh+residual"
    np.testing.assert_allclose(depth, bare, atol=1e-5)
    points = CAMERA.unproject(depth[0])
    assert mask[0][(depth[0] > 0) & (points[..., 0] < 0)].mean() > 240
    assert not mask[0][(depth[0] > 0) & (points[..., 0] > 0.06)].any()


def test_a_capture_is_rendered_from_its_own_meshes(tmp_path: Path) -> None:
    fit, model = fit_arrays(3), bowl_model()
    (tmp_path / "wild").mkdir()
    expected, _ = decoded(wild(tmp_path / "wild", fit))
    np.savez(
        tmp_path / "capture.npz",
        vertices=camera_vertices(model, fit),
        triangles=model.triangles,
        skin_triangles=model.skin_triangles,
        camera_matrix=CAMERA.matrix,
    )
    given = StageInput(
        blobs={"capture": tmp_path / "capture.npz"}, values={"crop_side_px": SIDE_PX}, scratch=tmp_path
    )
    output = run(given, DepthSettings())
    np.testing.assert_allclose(decoded(output)[0], expected, atol=1e-5)
    assert output.values["mask_source"] == "mesh"
    assert set(output.files) == set(find_node("depth").gives)


def test_the_same_bytes_again_and_from_the_oracle_nearly(tmp_path: Path) -> None:
    outputs = []
    for name, backend in (("one", "numba"), ("two", "numba"), ("oracle", "reference")):
        folder = tmp_path / name
        folder.mkdir()
        settings = DepthSettings.model_validate({"skin": {"backend": backend}})
        outputs.append(wild(folder, fit_arrays(2), settings))
    for role, path in outputs[0].files.items():
        assert path.read_bytes() == outputs[1].files[role].read_bytes()
    assert outputs[2].values["rasterizer"] == "reference"
    depth, oracle = decoded(outputs[0])[0], decoded(outputs[2])[0]
    assert ((depth > 0) == (oracle > 0)).mean() > 0.999
    both = (depth > 0) & (oracle > 0)
    assert np.abs(depth - oracle)[both].max() < 1e-4


def test_a_mesh_out_of_sight_is_refused(tmp_path: Path) -> None:
    fit = fit_arrays(2)
    fit["translation"][:, 0] = 5.0
    with pytest.raises(Rejected) as error:
        wild(tmp_path, fit)
    assert error.value.reason == Reason.LOST_TRACK
