"""Rasterizer against embreex on facial skin at 512 px, one thread: speed and agreement, as one JSON object.

python benchmarks/rasterizer.py [--face-model F/ict.npz]    (native .npz, or the ICT-FaceKit array file;
                                                             without it the builtin head)
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter
from scipy.spatial.transform import Rotation

from rendering.builtin.head import builtin_head
from rendering.camera import Camera
from rendering.face_model import face_model_from_arrays
from rendering.rasterizers.raster import empty_raster
from rendering.rasterizers.rasterize import rasterize

Mesh = tuple[NDArray[np.float32], NDArray[np.int32]]

CAMERA = Camera.centered(1100.0, 512, 512)
DIRECTIONS = CAMERA.unproject(np.ones((512, 512))).astype(np.float32)
"""Rays with z = 1, so that a hit's distance is its depth."""
FRAMES = 8
DISTANCE_M = 0.6
EDGE_PX = 2
"""Pixels nearer than this to a change of triangle by a jump in depth, or to the outline, are on an edge."""


def skin_meshes(face_model: Path | None) -> Mesh:
    """Facial skin alone, FRAMES identities, expressions and poses: vertices (N, V, 3) m and triangles."""
    heads, triangles = random_heads(face_model, np.random.default_rng(0))
    used, compact = np.unique(triangles, return_inverse=True)
    heads = heads[:, used] - heads[:, used].mean(axis=1, keepdims=True)
    turns = Rotation.from_euler("yxz", np.random.default_rng(1).uniform(-25, 25, (FRAMES, 3)), degrees=True)
    placed = np.einsum("nij,nvj->nvi", turns.as_matrix(), heads)
    placed[..., 2] += DISTANCE_M
    return placed.astype(np.float32), compact.reshape(-1, 3).astype(np.int32)


def random_heads(face_model: Path | None, random: np.random.Generator) -> Mesh:
    """Whole heads (N, V, 3) m, x right, y down, z away from the camera, and their skin triangles (S, 3)."""
    if face_model is None:
        model = builtin_head().face_model
    else:
        with np.load(face_model, allow_pickle=False) as file:
            arrays = dict(file)
        if "neutral" in arrays:
            return ict_heads(arrays, random)
        model = face_model_from_arrays(arrays)
    identity = random.normal(size=(FRAMES, 50)).astype(np.float32)
    expression = random.normal(size=(FRAMES, 1, 25)).astype(np.float32)
    heads = [model.vertices(*pair) for pair in zip(identity, expression, strict=True)]
    return np.concatenate(heads), model.triangles[model.skin_triangles]


def ict_heads(arrays: dict[str, NDArray[Any]], random: np.random.Generator) -> Mesh:
    """The same from the arrays of ICT-FaceKit (x right, y up, z out of the face)."""
    identity = np.tensordot(random.normal(size=(FRAMES, 100)), arrays["identity_basis"].astype(float), axes=1)
    weights = random.uniform(0, 0.3, (FRAMES, len(arrays["expression_basis"])))
    expression = np.tensordot(weights, arrays["expression_basis"].astype(float), axes=1)
    heads = (arrays["neutral"] + identity + expression) * [1, -1, -1]
    triangles = arrays["triangles"]
    narrow = (triangles < int(arrays["narrow_face_vertices"])).all(axis=1)
    return heads.astype(np.float32), triangles[narrow].astype(np.int32)


def cast(
    vertices: NDArray[np.float32], triangles: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The same picture by embreex: a new BVH and one ray a pixel in the bounding box."""
    pixels = CAMERA.project(vertices)
    low = np.clip(np.floor(pixels.min(axis=0)).astype(int), 0, CAMERA.width)
    high = np.clip(np.ceil(pixels.max(axis=0)).astype(int), 0, CAMERA.width)
    box = (slice(low[1], high[1]), slice(low[0], high[0]))
    direction = np.ascontiguousarray(DIRECTIONS[box].reshape(-1, 3))
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, vertices, triangles)
    hit = scene.run(np.zeros_like(direction), direction, query="INTERSECT", output=True)
    ids = np.full((CAMERA.height, CAMERA.width), -1, np.int32)
    depth = np.zeros((CAMERA.height, CAMERA.width), np.float32)
    found = hit["primID"].astype(np.int64).astype(np.int32).reshape(high[1] - low[1], high[0] - low[0])
    ids[box] = found
    depth[box] = np.where(found >= 0, hit["tfar"].reshape(found.shape), 0)
    return ids, depth


def milliseconds(work: Callable[[int], object], repeats: int) -> float:
    """CPU time of one frame, the best of some rounds over all frames."""
    rounds = []
    for _ in range(repeats):
        start = time.process_time()
        for frame in range(FRAMES):
            work(frame)
        rounds.append((time.process_time() - start) / FRAMES * 1e3)
    return min(rounds)


def away_from_edges(depth_m: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels whose neighbourhood is all surface without a jump (5 mm) in depth."""
    size = 2 * EDGE_PX + 1
    nearest, farthest = minimum_filter(depth_m, size), -minimum_filter(-depth_m, size)
    return np.asarray((nearest > 0) & (farthest - nearest < 5e-3))


def compare(vertices: NDArray[np.float32], triangles: NDArray[np.int32]) -> dict[str, float]:
    """Agreement of numba with embreex and with the reference over all frames."""
    raster = rasterize(vertices, triangles, CAMERA)
    oracle = rasterize(vertices, triangles, CAMERA, backend="reference")
    same, covered, worst = 0, 0, 0.0
    for frame in range(FRAMES):
        ids, depth = cast(vertices[frame], triangles)
        surface = (ids >= 0) | (raster.triangle_id[frame] >= 0)
        same += int((ids == raster.triangle_id[frame])[surface].sum())
        covered += int(surface.sum())
        inner = away_from_edges(raster.depth_m[frame]) & away_from_edges(depth)
        worst = max(worst, float(np.abs(depth - raster.depth_m[frame])[inner].max()))
    return {
        "id_agreement_covered_pixels": same / covered,
        "id_agreement_all_pixels": 1 - (covered - same) / raster.triangle_id.size,
        "max_depth_difference_mm": worst * 1e3,
        "reference_ids_equal": float((oracle.triangle_id == raster.triangle_id).mean()),
        "covered_pixels_per_frame": covered / FRAMES,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--face-model", type=Path, help="native .npz or ICT-FaceKit array file")
    vertices, triangles = skin_meshes(parser.parse_args().face_model)
    agreement = compare(vertices, triangles)  # also compiles
    out = empty_raster(1, CAMERA)
    numba_ms = milliseconds(lambda k: rasterize(vertices[k : k + 1], triangles, CAMERA, out=out), 20)
    embreex_ms = milliseconds(lambda k: cast(vertices[k], triangles), 5)
    reference_ms = milliseconds(
        lambda k: rasterize(vertices[k : k + 1], triangles, CAMERA, backend="reference", out=out), 2
    )
    figures = {
        "vertices": vertices.shape[1],
        "triangles": len(triangles),
        "numba_ms": numba_ms,
        "embreex_ms": embreex_ms,
        "reference_ms": reference_ms,
        "embreex_over_numba": embreex_ms / numba_ms,
        "reference_over_numba": reference_ms / numba_ms,
        **agreement,
    }
    print(json.dumps({key: float(f"{value:.7g}") for key, value in figures.items()}))


if __name__ == "__main__":
    main()
