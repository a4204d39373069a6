from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.media.check_media import ProbeSettings
from tasks.media.video_files import read_audio, read_frames
from tasks.media.video_index import video_size
from tasks.reasons import Reason, Rejected
from tasks.stage import StageInput, StageOutput
from tasks.stages import probe_media, resample_media
from tasks.stages.resample_media import ResampleSettings
from tests.bad_media import BEEP_EVERY_S, frame_number, make_clip, punch, run_tool
from tests.tasks.small_clips import count_frames

FPS = 25


def resample(path: Path, settings: ResampleSettings | None = None, **values: Any) -> StageOutput:
    scratch = path.with_name(f"{path.name}.scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    blobs = {"source": path}
    planned = probe_media.run(StageInput(blobs=blobs, values=values, scratch=scratch), ProbeSettings())
    return resample_media.run(
        StageInput(blobs={**blobs, **planned.files}, values=values, scratch=scratch),
        settings or ResampleSettings(),
    )


def shown_numbers(output: StageOutput) -> list[int]:
    return [frame_number(frame) for frame in read_frames(output.files["video"], pixel_format="gray")]


def onsets_s(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Times at which beeps begin."""
    loud = np.abs(samples.astype(float)) > 4000
    level = np.convolve(loud, np.ones(160), mode="full")[: len(loud)] > 0
    return np.flatnonzero(np.diff(level.astype(int), prepend=0) > 0) / 16_000


def check_beeps(output: StageOutput, *, first_s: float) -> None:
    """Beeps at first_s, first_s + 0.5 ...; within 5 ms, an eighth of a frame."""
    found = onsets_s(read_audio(output.files["audio"]))
    assert len(found) >= 3
    expected = first_s + BEEP_EVERY_S * np.arange(len(found))
    assert np.abs(found - expected).max() < 0.005


@pytest.mark.parametrize(
    ("rate", "name"),
    [
        ("25", "a.mp4"),
        ("24000/1001", "a.mp4"),
        ("30000/1001", "a.mp4"),
        ("30000/1001", "a.mkv"),
        ("30", "a.mp4"),
        ("50", "a.mp4"),
        ("60", "a.ts"),
        ("15", "a.mp4"),
    ],
)
def test_picture_and_sound_keep_their_times(tmp_path: Path, rate: str, name: str) -> None:
    frame_s = float(1 / Fraction(rate))
    frames = round(2.4 / frame_s)
    output = resample(make_clip(tmp_path / name, frames=frames, rate=rate))
    shown = shown_numbers(output)
    count = len(shown)
    assert count == pytest.approx(frames * frame_s * FPS, abs=1)
    # what is shown at k/25 s is the source frame of that time, within half its duration and a rounding
    error_s = np.abs(np.array(shown) * frame_s - np.arange(count) / FPS)
    assert error_s.max() <= frame_s / 2 + 0.001
    assert output.values["source_frames"] == count_frames(output.files["video"]) == count
    assert output.values["audio_samples"] == len(read_audio(output.files["audio"])) == count * 640
    check_beeps(output, first_s=0.0)


def test_a_varying_frame_rate(tmp_path: Path) -> None:
    kept = [n for n in range(90) if n < 30 or (n < 60 and n % 2 == 0) or (n >= 60 and n % 3)]
    picked = "+".join(f"eq(n,{n})" for n in kept)
    path = make_clip(
        tmp_path / "a.mkv", frames=90, rate="30", options=("-vf", f"select='{picked}'", "-fps_mode", "vfr")
    )
    shown = shown_numbers(resample(path))
    times = np.array(kept) / 30
    for k, number in enumerate(shown):
        # Matroska rounds to a millisecond
        assert abs(number / 30 - k / FPS) <= np.abs(times - k / FPS).min() + 0.0011
    check_beeps(resample(path), first_s=0.0)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("offset_s", [0.4, -0.3])
def test_sound_that_starts_late_or_early(tmp_path: Path, name: str, offset_s: float) -> None:
    path = make_clip(tmp_path / name, sound_offset_s=offset_s, frames=60)
    output = resample(path)
    assert shown_numbers(output) == list(range(60))
    check_beeps(output, first_s=offset_s % BEEP_EVERY_S)
    silence = read_audio(output.files["audio"])[: int(16_000 * max(0.0, offset_s - 0.03))]
    assert np.abs(silence.astype(int)).max(initial=0) < 300


def test_a_hole_in_the_sound_moves_nothing(tmp_path: Path) -> None:
    hole = ("-af", "asetnsamples=441,aselect='lt(t,0.7)+gt(t,0.95)'", "-c:a", "pcm_s16le")
    output = resample(make_clip(tmp_path / "a.mkv", frames=75, options=hole))
    check_beeps(output, first_s=0.0)


def test_sound_shorter_than_the_picture_is_filled(tmp_path: Path) -> None:
    output = resample(make_clip(tmp_path / "a.mkv", sound_s=1.8, options=("-c:a", "pcm_s16le")))
    assert output.values["audio_samples"] == 32_000
    assert output.values["audio_padded_samples"] == 3200
    assert not read_audio(output.files["audio"], start=28_810).any()


def test_edit_lists_and_intervals_start_the_clock(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", frames=100, options=("-g", "50"))
    run_tool(["-ss", "1.32", "-i", whole, "-c", "copy", tmp_path / "part.mp4"])
    part = resample(tmp_path / "part.mp4")
    assert shown_numbers(part) == list(range(33, 100))
    check_beeps(part, first_s=0.18)
    interval = resample(whole, source_start_s=1.2, source_end_s=3.2)
    assert shown_numbers(interval) == list(range(30, 80))
    check_beeps(interval, first_s=0.3)


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.ts"])
def test_a_late_interval_is_the_same_sought_or_not(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / name, frames=400, options=("-g", "40"))
    sought = resample(path, source_start_s=12, source_end_s=13.6)
    assert shown_numbers(sought) == list(range(300, 340))
    check_beeps(sought, first_s=0.0)
    monkeypatch.setattr(probe_media, "SEEK_FROM_S", 1e9)
    first = sought.files["video"].read_bytes()
    assert resample(path, source_start_s=12, source_end_s=13.6).files["video"].read_bytes() == first


def test_rotation_pixel_shape_and_odd_sizes(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4")
    turned = tmp_path / "turned.mp4"
    run_tool(["-display_rotation:v:0", "180", "-i", plain, "-c", "copy", turned])
    upright = next(read_frames(resample(plain).files["video"], pixel_format="gray"))
    upside_down = next(read_frames(resample(turned).files["video"], pixel_format="gray"))
    assert np.abs(upside_down[::-1, ::-1].astype(int) - upright).mean() < 2
    run_tool(["-display_rotation:v:0", "90", "-i", plain, "-c", "copy", turned])
    assert video_size(resample(turned).files["video"]) == (72, 128)
    wide = resample(make_clip(tmp_path / "wide.mp4", options=("-vf", "setsar=4/3")))
    assert video_size(wide.files["video"]) == (170, 72)
    odd = resample(make_clip(tmp_path / "odd.mkv", size=(127, 71), video=("-c:v", "ffv1")))
    assert video_size(odd.files["video"]) == (126, 70)
    assert shown_numbers(odd) == list(range(50))


def test_interlaced_frames_lose_their_combs(tmp_path: Path) -> None:
    """Two moments woven into one frame: rows alternate until it is deinterlaced."""
    woven = "tinterlace=mode=interleave_top,setfield=tff"
    flags = ("-vf", woven, "-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "2", "-r", "25")
    moving = make_clip(tmp_path / "b.ts", frames=100, rate="50", options=flags)
    frame = list(read_frames(resample(moving).files["video"], pixel_format="gray"))[20].astype(int)
    combs = np.abs(frame[20:70:2] - frame[21:71:2]).mean()
    woven_frame = list(read_frames(moving, pixel_format="gray"))[20].astype(int)
    assert combs < np.abs(woven_frame[20:70:2] - woven_frame[21:71:2]).mean() / 3
    assert count_frames(resample(moving).files["video"]) == 50


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
def test_colours_do_not_depend_on_how_they_were_coded(tmp_path: Path, matrix: str) -> None:
    path = tmp_path / "a.mp4"
    colours = "color=c=0xC86428:s=64x64:d=1:r=25,format=gbrp,drawbox=8:8:16:16:white:fill:enable=mod(n\\,2)"
    coded = f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd,format=yuv420p"
    tagged = f"{coded},setparams=colorspace={matrix}"
    run_tool(["-f", "lavfi", "-i", colours, "-vf", tagged, "-c:v", "libx264", "-crf", "5", path])
    frame = next(read_frames(resample(path).files["video"], pixel_format="rgb24"))
    assert np.abs(frame[40:, 40:].astype(int) - (0xC8, 0x64, 0x28)).max() <= 3


def test_full_range_is_reduced(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    grey = "color=c=0xF0F0F0:s=64x64:d=1:r=25,drawbox=8:8:16:16:black:fill:enable=mod(n\\,2)"
    run_tool(
        [
            "-f",
            "lavfi",
            "-i",
            grey,
            "-vf",
            "scale=out_range=pc",
            "-pix_fmt",
            "yuvj420p",
            "-c:v",
            "mjpeg",
            path,
        ]
    )
    frame = next(read_frames(resample(path).files["video"], pixel_format="rgb24"))
    assert np.abs(frame[40:, 40:].astype(int) - 0xF0).max() <= 3


def test_first_sound_track_is_taken(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv")
    maps = ("-map", "0:v", "-map", "0:a", "-map", "1:a", "-c", "copy", "-c:a", "pcm_s16le")
    run_tool(["-i", clip, "-f", "lavfi", "-i", "sine=d=2", *maps, tmp_path / "two.mkv"])
    check_beeps(resample(tmp_path / "two.mkv"), first_s=0.0)


def test_no_sound_is_fine(tmp_path: Path) -> None:
    output = resample(make_clip(tmp_path / "a.mp4", sound_s=0))
    assert set(output.files) == {"video"}
    assert output.values["has_audio"] is False


def test_a_still_picture_is_refused_and_a_moving_mouth_is_not(tmp_path: Path) -> None:
    still = make_clip(tmp_path / "still.mp4", numbers=[7] * 50, still=True, options=("-crf", "32"))
    with pytest.raises(Rejected) as caught:
        resample(still)
    assert caught.value.reason is Reason.STATIC_VIDEO
    # twelve blocks of 8 x 8 px change: the motion of a small mouth
    blinking = make_clip(tmp_path / "blink.mp4", numbers=[k // 10 for k in range(50)], still=True)
    assert resample(blinking).values["motion"] > 20


def test_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    first = resample(make_clip(tmp_path / "a.mp4", rate="30"))
    shutil.copy(tmp_path / "a.mp4", tmp_path / "other % name.mp4")
    second = resample(tmp_path / "other % name.mp4")
    assert first.values == second.values
    for role in ("video", "audio"):
        assert first.files[role].read_bytes() == second.files[role].read_bytes()


def test_a_source_that_changed_after_its_probe_is_noticed(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", options=("-movflags", "+faststart"))
    planned = probe_media.run(
        StageInput(blobs={"source": path}, values={}, scratch=tmp_path), ProbeSettings()
    )
    inputs = StageInput(blobs={"source": path, **planned.files}, values={}, scratch=tmp_path)
    make_clip(path, frames=40)
    with pytest.raises(Rejected, match="40 frames were decoded, the plan counts 50"):
        resample_media.run(inputs, ResampleSettings())
    punch(make_clip(path, options=("-movflags", "+faststart")), at=0.6, share=0.1)
    with pytest.raises(Rejected) as caught:
        resample_media.run(inputs, ResampleSettings())
    assert caught.value.reason is Reason.CORRUPT
    assert str(tmp_path) not in caught.value.detail


def test_time_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "a.mp4")
    planned = probe_media.run(
        StageInput(blobs={"source": path}, values={}, scratch=tmp_path), ProbeSettings()
    )
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\nexec sleep 1000000\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    inputs = StageInput(blobs={"source": path, **planned.files}, values={}, scratch=tmp_path)
    with pytest.raises(Rejected) as caught:
        resample_media.run(inputs, ResampleSettings(wall_s=0.5))
    assert caught.value.reason is Reason.TIMEOUT


def test_shared_clips_come_through(tmp_path: Path) -> None:
    shared = Path(__file__).parents[4] / "shared" / "clips"
    if not shared.is_dir():
        pytest.skip(f"{shared} does not exist: real clips are not part of the project")
    for name, frames in (("talk_480_30fps_44k.mp4", 180), ("silent_512_25fps_noaudio.mp4", 78)):
        shutil.copy(shared / name, tmp_path / name)
        output = resample(tmp_path / name)
        assert output.values["source_frames"] == count_frames(output.files["video"]) == frames
        assert output.values["has_audio"] == ("silent" not in name)
