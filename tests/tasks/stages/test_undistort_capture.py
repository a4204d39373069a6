"""Stage undistort: picture and mesh agree to a fraction of a pixel, and bad files have reasons."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from rendering.camera import Camera
from rendering.rasterizers.rasterize import rasterize
from tasks.media.video_files import read_frames
from tasks.reasons import Reason, Rejected
from tasks.sources.capture_files import convert_camera
from tasks.sources.source import CaptureFrame, CaptureSource
from tasks.stage import StageInput
from tasks.stages.undistort_capture import UndistortSettings, run
from tests.nodes import find_node

SIZE = (720, 600)
K = np.array([[900.0, 0, 371.2], [0, 905.0, 290.6], [0, 0, 1]])
"""OpenCV's pixel coordinates."""
LENS = [-0.16, 0.07, 0.002, -0.0015]
RADIUS_M = 0.08
W2C = np.array([[1.0, 0, 0, 0.01], [0, -1, 0, 0.02], [0, 0, -1, 0.7], [0, 0, 0, 1]])
POSE = np.array([[0.0, 0, 1, 0.01], [0, 1, 0, 0], [-1, 0, 0, -0.02], [0, 0, 0, 1]])


def ball():
    """The half of a ball that faces the camera, in world metres."""
    turns, steps = 48, 24
    around = np.arange(turns) * 2 * np.pi / turns
    from_pole = np.linspace(0.02, np.pi / 2, steps)
    around, from_pole = np.meshgrid(around, from_pole)
    points = RADIUS_M * np.stack(
        [np.sin(from_pole) * np.cos(around), np.sin(from_pole) * np.sin(around), np.cos(from_pole)], axis=-1
    )
    index = np.arange(steps * turns).reshape(steps, turns)
    right = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], right[:-1], right[1:], index[1:]], axis=-1).reshape(-1, 4)
    return points.reshape(-1, 3), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def paint(points_world_m):
    """Grey of the ball's surface: a pixel is about twelve grey levels."""
    x, y = points_world_m[..., 0], points_world_m[..., 1]
    return 128 + 60 * np.sin(600 * x) + 50 * np.sin(600 * y + 1)


def photograph():
    """The painted ball through the lens, ray by ray."""
    columns, rows = np.meshgrid(np.arange(SIZE[0], dtype=float), np.arange(SIZE[1], dtype=float))
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_COUNT, 40, 0.0)
    rays = cv2.undistortPointsIter(pixels, K, np.array(LENS), None, None, stop).reshape(*columns.shape, 2)
    rays = np.concatenate([rays, np.ones((*columns.shape, 1))], axis=-1)
    center = W2C[:3, 3]
    a, b, c = (rays**2).sum(-1), -2 * rays @ center, center @ center - RADIUS_M**2
    root = b * b - 4 * a * c
    distance = (-b - np.sqrt(np.maximum(root, 0))) / (2 * a)
    world = (rays * distance[..., None] - W2C[:3, 3]) @ W2C[:3, :3]
    grey = np.where(root > 0, paint(world), 90)
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", compress_level=1)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def picture():
    return png(photograph())


@pytest.fixture
def source(tmp_path, picture):
    """A capture of two frames: the same picture, its mesh once with a pose and centimetres."""
    vertices, triangles = ball()
    in_head_cm = (vertices - POSE[:3, 3]) @ POSE[:3, :3] * 100
    np.savez(tmp_path / "template.npz", triangles=triangles)
    np.save(tmp_path / "ids.npy", np.arange(len(vertices) // 2))
    pose_cm = POSE.copy()
    pose_cm[:3, 3] *= 100
    w2c_cm = W2C.copy()
    w2c_cm[:3, 3] *= 100
    frames = []
    for name in ("000", "001"):
        (tmp_path / f"{name}.png").write_bytes(picture)
        np.savez(tmp_path / f"{name}.npz", vertices=in_head_cm.astype(np.float32))
        np.savetxt(tmp_path / f"{name}.txt", pose_cm)
        frames.append(
            CaptureFrame(
                name=name,
                image=tmp_path / f"{name}.png",
                mesh=tmp_path / f"{name}.npz",
                pose=tmp_path / f"{name}.txt",
            )
        )
    camera = convert_camera(K, distortion=LENS, world_to_camera=w2c_cm, size=SIZE, unit_m=0.01)
    return CaptureSource(
        clip_id="0" * 16,
        source_name="ball/take/cam",
        subject_id="ball",
        subset="generic",
        camera=camera,
        length_unit_m=0.01,
        frames=tuple(frames),
        template=tmp_path / "template.npz",
        face_vertices=tmp_path / "ids.npy",
    )


def run_on(source, tmp_path, **changes):
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    values = {
        name: value for name, value in source.values.items() if name in find_node("undistort").reads
    } | changes
    return run(StageInput(blobs=source.files, values=values, scratch=scratch), UndistortSettings())


def crop_camera(matrix):
    return Camera(
        focal_x_px=matrix[0],
        focal_y_px=matrix[4],
        center_x_px=matrix[2],
        center_y_px=matrix[5],
        width=512,
        height=512,
    )


def test_mesh_and_picture_agree(source, tmp_path):
    output = run_on(source, tmp_path)
    with np.load(output.files["capture"], allow_pickle=False) as file:
        capture = dict(file)
    assert capture["vertices"].shape == (2, 48 * 24, 3)
    assert capture["vertices"].dtype == np.float32
    camera = crop_camera(output.values["camera_matrix"])
    np.testing.assert_allclose(capture["camera_matrix"], camera.matrix)
    raster = rasterize(capture["vertices"], capture["triangles"], camera)
    frames = list(read_frames(output.files["crop"], pixel_format="rgb24"))
    assert len(frames) == output.values["frames"] == 2
    for depth, frame in zip(raster.depth_m, frames, strict=True):
        inside = cv2.erode((depth > 0).astype(np.uint8), np.ones((9, 9))) > 0
        world = (camera.unproject(depth) - W2C[:3, 3]) @ W2C[:3, :3]
        difference = frame[..., 1] - paint(world)
        assert inside.sum() > 20_000
        assert np.abs(difference[inside]).mean() < 2
        # shifted by a pixel the same picture differs by about 12
        assert np.abs(np.roll(frame[..., 1], 1, axis=1) - paint(world))[inside].mean() > 8


def test_skin_is_where_all_corners_are_face_vertices(source, tmp_path):
    output = run_on(source, tmp_path)
    with np.load(output.files["capture"], allow_pickle=False) as file:
        corners = file["triangles"][file["skin_triangles"]]
        assert corners.max() == 48 * 12 - 1
        assert len(file["skin_triangles"]) < len(file["triangles"])


def test_square_lies_around_the_faces_of_all_frames(source, tmp_path):
    moved = np.loadtxt(source.frames[1].pose)
    moved[0, 3] += 3.0
    np.savetxt(source.frames[1].pose, moved)
    output = run_on(source, tmp_path)
    with np.load(output.files["capture"], allow_pickle=False) as file:
        skin = np.unique(file["triangles"][file["skin_triangles"]])
        points = crop_camera(output.values["camera_matrix"]).project(file["vertices"][:, skin].astype(float))
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    assert ((low > 0) & (high < 512)).all()
    assert (high - low).max() == pytest.approx(512 / 2.2, abs=1)
    middle = (low + high) / 2
    assert middle[0] == pytest.approx(256, abs=1)
    assert middle[1] == pytest.approx(256 + 0.1 * 512, abs=1)


def test_crop_transform_takes_source_pixels_to_crop_pixels(source, tmp_path):
    values = run_on(source, tmp_path).values
    transform = np.array(values["crop_transform"]).reshape(3, 3)
    full = K.copy()
    full[:2, 2] += 0.5
    np.testing.assert_allclose(transform @ full, np.array(values["camera_matrix"]).reshape(3, 3), atol=1e-9)
    assert values["focal_px"] == 900
    assert values["crop_size_px"] == pytest.approx(512 / transform[0, 0])


def test_same_input_same_bytes(source, tmp_path):
    first = {role: path.read_bytes() for role, path in run_on(source, tmp_path).files.items()}
    assert first == {role: path.read_bytes() for role, path in run_on(source, tmp_path).files.items()}


def reason_of(source, tmp_path, **changes):
    with pytest.raises(Rejected) as caught:
        run_on(source, tmp_path, **changes)
    return caught.value.reason


def test_bad_pictures(source, tmp_path, picture):
    second = source.frames[1].image
    for content, reason in (
        (b"no picture", Reason.NOT_MEDIA),
        (b"", Reason.NOT_MEDIA),
        (picture[: len(picture) // 2], Reason.TRUNCATED),
        (picture[:5000] + b"\0" * 100 + picture[5100:], Reason.CORRUPT),
        (png(np.zeros((100, 100, 3), np.uint8)), Reason.CORRUPT),
        (png(np.zeros((600, 720), np.uint16)), Reason.FORBIDDEN_FORMAT),
    ):
        second.write_bytes(content)
        assert reason_of(source, tmp_path) is reason


def test_picture_that_declares_too_many_pixels_is_refused_before_decoding(source, tmp_path):
    header = bytearray(png(np.zeros((8, 8, 3), np.uint8)))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    crc = __import__("zlib").crc32(header[12:29])
    header[29:33] = crc.to_bytes(4, "big")
    source.frames[0].image.write_bytes(header)
    assert reason_of(source, tmp_path) is Reason.TOO_LARGE


def test_bad_meshes_and_poses(source, tmp_path):
    frame = source.frames[1]
    good = frame.mesh.read_bytes()
    for content in (b"PK nonsense", good[:-40]):
        frame.mesh.write_bytes(content)
        assert reason_of(source, tmp_path) is Reason.CORRUPT
    np.savez(frame.mesh, vertices=np.zeros((5, 3), np.float32))
    assert reason_of(source, tmp_path) is Reason.CORRUPT
    frame.mesh.write_bytes(good)
    for text in ("1 2 3", "a b c d\n" * 4, "2 0 0 0\n0 2 0 0\n0 0 2 0\n", "nan 0 0 0\n0 1 0 0\n0 0 1 0\n"):
        frame.pose.write_text(text)
        assert reason_of(source, tmp_path) is Reason.CORRUPT


def test_bad_templates(source, tmp_path):
    np.save(source.face_vertices, np.array([10_000]))
    assert reason_of(source, tmp_path) is Reason.CORRUPT
    np.save(source.face_vertices, np.array([{}], dtype=object), allow_pickle=True)
    assert reason_of(source, tmp_path) is Reason.CORRUPT
    np.save(source.face_vertices, np.arange(3))
    np.savez(source.template, triangles=np.array([[0, 1, 2], [0, 1, 60_000]], np.int32))
    assert reason_of(source, tmp_path) is Reason.CORRUPT


def test_wrong_unit_or_place_is_refused(source, tmp_path):
    with pytest.raises(Rejected, match="check the set's unit"):
        run_on(source, tmp_path, length_unit_m=1.0)
    camera = source.values["camera"]
    aside = [*camera["world_to_camera"]]
    aside[3] += 0.5
    out_of_picture = camera | {"world_to_camera": aside}
    assert reason_of(source, tmp_path, camera=out_of_picture) is Reason.NO_FACE
    far = [*camera["world_to_camera"]]
    far[11] += 5
    assert reason_of(source, tmp_path, camera=camera | {"world_to_camera": far}) is Reason.SMALL_FACE
