"""What show-clip writes agrees with the row and with itself, seen with plain numpy and OpenCV."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from flows.show_clip import ShowClipSettings, show_clip
from rendering.face_model import face_model_from_arrays
from tests.conftest import RealBuild
from tests.source_folder import FRAMES, SILENT, SPEAKER


def show(build: RealBuild, name: str, out: Path) -> Path:
    clip = build.rows[name].clip_id
    told = show_clip.fn(ShowClipSettings(store=build.store.root, name="small", clip=clip, out=out))
    assert set(told.files) == {path.name for path in out.iterdir()}
    return out


@pytest.fixture(scope="module")
def shown(real_build: RealBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return show(real_build, SPEAKER, tmp_path_factory.mktemp("shown") / "clip")


@pytest.fixture(scope="module")
def told(shown: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((shown / "clip.json").read_text())
    return described


@pytest.fixture(scope="module")
def face(shown: Path) -> NDArray[np.float64]:
    """The fitted mesh's facial skin in camera space, (N, V, 3) m."""
    with np.load(shown / "face_model.npz") as arrays:
        model = face_model_from_arrays(dict(arrays))
    with np.load(shown / "fit.npz") as fit:
        vertices = model.vertices(fit["identity"], fit["expression"])
        rotation = Rotation.from_rotvec(fit["rotation"]).as_matrix()
        head = vertices @ rotation.swapaxes(1, 2) + fit["translation"][:, None]
    return np.asarray(head[:, np.unique(model.triangles[model.skin_triangles])])


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(path))
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    return frames


def test_arrays_have_the_shapes_that_are_promised(shown: Path) -> None:
    depth_m, mask = np.load(shown / "depth_m.npy"), np.load(shown / "mask.npy")
    assert (depth_m.shape, depth_m.dtype) == ((FRAMES, 512, 512), np.float32)
    assert (mask.shape, mask.dtype) == ((FRAMES, 512, 512), np.uint8)
    assert set(np.unique(mask)) == {0, 255}
    assert np.load(shown / "landmarks.npy").shape == (FRAMES, 478, 3)
    assert np.load(shown / "wav2vec.npy").shape[0] == FRAMES
    with wave.open(str(shown / "audio.wav")) as audio:
        assert (audio.getnframes(), audio.getframerate(), audio.getnchannels()) == (640 * FRAMES, 16_000, 1)
    assert [frame.shape for frame in frames_of(shown / "crop.mp4")] == [(512, 512, 3)] * FRAMES


def test_clip_json_is_the_row(real_build: RealBuild, told: dict[str, Any]) -> None:
    row = real_build.rows[SPEAKER]
    assert told["row"] == row.model_dump(mode="json")
    assert told["dataset"] == {"name": "small", "number": 1, "root": real_build.outcome.version}
    assert np.ravel(told["crop_transform"]).tolist() == list(row.crop_transform or ())
    assert np.ravel(told["camera"]["matrix"]).tolist() == list(row.camera_matrix or ())


def test_depth_is_metric_and_within_the_rows_range(shown: Path, told: dict[str, Any]) -> None:
    depth_m = np.load(shown / "depth_m.npy")
    surface = depth_m[depth_m > 0]
    assert surface.min() == pytest.approx(told["row"]["depth_near_m"], abs=1e-4)
    assert surface.max() == pytest.approx(told["row"]["depth_far_m"], abs=1e-4)


def test_the_camera_projects_the_fitted_mesh_onto_its_depth_and_mask(
    shown: Path, told: dict[str, Any], face: NDArray[np.float64]
) -> None:
    matrix = np.array(told["camera"]["matrix"])
    depth_m, mask = np.load(shown / "depth_m.npy"), np.load(shown / "mask.npy")
    for frame in (0, FRAMES // 2, FRAMES - 1):
        points = face[frame] @ matrix.T
        pixels = points[:, :2] / points[:, 2:]
        hull = cv2.convexHull(pixels.astype(np.float32)).astype(np.int32)
        outline = cv2.fillConvexPoly(np.zeros((512, 512), np.uint8), hull, 255)
        assert np.mean(outline[mask[frame] > 0] > 0) > 0.995, "skin outside of the mesh"
        column, line = np.floor(pixels).astype(int).T
        seen = (column >= 1) & (column < 511) & (line >= 1) & (line < 511)
        seen[seen] = mask[frame][line[seen], column[seen]] > 0
        behind_m = points[seen, 2] - depth_m[frame][line[seen], column[seen]]
        assert seen.sum() > 500
        assert np.median(np.abs(behind_m)) < 5e-4
        assert np.mean(behind_m < 3e-3) > 0.85, "most of the skin is in sight"
        assert np.mean(behind_m > -3e-3) > 0.99, "nothing is before the nearest surface"


def test_the_transform_takes_source_pixels_to_crop_pixels(
    real_build: RealBuild, shown: Path, told: dict[str, Any]
) -> None:
    sources = frames_of(real_build.sources / "clips" / SPEAKER)
    crops = frames_of(shown / "crop.mp4")
    # corner pixel origin here, centres in OpenCV
    to_corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    transform = np.linalg.inv(to_corner) @ np.array(told["crop_transform"]) @ to_corner
    inside = np.zeros((512, 512), bool)
    inside[60:-60, 60:-60] = True

    def misfit(moved_px: float) -> float:
        shift = np.array([[1, 0, moved_px], [0, 1, 0], [0, 0, 1]])
        warped = cv2.warpAffine(sources[5], (shift @ transform)[:2], (512, 512), flags=cv2.INTER_CUBIC)
        return float(np.abs(warped.astype(float) - crops[5])[inside].mean())

    assert misfit(0) < 3
    assert misfit(0) < min(misfit(-2), misfit(2))


def test_what_a_clip_lacks_is_left_out(real_build: RealBuild, tmp_path: Path) -> None:
    out = show(real_build, SILENT, tmp_path / "silent")
    assert {"audio.wav", "wav2vec.npy"} & {path.name for path in out.iterdir()} == set()
    assert (out / "depth_m.npy").exists()


def test_a_capture_has_its_picture_depth_and_camera(real_build: RealBuild, tmp_path: Path) -> None:
    name = next(name for name, row in real_build.rows.items() if row.kind == "studio")
    out = show(real_build, name, tmp_path / "capture")
    assert {"crop.mp4", "capture.npz", "depth_m.npy", "mask.npy", "clip.json"} <= {
        path.name for path in out.iterdir()
    }
    assert np.load(out / "depth_m.npy").max() > 0.5


def test_a_quarantined_clip_is_refused_with_its_reason(real_build: RealBuild, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="truncated"):
        show(real_build, "cut.mp4", tmp_path / "cut")
