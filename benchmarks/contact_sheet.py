"""What a clip's contact sheet costs: processor time by part and bytes in the page, as one JSON object.

python -m benchmarks.contact_sheet    (a rendered clip of 150 frames: no source needed)
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from model.samples.manifest import ManifestRow
from rendering.builtin.head import builtin_head
from rendering.camera import Camera
from rendering.rasterizers.rasterize import rasterize
from tasks.face_models.files import save_face_model
from tasks.media.video_files import write_audio, write_video
from tasks.report.clip_figure import build_clip_figure
from tasks.report.facts import ClipFiles

FRAMES = 150
RUNS = 3
CAMERA = Camera.centered(1400.0, 512, 512)
NEAR_M, FAR_M, SCALE_M = 0.5, 0.75, 5e-6
DISTANCE_M = 0.65


def make_clip(folder: Path) -> ClipFiles:
    """Depth, mask, fit and a noisy picture of the builtin head; every role of a published clip."""
    face_model = builtin_head().face_model
    save_face_model(folder / "face_model.npz", face_model)
    posed = face_model.mean[None] + np.float32([0, 0, DISTANCE_M])
    depth_m = rasterize(posed, face_model.triangles[face_model.skin_triangles], CAMERA).depth_m[0]
    stored = np.where(depth_m > 0, (depth_m - NEAR_M) / SCALE_M, 0).astype(np.uint16)
    shade = np.repeat(np.uint8(60 + 120 * (depth_m > 0))[..., None], 3, axis=-1)
    random = np.random.default_rng(0)
    crops = [shade + random.integers(0, 40, (512, 512, 1)).astype(np.uint8) for _ in range(FRAMES)]
    write_video(folder / "crop.mp4", crops, profile="crop")
    write_video(folder / "video.mp4", crops, profile="source")
    write_video(folder / "depth.mkv", [stored] * FRAMES, profile="depth")
    write_video(folder / "mask.mkv", [np.uint8(255 * (stored > 0))] * FRAMES, profile="mask")
    write_audio(folder / "clip_audio.wav", random.integers(-9000, 9000, FRAMES * 640).astype(np.int16))
    landmarks = random.uniform(150, 350, (FRAMES, 478, 3)).astype(np.float32)
    np.savez(folder / "crop_landmarks.npz", landmarks=landmarks)
    np.savez(
        folder / "fit.npz",
        identity=np.zeros(50, np.float32),
        expression=np.zeros((FRAMES, 25), np.float32),
        rotation=np.zeros((FRAMES, 3), np.float32),
        translation=np.tile(np.float32([0, 0, DISTANCE_M]), (FRAMES, 1)),
    )
    return {path.stem: path for path in folder.iterdir()}


def clip_row() -> ManifestRow:
    """The clip's manifest row."""
    return ManifestRow(
        clip_id="0" * 16,
        kind="wild",
        source_name="benchmark.mp4",
        subject_id="benchmark",
        split="train",
        status="published",
        first_frame=0,
        frames=FRAMES,
        fps=25.0,
        crop_transform=(1, 0, 0, 0, 1, 0, 0, 0, 1),
        camera_matrix=tuple(CAMERA.matrix.ravel()),
        depth_near_m=NEAR_M,
        depth_far_m=FAR_M,
        depth_scale_m=SCALE_M,
        depth_offset_m=NEAR_M,
    )


def processor_s(work: Callable[[], object]) -> dict[str, float]:
    """Least processor seconds of several runs, here and in the decoders that were waited for."""
    here, children = [], []
    for _ in range(RUNS):
        started, before = time.process_time(), os.times()
        work()
        after = os.times()
        here.append(time.process_time() - started)
        children.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return {"drawing_s": round(min(here), 3), "decoding_s": round(min(children), 3)}


def measure() -> Mapping[str, float]:
    """One clip of FRAMES frames."""
    with tempfile.TemporaryDirectory() as folder:
        files, row = make_clip(Path(folder)), clip_row()
        figure = build_clip_figure(row, files)
        bytes_shown = sum(len(tile) for strip in figure.strips for tile in strip.tiles)
        bytes_shown += len(str(figure.track)) + len(str(figure.color_bar))
        return {
            "frames": FRAMES,
            **processor_s(lambda: build_clip_figure(row, files)),
            "bytes": bytes_shown,
            "bytes_limit": 150_000,
        }


if __name__ == "__main__":
    print(json.dumps(measure()))
