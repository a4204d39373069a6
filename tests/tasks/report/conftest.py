"""Rows, facts and one small clip on disk, made once for all report tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut
from skimage.transform import resize

from model.samples.manifest import ManifestRow
from rendering.face_model import FaceModel
from tasks.face_models.files import save_face_model
from tasks.media.video_files import write_audio, write_video
from tasks.report.facts import BuildFacts, SourceFacts, StageTiming, VersionChange

FRAMES = 8
FOCAL_PX = 1200.0
DISTANCE_M = 0.6

MakeRow = Callable[..., ManifestRow]


@pytest.fixture(scope="session")
def make_row() -> MakeRow:
    """A published row; keyword arguments change it."""

    def make(name: str = "talk/anna.mp4", **changes: Any) -> ManifestRow:
        values: dict[str, Any] = {
            "clip_id": hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            "kind": "wild",
            "source_name": name,
            "subject_id": "anna",
            "split": "train",
            "status": "published",
            "frames": FRAMES,
            "source_frames": FRAMES,
            "first_frame": 0,
            "fps": 25.0,
            "source_fps": 30.0,
            "source_width": 512,
            "source_height": 512,
            "has_audio": True,
            "crop_size_px": 512.0,
            "crop_transform": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
            "focal_px": FOCAL_PX,
            "focal_observable": True,
            "camera_matrix": (FOCAL_PX, 0.0, 256.0, 0.0, FOCAL_PX, 256.0, 0.0, 0.0, 1.0),
            "landmark_nme": 0.0132,
            "photometric_error": 0.03,
            "yaw_min_deg": -12.0,
            "yaw_max_deg": 20.0,
            "depth_near_m": 0.55,
            "depth_far_m": 0.62,
            "depth_scale_m": 0.00001,
            "depth_offset_m": 0.5,
            "speech_model": "untrained small",
            "face_model": "builtin",
        }
        return ManifestRow(**{**values, **changes})

    return make


@pytest.fixture(scope="session")
def make_refused(make_row: MakeRow) -> MakeRow:
    """A quarantined row."""

    def make(name: str, reason: str, detail: str = "no face in 8 frames", **changes: Any) -> ManifestRow:
        row = make_row(name).model_dump(include={"clip_id", "kind", "source_name", "subject_id", "split"})
        return ManifestRow(**{**row, "status": "quarantined", "reason": reason, "detail": detail, **changes})

    return make


@pytest.fixture(scope="session")
def facts() -> BuildFacts:
    return BuildFacts(
        name="heads",
        root="ab" * 32,
        number=2,
        change=VersionChange(
            previous_root="cd" * 32, previous_number=1, added=3, removed=1, changed=2, unchanged=40
        ),
        sources=(
            SourceFacts(label="talks", kind="wild", synthetic=False, licence="CC BY 4.0"),
            SourceFacts(label="embedded studio", kind="studio", synthetic=True, licence="Apache-2.0"),
        ),
        settings={"fit": {"iterations": 6}},
        tools={"ffmpeg": "9.0.2"},
        licences={"builtin": "Apache-2.0"},
        rejected_at={},
        timings=(
            StageTiming(stage="probe", clips=4, frames=0, cpu_s=1.0, wall_s=1.1, reused=40),
            StageTiming(stage="fit", clips=4, frames=300, cpu_s=3.0, wall_s=3.2, reused=40),
        ),
    )


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """All files of one clip: a photograph that moves, with a face model that is one bent sheet."""
    folder = tmp_path_factory.mktemp("clip")
    photograph = np.asarray(resize(astronaut()[:300, 60:360], (520, 528)) * 255, dtype=np.uint8)
    crops = [np.ascontiguousarray(photograph[k : k + 512, 2 * k : 2 * k + 512]) for k in range(FRAMES)]
    surface = np.zeros((512, 512), dtype=bool)
    surface[100:400, 150:350] = True
    write_video(folder / "video.mp4", crops, profile="source")
    write_video(folder / "crop.mp4", crops, profile="crop")
    depths = [np.where(surface, 6000 + 10 * k, 0).astype(np.uint16) for k in range(FRAMES)]
    write_video(folder / "depth.mkv", depths, profile="depth")
    masks = [np.where(surface, 255, 0).astype(np.uint8) for _ in range(FRAMES)]
    write_video(folder / "mask.mkv", masks, profile="mask")
    tone = np.sin(np.arange(FRAMES * 640) / 20.0) * 8000
    write_audio(folder / "clip_audio.wav", tone.astype(np.int16))
    random = np.random.default_rng(0)
    landmarks = random.uniform(150, 350, (FRAMES, 478, 3)).astype(np.float32)
    np.savez(folder / "crop_landmarks.npz", landmarks=landmarks)
    np.savez(
        folder / "fit.npz",
        identity=np.zeros(50, np.float32),
        expression=np.zeros((FRAMES, 25), np.float32),
        rotation=np.zeros((FRAMES, 3), np.float32),
        translation=np.tile(np.float32([0, 0, DISTANCE_M]), (FRAMES, 1)),
    )
    save_face_model(folder / "face_model.npz", bent_sheet())
    return {path.stem: path for path in folder.iterdir()}


def bent_sheet() -> FaceModel:
    """A face model of 5 x 5 vertices, 12 cm wide, nearest in the middle."""
    side = np.linspace(-0.06, 0.06, 5, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    mean = np.stack([x, y, (x**2 + y**2) * 5], axis=-1).reshape(-1, 3).astype(np.float32)
    corners = [(row * 5 + column) for row in range(4) for column in range(4)]
    triangles = [t for k in corners for t in ((k, k + 5, k + 1), (k + 1, k + 5, k + 6))]
    return FaceModel(
        mean=mean,
        triangles=np.asarray(triangles, dtype=np.int32),
        identity_basis=np.zeros((50, 25, 3), np.float32),
        expression_basis=np.zeros((25, 25, 3), np.float32),
        skin_triangles=np.arange(32, dtype=np.int32),
        landmark_triangles=np.full(478, -1, np.int32),
        landmark_barycentrics=np.zeros((478, 3), np.float32),
        name="sheet",
        provenance="test",
        licence="test",
    )
