"""Read and write the project's own video and sound files, frame by frame, in constant memory.

The same frames give the same bytes: one thread, no dates, no encoder tags.
"""

from __future__ import annotations

import contextlib
import wave
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import cv2
import ffmpeg
import numpy as np
from numpy.typing import NDArray

from tasks.media.ffmpeg_tool import OWN_FILE_LIMITS, MediaFileError, check_finished, command, media_input
from tasks.media.limited_process import LimitedProcess
from tasks.media.matroska_checksums import check_parts
from tasks.media.video_index import key_frames

PixelFormat = Literal["rgb24", "gray", "gray16le"]
Profile = Literal["source", "crop", "depth", "mask"]
Frame = NDArray[np.uint8] | NDArray[np.uint16]

FRAME_RATE = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE

# docs/media.md has the measurements behind preset and crf
_H264 = {
    "vcodec": "libx264",
    "pix_fmt": "yuv420p",
    "preset": "ultrafast",
    "crf": 12,
    "g": FRAME_RATE,  # a key frame a second: a picture far inside a long clip is soon there
    "x264-params": "cpu-independent=1",
    "format": "mp4",
}
# JPEG-LS: every frame is a key frame; Matroska's CRC-32 finds a flipped bit (matroska_checksums.py)
_JPEG_LS = {"vcodec": "jpegls", "format": "matroska"}
_PROFILES: dict[Profile, dict[str, Any]] = {
    "source": _H264,
    "crop": _H264,
    "depth": {**_JPEG_LS, "pix_fmt": "gray16le"},
    "mask": {**_JPEG_LS, "pix_fmt": "gray"},
}
_EXACT = {
    "threads": 1,
    "map_metadata": -1,
    "map_chapters": -1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
}
# all our video is BT.601 limited range; accurate rounding, because without it every colour is 1 too dark
SCALER = "bilinear+accurate_rnd+bitexact"
TO_OUR_COLORS = {"out_color_matrix": "bt601", "out_range": "tv", "flags": SCALER}
# frames leave ffmpeg as YUV4MPEG2: it states the size, then raw planes follow, each after this word
_FRAME_MARK = b"FRAME\n"


def read_frames(
    path: Path, *, pixel_format: PixelFormat, start: int = 0, count: int | None = None
) -> Iterator[Any]:
    """Read the frames start .. start + count (or to the end), one at a time.

    Yields (H, W, 3) uint8 for rgb24, (H, W) uint8 for gray, (H, W) uint16 for gray16le; every array is
    new and the caller's own.

    Raises:
        MediaFileError: ffmpeg complained, or the video ended before start + count.
    """
    check_parts(path)
    video = _own_input(path).video
    if start or count is not None:
        bounds = {"start_frame": start} | ({} if count is None else {"end_frame": start + count})
        video = video.filter("trim", **bounds)
    seen = 0
    for frame in _decoded(video, path, pixel_format):
        yield frame
        seen += 1
    if seen == 0 or (count is not None and seen < count):
        raise MediaFileError(
            f"{path.name}: {seen} frames from {start} on, need {count or 'at least 1'}; rebuild the file"
        )


def read_chosen(path: Path, indices: Sequence[int], *, pixel_format: PixelFormat) -> list[Any]:
    """Read the frames of the given ascending indices; decoding starts at the last key frame before each.

    Raises:
        MediaFileError: ffmpeg complained, or the video ends before the last of them.
    """
    keys = key_frames(path)
    needed = [range(max(key for key in keys if key <= index), index + 1) for index in indices]
    decoded = sorted(set(chain.from_iterable(needed)))
    kept = "+".join(f"between(n,{each.start},{each[-1]})" for each in needed)
    check_parts(path, decoded)
    # drops packets before they reach the decoder, and alters none
    video = _own_input(path, **{"bsf:v": f"noise=drop='not({kept})'"}).video
    wanted = set(indices)
    frames = zip(_decoded(video, path, pixel_format), decoded, strict=False)
    chosen = [frame for frame, index in frames if index in wanted]
    if len(chosen) < len(indices):
        raise MediaFileError(f"{path.name}: no frame {indices[len(chosen)]}; rebuild the file")
    return chosen


def _own_input(path: Path, **options: Any) -> Any:
    return media_input(path, err_detect="crccheck+bitstream+buffer+explode", **options)


def _decoded(video: Any, path: Path, pixel_format: PixelFormat) -> Iterator[Any]:
    """Read every frame of an ffmpeg-python stream."""
    wire_format: Literal["yuv420p", "gray", "gray16le"] = (
        "yuv420p" if pixel_format == "rgb24" else pixel_format
    )
    if pixel_format == "rgb24":
        video = video.filter("scale", **TO_OUR_COLORS)
    output = ffmpeg.output(
        video,
        "pipe:1",
        format="yuv4mpegpipe",
        strict=-1,
        pix_fmt=wire_format,
        fps_mode="passthrough",
        threads=1,
    )
    with LimitedProcess(command(output), limits=OWN_FILE_LIMITS) as process:
        for planes in raw_frames(process, pixel_format=wire_format):
            yield cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420) if pixel_format == "rgb24" else planes
        check_finished(process.finish(), doing=f"reading {path.name}")


def write_video(
    path: Path,
    frames: Iterable[Frame],
    *,
    profile: Profile,
) -> int:
    """Write 25 fps video and return its number of frames.

    Args:
        path: new file: .mp4 for source and crop, .mkv for depth and mask.
        frames: source, crop: (H, W, 3) uint8 RGB, or the BT.601 planes of yuv420p, (H * 3 / 2, W)
            uint8;
            depth: (H, W) uint16; mask: (H, W) uint8. All have one size; H and W are even for source and crop.
        profile: source, crop: visually lossless h264; depth, mask: lossless JPEG-LS.

    Raises:
        ValueError: no frames, or frames of the wrong type or of several sizes.
        MediaFileError: ffmpeg failed or complained.
        OSError: the disk is full.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise ValueError(f"no frames to write to {path.name}; need at least 1")
    output = _encoder(path, first, profile=profile)
    written = 0
    try:
        with LimitedProcess(command(output), limits=OWN_FILE_LIMITS, feeds=True) as process:
            for frame in chain([first], remaining):
                if frame.shape != first.shape or frame.dtype != first.dtype:
                    raise ValueError(
                        f"frame {written} of {path.name} is {frame.dtype} {frame.shape}, "
                        f"need {first.dtype} {first.shape}"
                    )
                if not process.write(np.ascontiguousarray(frame).reshape(-1).view(np.uint8).data):
                    break
                written += 1
            check_finished(process.finish(), doing=f"writing {path.name}")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return written


def read_audio(path: Path, *, start: int = 0, count: int | None = None) -> NDArray[np.int16]:
    """Read the samples start .. start + count (or to the end) of a 16 kHz mono wav file, (S,) int16.

    Raises:
        MediaFileError: it is not s16 mono 16 kHz, or it ends before start + count.
    """
    with wave.open(str(path), "rb") as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if form != (1, 2, SAMPLE_RATE):
            raise MediaFileError(
                f"{path.name}: {form[0]} channels of {form[1]} bytes at {form[2]} Hz, "
                f"need 1 of 2 bytes at {SAMPLE_RATE} Hz"
            )
        wanted = file.getnframes() - start if count is None else count
        file.setpos(min(start, file.getnframes()))
        samples = np.frombuffer(file.readframes(wanted), dtype="<i2").astype(np.int16)
    if len(samples) != wanted:
        raise MediaFileError(
            f"{path.name}: {len(samples)} samples from {start} on, need {wanted}; rebuild the file"
        )
    return samples


def write_audio(path: Path, samples: NDArray[np.int16]) -> None:
    """Write (S,) int16 samples as a 16 kHz mono wav file."""
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(f"audio for {path.name} is {samples.dtype} {samples.shape}, need int16 (S,)")
    with contextlib.closing(wave.open(str(path), "wb")) as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _encoder(path: Path, frame: Frame, *, profile: Profile) -> Any:
    pixel_format, (height, width) = _layout(frame, profile=profile)
    video = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pixel_format=pixel_format,
        video_size=(width, height),
        framerate=FRAME_RATE,
        threads=1,
    ).video
    if pixel_format == "rgb24":
        video = video.filter("scale", **TO_OUR_COLORS)
    if profile in ("source", "crop"):
        video = video.filter(
            "setparams", colorspace="smpte170m", range="tv", color_primaries="bt709", color_trc="bt709"
        )
    return ffmpeg.output(video, f"file:{path.absolute()}", **_PROFILES[profile], **_EXACT)


def _layout(frame: Frame, *, profile: Profile) -> tuple[str, tuple[int, int]]:
    """Return pixel format and (height, width) of a frame array."""
    kind = (frame.dtype.name, frame.ndim)
    if profile in ("source", "crop") and kind == ("uint8", 3) and frame.shape[2] == 3:
        return "rgb24", (frame.shape[0], frame.shape[1])
    if profile in ("source", "crop") and kind == ("uint8", 2) and frame.shape[0] % 3 == 0:
        return "yuv420p", (frame.shape[0] * 2 // 3, frame.shape[1])
    if (profile, kind) in (("depth", ("uint16", 2)), ("mask", ("uint8", 2))):
        return str(_PROFILES[profile]["pix_fmt"]), (frame.shape[0], frame.shape[1])
    raise ValueError(f"{profile} frames are {frame.dtype} {frame.shape}; see write_video for what it takes")


def raw_frames(
    process: LimitedProcess, *, pixel_format: Literal["yuv420p", "gray", "gray16le"]
) -> Iterator[Any]:
    """Read the frames of a YUV4MPEG2 stream: (H, W), or the planes of yuv420p, (H * 3 / 2, W)."""
    header = _read_line(process)
    if not header:
        return
    fields = {field[:1]: field[1:] for field in header.decode("ascii").split()[1:]}
    width, height = int(fields["W"]), int(fields["H"])
    rows = height * 3 // 2 if pixel_format == "yuv420p" else height
    sample_type = np.dtype("<u2" if pixel_format == "gray16le" else "u1")
    while True:
        buffer: NDArray[np.uint8] = np.empty(
            len(_FRAME_MARK) + rows * width * sample_type.itemsize, dtype=np.uint8
        )
        received = process.read_into(buffer.data)
        if received == 0:
            return
        if received != len(buffer):
            raise MediaFileError("ffmpeg ended inside a frame")
        yield buffer[len(_FRAME_MARK) :].view(sample_type).reshape(rows, width)


def _read_line(process: LimitedProcess) -> bytes:
    line = b""
    byte = bytearray(1)
    while not line.endswith(b"\n") and process.read_into(memoryview(byte)):
        line += byte
    return line
