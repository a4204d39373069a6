from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from tasks.media.video_files import read_frames, write_audio, write_video
from tasks.store.blobs import CorruptBlob, Store
from tasks.store.publish import publish
from tasks.store.show_clip import NotShown, show_clip
from tasks.store.versions import LockFacts
from tests.tasks.store.test_rows import make_row

FRAMES, SIDE = 5, 32
SCALE_M, OFFSET_M = 1e-5, 0.6
CODES = np.random.default_rng(0).integers(0, 65536, (FRAMES, SIDE, SIDE)).astype(np.uint16)
MASK = np.where(CODES % 2, 255, 0).astype(np.uint8)
FEATURES = np.random.default_rng(1).random((FRAMES, 12, 768)).astype(np.float16)
TRANSFORM = (0.5, 0.0, -10.0, 0.0, 0.5, -20.0, 0.0, 0.0, 1.0)


@pytest.fixture
def published(store: Store, tmp_path: Path) -> Store:
    """One published clip with sound, one quarantined."""
    CODES[:, 0, 0] = 0
    write_video(
        tmp_path / "crop.mp4",
        [np.full((SIDE, SIDE, 3), 40 * k, np.uint8) for k in range(FRAMES)],
        profile="crop",
    )
    write_video(tmp_path / "depth.mkv", CODES, profile="depth")
    write_video(tmp_path / "mask.mkv", MASK, profile="mask")
    np.savez(
        tmp_path / "crop_landmarks.npz",
        landmarks=np.ones((FRAMES, 478, 3), np.float32),
        score=np.ones(FRAMES),
    )
    np.savez(tmp_path / "speech.npz", features=FEATURES)
    np.savez(tmp_path / "fit.npz", identity=np.zeros(50))
    write_audio(tmp_path / "clip_audio.wav", np.arange(640 * FRAMES, dtype=np.int16))
    digests = {
        path.stem: store.put_file(path).sha256 for path in sorted(tmp_path.iterdir()) if path.is_file()
    }
    rows = [
        make_row(
            1,
            frames=FRAMES,
            has_audio=True,
            depth_scale_m=SCALE_M,
            depth_offset_m=OFFSET_M,
            crop_transform=TRANSFORM,
            camera_matrix=(900.0, 0.0, 250.0, 0.0, 900.0, 260.0, 0.0, 0.0, 1.0),
            blobs=digests,
        ),
        make_row(2, status="quarantined", reason="no_face", detail="no face in 100 frames", blobs={}),
    ]
    facts = LockFacts(settings={}, catalogue="", models={}, recipes={}, splits={})
    publish(store, "real", rows=rows, facts=facts, actions={}, pages={}, base=0)
    return store


def test_the_clips_arrays_come_out_in_plain_formats(published: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = show_clip(published, "real", f"{1:016x}", out)
    assert written == [
        "audio.wav",
        "clip.json",
        "crop.mp4",
        "depth_m.npy",
        "fit.npz",
        "landmarks.npy",
        "mask.npy",
        "wav2vec.npy",
    ]
    depth_m = np.load(out / "depth_m.npy", allow_pickle=False)
    assert (depth_m.dtype, depth_m.shape) == (np.float32, (FRAMES, SIDE, SIDE))
    assert np.array_equal(depth_m == 0, CODES == 0)
    surface = CODES > 0
    np.testing.assert_allclose(depth_m[surface], OFFSET_M + SCALE_M * CODES[surface], atol=1e-7)
    assert np.array_equal(np.load(out / "mask.npy", allow_pickle=False), MASK)
    assert np.array_equal(np.load(out / "wav2vec.npy", allow_pickle=False), FEATURES)
    assert np.load(out / "landmarks.npy", allow_pickle=False).shape == (FRAMES, 478, 3)
    assert sum(1 for _ in read_frames(out / "crop.mp4", pixel_format="rgb24")) == FRAMES
    with wave.open(str(out / "audio.wav")) as sound:
        assert sound.getnframes() == 640 * FRAMES
    told = json.loads((out / "clip.json").read_text())
    assert told["crop_transform"] == np.reshape(TRANSFORM, (3, 3)).tolist()
    assert told["camera"] == {
        "matrix": [[900, 0, 250], [0, 900, 260], [0, 0, 1]],
        "width": 512,
        "height": 512,
    }
    assert told["row"]["clip_id"] == f"{1:016x}"
    assert told["dataset"]["number"] == 1


def test_what_was_written_can_be_edited(published: Store, tmp_path: Path) -> None:
    show_clip(published, "real", f"{1:016x}", tmp_path / "out")
    assert (tmp_path / "out" / "crop.mp4").stat().st_mode & 0o200
    assert show_clip(published, "real", f"{1:016x}", tmp_path / "out")


def test_a_quarantined_clip_is_refused_with_its_reason(published: Store, tmp_path: Path) -> None:
    with pytest.raises(NotShown, match="no_face: no face in 100 frames"):
        show_clip(published, "real", f"{2:016x}", tmp_path / "out")


def test_an_unknown_clip_is_refused(published: Store, tmp_path: Path) -> None:
    with pytest.raises(NotShown, match=r"no clip '\.\./\.\./etc/passwd'"):
        show_clip(published, "real", "../../etc/passwd", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_blob_is_not_shown(published: Store, tmp_path: Path) -> None:
    for path in (published.root / "cas").glob("??/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CorruptBlob):
        show_clip(published, "real", f"{1:016x}", tmp_path / "out")
