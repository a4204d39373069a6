"""The embedded studio set, read back by the rules of docs/formats/generic_rig.md."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rendering.camera import Camera
from rendering.rasterizers.rasterize import rasterize
from tasks.embedded.make_studio import TAKES, make_embedded_studio
from tasks.sources.generic_rig import GenericRigSet


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedded_studio(tmp_path_factory.mktemp("studio"), subjects=2)


@pytest.fixture(scope="module")
def rig(studio: Path) -> dict:
    return json.loads((studio / "rig.json").read_text())


def seen(camera: dict, vertices_mm: np.ndarray) -> np.ndarray:
    matrix = np.array(camera["w2c"])
    return ((vertices_mm @ matrix[:3, :3].T + matrix[:3, 3]) / 1000).astype(np.float32)


def pinhole(camera: dict) -> Camera:
    matrix, (width, height) = np.array(camera["K"]), camera["size"]
    return Camera(
        focal_x_px=matrix[0, 0],
        focal_y_px=matrix[1, 1],
        center_x_px=matrix[0, 2] + 0.5,
        center_y_px=matrix[1, 2] + 0.5,
        width=width,
        height=height,
    )


def test_every_capture_is_found_by_the_reader(studio: Path) -> None:
    catalogue = GenericRigSet(folder=studio).scan()
    assert len(catalogue.sources) == 2 * len(TAKES) * 3
    assert not catalogue.rejected
    assert {source.subject_id for source in catalogue.sources} == {"subject_00", "subject_01"}


def test_depth_from_the_files_is_the_true_depth(studio: Path, rig: dict) -> None:
    triangles = np.load(studio / "template.npz")["triangles"]
    listed = np.load(studio / "face_vertex_ids.npy")
    skin = triangles[np.isin(triangles, listed).all(axis=1)]
    mesh_mm = np.load(studio / "meshes/subject_00/open/000000.npz")["vertices"]
    for camera in rig["cameras"]:
        truth = np.load(studio / f"truth/subject_00_open_{camera['id']}.npz")["depth_m"]
        whole = rasterize(seen(camera, mesh_mm)[None], triangles, pinhole(camera))
        visible = whole.depth_m[0] * np.isin(triangles[whole.triangle_id[0]], skin).all(axis=-1)
        both = (visible > 0) & (truth > 0)
        assert both.sum() > 0.99 * (truth > 0).sum() > 30_000
        assert np.quantile(np.abs(visible - truth)[both], 0.99) < 1e-5


def test_an_obj_with_its_pose_lies_in_the_picture(studio: Path, rig: dict) -> None:
    name = "subject_01/neutral"
    lines = (studio / f"meshes/{name}/000000.obj").read_text().splitlines()
    head = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    faces = np.array([line.split()[1:] for line in lines if line.startswith("f ")], np.int32) - 1
    assert np.array_equal(faces, np.load(studio / "template.npz")["triangles"])
    pose = np.loadtxt(studio / f"poses/{name}/000000.txt")
    world = head @ pose[:3, :3].T + pose[:3, 3]
    for camera in rig["cameras"]:
        picture = cv2.imread(str(studio / f"images/{name}/{camera['id']}/000000.jpg"))
        matrix = np.array(camera["K"])
        straight = cv2.undistort(picture, matrix, np.array(camera["dist"]))
        covered = rasterize(seen(camera, world)[None], faces, pinhole(camera)).triangle_id[0] >= 0
        # The outline of the mesh is where the undistorted picture has its strongest edge.
        outline = covered ^ cv2.erode(covered.astype(np.uint8), np.ones((3, 3))).astype(bool)
        grey = cv2.GaussianBlur(cv2.cvtColor(straight, cv2.COLOR_BGR2GRAY), (0, 0), 1).astype(float)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1))

        def steepness(shift: int, outline: np.ndarray = outline, slope: np.ndarray = slope) -> float:
            return float(slope[np.roll(outline, shift, axis=1)].mean())

        assert max(range(-6, 7), key=steepness) in (-1, 0, 1)
        assert max(abs(value) for value in camera["dist"]) > 0.01


def test_the_same_call_gives_the_same_bytes(studio: Path, tmp_path: Path) -> None:
    make_embedded_studio(tmp_path, subjects=1)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > 20
    for name in files:
        assert (tmp_path / name).read_bytes() == (studio / name).read_bytes(), name
