"""Mesh files: what was written is read, and what is broken or too large is an error, never a crash."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.mesh_files import MESH_FORMATS, parse_mesh, skin_triangle_ids

VERTICES = np.array([[0, 0, 0], [1.5, 0, 0], [0, 2.25, 0], [0, 0, -3]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3], [1, 3, 2]], np.int32)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def obj(vertices, faces):
    lines = ["# comment", "mtllib x.mtl", *(f"v {x} {y} {z}" for x, y, z in vertices)]
    lines += ["vt 0 0", "vn 0 0 1", "usemtl skin", *("f " + " ".join(face) for face in faces)]
    return "\n".join(lines).encode()


def ply(vertices, triangles, *, binary, extra=False):
    form = "binary_little_endian" if binary else "ascii"
    header = [
        "ply", f"format {form} 1.0", "comment made here", f"element vertex {len(vertices)}",
        "property float x", "property float y", "property float z",
        *(["property uchar red"] if extra else []),
        f"element face {len(triangles)}",
        *(["property uchar flags"] if extra else []),
        "property list uchar int vertex_indices", "end_header\n",
    ]  # fmt: skip
    if not binary:
        rows = [" ".join(map(str, [*v, *([7] if extra else [])])) for v in vertices.tolist()]
        rows += [" ".join(map(str, [*([1] if extra else []), len(t), *t])) for t in triangles]
        return ("\n".join(header) + "\n".join(rows)).encode()
    body = b"".join(struct.pack("<3f", *v) + (b"\x07" if extra else b"") for v in vertices.tolist())
    for face in triangles:
        body += (b"\x01" if extra else b"") + struct.pack(f"<B{len(face)}i", len(face), *face)
    return "\n".join(header).encode() + body


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_ply(binary, extra):
    mesh = parse_mesh(ply(VERTICES, TRIANGLES.tolist(), binary=binary, extra=extra), ".ply")
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.triangles, TRIANGLES)


@pytest.mark.parametrize("binary", [False, True])
def test_ply_polygons_become_fans(binary):
    mesh = parse_mesh(ply(VERTICES, [[0, 1, 2, 3], [1, 2, 3]], binary=binary), ".ply")
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [1, 2, 3]]


def test_obj_reads_the_first_number_of_a_corner_and_cuts_fans():
    faces = [["1/1/1", "2/1/1", "3/1/1", "4/1/1"], ["2//1", "4//1", "3//1"], ["-4", "-3", "-2"]]
    mesh = parse_mesh(obj(VERTICES, faces), ".obj")
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [1, 3, 2], [0, 1, 2]]


def test_npz_with_and_without_vertices():
    mesh = parse_mesh(npz(vertices=VERTICES, triangles=TRIANGLES), ".npz")
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.triangles, TRIANGLES)
    assert parse_mesh(npz(triangles=TRIANGLES), ".npz").vertices.shape == (0, 3)


def test_raw_vertices():
    mesh = parse_mesh(VERTICES.astype("<f4").tobytes(), ".bin")
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    assert mesh.triangles.shape == (0, 3)


def test_skin_needs_all_corners():
    assert skin_triangle_ids(TRIANGLES, np.array([0, 1, 2])).tolist() == [0]


def bomb():
    """An npz that unpacks to far more than it weighs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vertices.npy", b"\0" * (300 << 20))
    return buffer.getvalue()


def liar():
    """An npz whose array header promises more than follows."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 3)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("vertices.npy", header.getvalue())
    return buffer.getvalue()


def pickled():
    buffer = io.BytesIO()
    np.savez(buffer, vertices=np.array([[{}, 1, 2]], dtype=object))
    return buffer.getvalue()


HOSTILE = {
    "bomb": (bomb, ".npz"),
    "liar": (liar, ".npz"),
    "pickle": (pickled, ".npz"),
    "no zip": (lambda: b"PK\3\4 nonsense", ".npz"),
    "cut zip": (lambda: npz(vertices=VERTICES)[:-30], ".npz"),
    "wrong shape": (lambda: npz(vertices=VERTICES[:, :2]), ".npz"),
    "other names": (lambda: npz(points=VERTICES), ".npz"),
    "ids outside": (lambda: npz(vertices=VERTICES, triangles=TRIANGLES + 5), ".npz"),
    "negative id": (lambda: npz(vertices=VERTICES, triangles=-TRIANGLES), ".npz"),
    "nan": (lambda: npz(vertices=VERTICES * np.nan), ".npz"),
    "no ply": (lambda: b"solid cube", ".ply"),
    "ply of a billion": (
        lambda: ply(VERTICES, [], binary=True).replace(b"vertex 4", b"vertex 999999999"), ".ply"
    ),
    "ascii ply of a billion": (
        lambda: ply(VERTICES, [], binary=False).replace(b"vertex 4", b"vertex 999999999"), ".ply"
    ),
    "ply face too long": (
        lambda: ply(VERTICES, [[0, 1, 2, 3]], binary=True)[:-2], ".ply"
    ),
    "ply infinite id": (
        lambda: ply(VERTICES, [["inf", 1, 2]], binary=False), ".ply"
    ),
    "ply big endian": (
        lambda: ply(VERTICES, [], binary=True).replace(b"little", b"big"), ".ply"
    ),
    "empty obj": (lambda: b"# nothing", ".obj"),
    "obj words": (lambda: b"v a b c\nf 1 1 1", ".obj"),
    "obj short": (lambda: b"v 1 2", ".obj"),
    "obj id zero": (lambda: obj(VERTICES, [["0", "1", "2"]]), ".obj"),
    "obj far id": (lambda: obj(VERTICES, [["1", "2", "99999999999999999999"]]), ".obj"),
    "empty bin": (lambda: b"", ".bin"),
    "odd bin": (lambda: b"\0" * 13, ".bin"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_broken_files_are_value_errors(name):
    make, mesh_format = HOSTILE[name]
    data = make()
    with pytest.raises(ValueError, match=r"\w"):
        parse_mesh(data, mesh_format)


def test_promised_rows_are_compared_with_the_bytes_at_hand():
    data = ply(VERTICES, TRIANGLES.tolist(), binary=True).replace(b"face 3", b"face 999999999")
    with pytest.raises(ValueError, match="999999999 rows of 'face' need 999999999 bytes, 39 are left"):
        parse_mesh(data, ".ply")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_raise_nothing_but_value_errors(data):
    mesh_format = data.draw(st.sampled_from(MESH_FORMATS))
    whole = {
        ".npz": npz(vertices=VERTICES, triangles=TRIANGLES),
        ".ply": ply(VERTICES, TRIANGLES.tolist(), binary=data.draw(st.booleans()), extra=True),
        ".obj": obj(VERTICES, [["1", "2", "3"]]),
        ".bin": VERTICES.tobytes(),
    }[mesh_format]
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        mesh = parse_mesh(bytes(damaged), mesh_format)
    except ValueError:
        return
    assert mesh.vertices.shape[1] == mesh.triangles.shape[1] == 3
    assert np.isfinite(mesh.vertices).all()
