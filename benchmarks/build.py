"""A whole dataset build: frames a second per core, two workers against one, memory, and a rebuild.

`python -m benchmarks.build` prints one JSON object. Limits: 25 frames a second per core from landmarks to
published with a wav2vec2-base sized network; two workers 1.7 x one; 2.5 GB a worker, 60 s against 6 s of
video at most 1.3 x; a rebuild with nothing changed at least 50 x faster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from tasks.engine.registry import WILD_STAGES
from tasks.make_embedded_clips import make_embedded_clips

BASE_SIZE = ["--stages.speech.untrained.layers", "12", "--stages.speech.untrained.width", "768"]
"""wav2vec2-base: 12 layers of 768, untrained; speed does not depend on the weights."""

MEDIA_STAGES = ("pack", "probe", "resample")
SHORT_S, LONG_S = 6, 60


@dataclass(frozen=True, kw_only=True)
class Run:
    """One build as a process."""

    wall_s: float
    peak_gb: float
    """Largest process, GB."""
    outcome: dict[str, Any]
    cpu_s: dict[str, float]
    """Processor seconds by stage."""
    frames: int
    """Published frames."""


def build(clips: Path, store: Path, *, workers: int, face_model: Path | None) -> Run:
    """Run build-dataset on a folder of clips, on as many cores as there are workers, one thread each."""
    command = [sys.executable, "-m", "flows", "build-dataset", "--clips", str(clips), "--store", str(store)]
    command += ["--name", "benchmark", "--workers", str(workers), *BASE_SIZE]
    if face_model:
        command += ["--face-model", str(face_model)]
    started = time.perf_counter()
    cores = set(sorted(os.sched_getaffinity(0))[:workers])
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    assert process.stdout
    printed = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.returncode = 0
    records = [json.loads(path.read_bytes()) for path in (store / "actions").glob("*.json")]
    cpu_s = {
        stage: sum(record["cpu_s"] or 0.0 for record in records if record["stage"] == stage)
        for stage in WILD_STAGES
    }
    frames = sum(record["values"]["frames"] for record in records if record["stage"] == "crop")
    return Run(
        wall_s=wall_s,
        peak_gb=usage.ru_maxrss / 1e6,
        outcome=json.loads(printed.splitlines()[-1]),
        cpu_s=cpu_s,
        frames=frames,
    )


def loop_clip(clip: Path, target: Path, seconds: int) -> None:
    """A clip of so many seconds, by playing another one again and again."""
    source = ffmpeg.input(str(clip), stream_loop=-1)
    output = ffmpeg.output(source, str(target), t=seconds, vcodec="libx264", preset="veryfast", acodec="aac")
    ffmpeg.run(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)


def measure(clips: Path, folder: Path, face_model: Path | None) -> dict[str, Any]:
    """All figures."""
    short, long = folder / "short", folder / "long"
    for source, seconds in ((short, SHORT_S), (long, LONG_S)):
        source.mkdir()
        clip = min(clips.glob("*talk_512*.mp4"), default=min(clips.glob("*.mp4")))
        loop_clip(clip, source / "clip.mp4", seconds)
    build(short, folder / "store_first", workers=1, face_model=face_model)  # compiles
    brief = build(short, folder / "store_short", workers=1, face_model=face_model)
    one = build(clips, folder / "one", workers=1, face_model=face_model)
    two = build(clips, folder / "two", workers=2, face_model=face_model)
    lengthy = build(long, folder / "store_long", workers=1, face_model=face_model)
    again = build(long, folder / "store_long", workers=1, face_model=face_model)
    work_s = sum(seconds for stage, seconds in one.cpu_s.items() if stage not in MEDIA_STAGES)
    media_s, brief_media_s = (sum(run.cpu_s[stage] for stage in MEDIA_STAGES) for run in (lengthy, brief))
    frame_s = (lengthy.wall_s - media_s - brief.wall_s + brief_media_s) / (lengthy.frames - brief.frames)
    assert one.outcome["version"] == two.outcome["version"]
    assert lengthy.outcome["version"] == again.outcome["version"]
    return {
        "benchmark": "build",
        "clips": one.outcome["published"],
        "frames": one.frames,
        "ms_a_frame": {stage: round(1e3 * s / one.frames, 2) for stage, s in one.cpu_s.items() if s},
        "frames_per_cpu_second_landmarks_to_speech": round(one.frames / work_s, 1),
        "long_frames": lengthy.frames,
        "long_frames_per_second_landmarks_to_published": round(
            lengthy.frames / (lengthy.wall_s - media_s), 1
        ),
        "frames_per_second_once_started": round(1 / frame_s, 1),
        "start_s": round(brief.wall_s - brief_media_s - brief.frames * frame_s, 2),
        "two_workers_over_one": round(one.wall_s / two.wall_s, 2),
        "peak_gb_short": round(brief.peak_gb, 3),
        "peak_gb_long": round(lengthy.peak_gb, 3),
        "long_over_short": round(lengthy.peak_gb / brief.peak_gb, 3),
        "rebuild_s": round(again.wall_s, 2),
        "build_over_rebuild": round(lengthy.wall_s / again.wall_s, 1),
        "rebuild_changed": again.outcome["changed"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="folder of clips; the embedded ones where absent")
    parser.add_argument("--face-model", type=Path, help="native face model; the builtin head where absent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.clips is None:
            make_embedded_clips(folder / "embedded")
        clips = options.clips or folder / "embedded" / "clips"
        print(json.dumps(measure(clips, folder, options.face_model)))


if __name__ == "__main__":
    main()
