"""Studio readers: a known point projects to the same pixel whatever a set's conventions are."""

import json
import os

import numpy as np
import pytest

from rendering.camera import Camera
from rendering.undistort import mesh_in_camera
from tasks.media.capture_inputs import read_pose, read_template, read_vertices
from tasks.reasons import Reason
from tasks.sources.facescape import FacescapeSettings
from tasks.sources.generic_rig import GenericRigSet
from tasks.sources.multiface import MultifaceEntity

K = [[1200.0, 0, 255.5], [0, 1210.0, 300.25], [0, 0, 1]]
"""OpenCV's pixel coordinates: the first pixel's centre is (0, 0)."""
POINTS_M = np.array([[0.02, 0.03, 0.05], [-0.04, 0.01, 0.02], [0.01, -0.05, 0.0]])
TRIANGLES = np.array([[0, 1, 2]], np.int32)


def rotation(degrees, axis=1):
    angle = np.radians(degrees)
    turn = np.eye(3)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return turn


def matrix(turn, shift):
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = turn, shift
    return result


W2C = matrix(rotation(20) @ rotation(180, axis=0), [0.01, -0.02, 0.9])


def expected_px(points_world_m):
    """By hand: OpenCV axes, pixel coordinates of this project (corner origin)."""
    camera = points_world_m @ W2C[:3, :3].T + W2C[:3, 3]
    projected = camera @ np.array(K).T
    return projected[:, :2] / projected[:, 2:] + 0.5


def project(source, frame=0):
    """As the undistort stage does it: from the source's files and values to pixels."""
    values = source.values
    files = source.files
    vertices = read_vertices(
        files[f"mesh/{frame:06d}"], mesh_format=values["mesh_formats"][frame], count=None
    )
    pose = read_pose(files.get(f"pose/{frame:06d}"), unit_m=values["length_unit_m"])
    w2c = np.array(values["camera"]["world_to_camera"]).reshape(4, 4)
    in_camera = mesh_in_camera(vertices, w2c @ pose, unit_m=values["length_unit_m"])
    k = values["camera"]["matrix"]
    camera = Camera(
        focal_x_px=k[0], focal_y_px=k[4], center_x_px=k[2], center_y_px=k[5], width=512, height=600
    )
    return camera.project(in_camera.astype(float)), in_camera


def in_unit(matrix_m, unit_m):
    scaled = matrix_m.copy()
    scaled[:3, 3] /= unit_m
    return scaled


# the generic rig


def write_rig(root, *, unit="mm", convention="opencv", origin="center", pose=None, **changes):
    unit_m = {"m": 1.0, "cm": 0.01, "mm": 0.001}[unit]
    w2c = np.diag([1, -1, -1, 1]) @ W2C if convention == "opengl" else W2C
    k = np.array(K)
    k[:2, 2] += 0.5 if origin == "corner" else 0
    camera = {
        "id": "c1", "size": [512, 600], "K": k.tolist(), "dist": [], "w2c": in_unit(w2c, unit_m).tolist()
    }  # fmt: skip
    rig = {
        "format": "generic-rig", "version": 1, "units": unit, "convention": convention,
        "pixel_origin": origin, "cameras": [camera],
    } | changes  # fmt: skip
    for folder in ("images/ann/smile/c1", "meshes/ann/smile", "poses/ann/smile"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "rig.json").write_text(json.dumps(rig))
    (root / "images/ann/smile/c1/000.png").write_bytes(b"png")
    vertices = POINTS_M / unit_m
    if pose is not None:
        vertices = (POINTS_M - pose[:3, 3]) @ pose[:3, :3] / unit_m
        np.savetxt(root / "poses/ann/smile/000.txt", in_unit(pose, unit_m))
    np.savez(root / "meshes/ann/smile/000.npz", vertices=vertices.astype(np.float32), triangles=TRIANGLES)
    return root


@pytest.mark.parametrize("unit", ["m", "cm", "mm"])
@pytest.mark.parametrize("convention", ["opencv", "opengl"])
@pytest.mark.parametrize("origin", ["center", "corner"])
@pytest.mark.parametrize("pose", [None, matrix(rotation(30, axis=2), [0.1, 0.2, -0.3])])
def test_generic_rig_projects_the_point(tmp_path, unit, convention, origin, pose):
    root = write_rig(tmp_path, unit=unit, convention=convention, origin=origin, pose=pose)
    (source,) = GenericRigSet(folder=root).scan().sources
    pixels, in_camera = project(source)
    np.testing.assert_allclose(pixels, expected_px(POINTS_M), atol=2e-3)
    np.testing.assert_allclose(in_camera, POINTS_M @ W2C[:3, :3].T + W2C[:3, 3], atol=1e-6)


def test_generic_rig_names_and_files(tmp_path):
    root = write_rig(tmp_path, template="template.npz", face_vertex_ids="ids.npy")
    np.savez(root / "template.npz", triangles=TRIANGLES)
    np.save(root / "ids.npy", np.array([0, 1, 2]))
    (root / "images/ann/smile/c1/001.jpg").write_bytes(b"jpg")
    (root / "meshes/ann/smile/002.npz").write_bytes(b"npz")
    (root / "licence.txt").touch()
    (source,) = GenericRigSet(folder=root).scan().sources
    assert (source.source_name, source.subject_id, source.kind) == ("ann/smile/c1", "ann", "studio")
    assert [frame.name for frame in source.frames] == ["000"]
    assert source.note == "1 frames left out, they have no mesh: 001"
    assert set(source.files) == {"image/000000", "mesh/000000", "template", "face_vertices"}
    template = read_template(
        source.files["template"], mesh_format=".npz", face_vertices=source.files["face_vertices"]
    )
    assert template.skin_triangles.tolist() == [0]


def test_capture_without_any_mesh_is_a_row(tmp_path):
    root = write_rig(tmp_path)
    (root / "meshes/ann/smile/000.npz").unlink()
    (row,) = GenericRigSet(folder=root).scan().rejected
    assert (row.kind, row.source_name, row.reason) == ("studio", "ann/smile/c1", Reason.UNREADABLE)


def test_capture_with_an_unsafe_file_is_refused(tmp_path):
    root = write_rig(tmp_path / "set")
    (tmp_path / "outside.png").write_bytes(b"x")
    (root / "images/ann/smile/c1/000.png").unlink()
    (root / "images/ann/smile/c1/000.png").symlink_to(tmp_path / "outside.png")
    (root / "images/ben").symlink_to(tmp_path)
    reasons = {row.source_name: row.reason for row in GenericRigSet(folder=root).scan().rejected}
    assert reasons == {"ann/smile/c1": Reason.UNSAFE_PATH, "images/ben": Reason.UNSAFE_PATH}
    (root / "images/ann/smile/c1/000.png").unlink()
    os.mkfifo(root / "images/ann/smile/c1/000.png")
    assert GenericRigSet(folder=root).scan().rejected[-1].reason is Reason.NOT_REGULAR


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": "inch"}, "units"),
        ({"dist": []}, "dist"),
        ({"version": 2}, "version"),
        ({"cameras": []}, "at least one"),
        ({"template": "../outside.npz"}, "not a file below"),
        ({"template": "missing.npz"}, "not a file below"),
        ({"template": "rig.json"}, "must end in"),
    ],
)
def test_wrong_rig_is_an_error(tmp_path, changes, message):
    (tmp_path / "outside.npz").touch()
    with pytest.raises(ValueError, match=message):
        GenericRigSet(folder=write_rig(tmp_path / "set", **changes)).scan()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("K", [[1200, 3, 0], [0, 1200, 0], [0, 0, 1]], "skew"),
        ("K", [[0, 0, 0], [0, 1200, 0], [0, 0, 1]], "focal"),
        ("K", [[1200, 0], [0, 1200]], "3x3"),
        ("dist", [0.1], "distortion coefficients"),
        ("w2c", (2 * np.eye(4)).tolist(), "last row"),
        ("w2c", np.diag([2.0, 2, 2, 1]).tolist(), "not a rotation"),
        ("w2c", np.diag([-1.0, 1, 1, 1]).tolist(), "not a rotation"),
        ("size", [0, 600], "size"),
        ("focal", 3, "focal"),
    ],
)
def test_wrong_camera_is_named(tmp_path, field, value, message):
    root = write_rig(tmp_path)
    rig = json.loads((root / "rig.json").read_text())
    rig["cameras"][0][field] = value
    (root / "rig.json").write_text(json.dumps(rig))
    with pytest.raises(ValueError, match=message):
        GenericRigSet(folder=root).scan()


def test_camera_that_the_rig_lacks_is_an_error(tmp_path):
    root = write_rig(tmp_path)
    (root / "images/ann/smile/c2").mkdir()
    (root / "images/ann/smile/c2/000.png").touch()
    with pytest.raises(ValueError, match="'c2'"):
        GenericRigSet(folder=root).scan()


# Multiface

HEAD = matrix(rotation(15, axis=0), [0.03, -0.02, 0.1])


def write_multiface(root):
    entity = root / "m--20180227--0000--6795937--GHS"
    meshes = entity / "tracked_mesh" / "E001_Neutral"
    images = entity / "images" / "E001_Neutral" / "400002"
    meshes.mkdir(parents=True)
    images.mkdir(parents=True)
    extrinsic, head = in_unit(W2C, 0.001)[:3], in_unit(HEAD, 0.001)[:3]
    rows = [*K, [0.01, 0, 0, 0, 0], *extrinsic.tolist()]
    block = "\n".join(["400002", *(" ".join(map(str, row)) for row in rows), "", ""])
    (entity / "KRT").write_text(block + block.replace("400002", "400004"))
    vertices = (POINTS_M - HEAD[:3, 3]) @ HEAD[:3, :3] / 0.001
    for frame in ("000102", "000105"):
        vertices.astype("<f4").tofile(meshes / f"{frame}.bin")
        np.savetxt(meshes / f"{frame}_transform.txt", head)
        (images / f"{frame}.png").write_bytes(b"png")
    lines = [*(f"v {x} {y} {z}" for x, y, z in vertices), "vt 0 0", "f 1/1 2/1 3/1"]
    (meshes / "000102.obj").write_text("\n".join(lines))
    (entity / "frame_list.txt").write_text("E001_Neutral 000102\nE001_Neutral 000105\n")
    return entity


def test_multiface_projects_the_point(tmp_path):
    (source,) = MultifaceEntity(folder=write_multiface(tmp_path)).scan().sources
    assert source.source_name == "6795937/E001_Neutral/400002"
    assert source.subject_id == "multiface/6795937"
    assert [frame.mesh.name for frame in source.frames] == ["000102.bin", "000105.bin"]
    assert source.values["template_format"] == ".obj"
    for frame in (0, 1):
        pixels, _ = project(source, frame)
        np.testing.assert_allclose(pixels, expected_px(POINTS_M), atol=2e-3)


def test_multiface_takes_listed_frames_with_a_mesh(tmp_path):
    entity = write_multiface(tmp_path)
    (entity / "tracked_mesh/E001_Neutral/000105.bin").unlink()
    (source,) = MultifaceEntity(folder=entity).scan().sources
    assert "000105" in source.note
    (entity / "frame_list.txt").write_text("E001_Neutral 000105\n")
    (row,) = MultifaceEntity(folder=entity).scan().rejected
    assert row.reason is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1200.0", "wide", ":1: camera '400002'"),
        ("400004", "400002", ":10: a second camera"),
        ("0.01 0 0 0 0", "0.01 0", "coefficients"),
        ("400004\n", "400004\n1 2 3\n", "not a whole number of cameras"),
    ],
)
def test_wrong_krt_is_named(tmp_path, old, new, message):
    entity = write_multiface(tmp_path)
    (entity / "KRT").write_text((entity / "KRT").read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=f"KRT.*{message}"):
        MultifaceEntity(folder=entity).scan()


def test_wrong_frame_list_is_named(tmp_path):
    entity = write_multiface(tmp_path)
    (entity / "frame_list.txt").write_text("E001_Neutral 000102\nE001_Neutral\n")
    with pytest.raises(ValueError, match=r"frame_list\.txt:2:"):
        MultifaceEntity(folder=entity).scan()


# FaceScape

SCALE = 85.0  # mm per unit of the take's own coordinates
TO_MODEL = matrix(rotation(70), [12.0, -40.0, 7.0])


def write_facescape(root, *, registered):
    take = root / "images" / "12" / "4_anger"
    take.mkdir(parents=True)
    own = POINTS_M / (SCALE * 0.001)
    own_w2c = in_unit(W2C, SCALE * 0.001)
    params = {}
    for view, valid in (("0", True), ("1", False), ("2", True), ("10", True)):
        params |= {
            f"{view}_K": np.pad(K, ((0, 1), (0, 1))).tolist(), f"{view}_Rt": own_w2c[:3].tolist(),
            f"{view}_distortion": [0.1, 0, 0, 0, 0], f"{view}_width": 512, f"{view}_height": 600,
            f"{view}_valid": valid, f"{view}_matches": 9, f"{view}_sn": "x", f"{view}_ori": "y",
        }  # fmt: skip
    (take / "params.json").write_text(json.dumps(params))
    for view in ("0", "1", "10"):
        (take / f"{view}.jpg").write_bytes(b"jpg")
    (root / "scales.json").write_text(json.dumps({"12": {"4": [SCALE, TO_MODEL[:3].tolist()]}}))
    meshes = root / "meshes" / "12"
    (meshes / "models_reg").mkdir(parents=True)
    if registered:
        model = SCALE * own @ TO_MODEL[:3, :3].T + TO_MODEL[:3, 3]
        lines = [*(f"v {x:.8f} {y:.8f} {z:.8f}" for x, y, z in model), "f 1 2 3"]
        (meshes / "models_reg" / "4_anger.obj").write_text("\n".join(lines))
    else:
        header = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
        header += "property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
        rows = "\n".join(f"{x:.9f} {y:.9f} {z:.9f}" for x, y, z in own)
        (meshes / "4_anger.ply").write_text(f"{header}{rows}\n3 0 1 2\n")
    return FacescapeSettings(images=root / "images", meshes=root / "meshes", scales=root / "scales.json")


@pytest.mark.parametrize("registered", [False, True])
def test_facescape_projects_the_point_in_metres(tmp_path, registered):
    catalogue = write_facescape(tmp_path, registered=registered).scan()
    assert [source.source_name for source in catalogue.sources] == ["12/4_anger/0", "12/4_anger/10"]
    pixels, in_camera = project(catalogue.sources[0])
    np.testing.assert_allclose(pixels, expected_px(POINTS_M), atol=2e-3)
    np.testing.assert_allclose(in_camera, POINTS_M @ W2C[:3, :3].T + W2C[:3, 3], atol=1e-6)
    assert catalogue.sources[0].camera.distortion == (0.1, 0, 0, 0, 0)


def test_facescape_views_that_cannot_be_used_are_rows(tmp_path):
    settings = write_facescape(tmp_path, registered=False)
    rows = {row.source_name: row.reason for row in settings.scan().rejected}
    assert rows == {"12/4_anger/1": Reason.CORRUPT, "12/4_anger/2": Reason.UNREADABLE}
    (tmp_path / "scales.json").write_text("{}")
    rejected = settings.scan().rejected
    assert len(rejected) == 4
    assert all("lacks the take's scale" in row.detail for row in rejected)
    (tmp_path / "meshes/12/4_anger.ply").unlink()
    assert all("mesh is missing" in row.detail for row in settings.scan().rejected)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("scales.json", '{"12": {"4": [0, []]}}', "4_anger"),
        ("scales.json", '{"12": {"4": 7}}', "4_anger"),
        ("scales.json", "[]", "need an object"),
        ("images/12/4_anger/params.json", '{"0_K": []}', "lacks '0_valid'"),
        ("images/12/4_anger/params.json", "{", "params.json"),
    ],
)
def test_wrong_json_is_named(tmp_path, file, text, message):
    settings = write_facescape(tmp_path, registered=False)
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        settings.scan()
