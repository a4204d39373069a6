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

from tasks.dag import WILD
from tasks.embedded.make_clips import make_embedded_clips

BASE_SIZE = ["--stages.speech.untrained.layers", "12", "--stages.speech.untrained.width", "768"]
"""wav2vec2-base: 12 layers of 768, untrained; speed does not depend on the weights."""

MEDIA_STAGES = ("pack", "probe", "resample")
SHORT_S, LONG_S, ALL_S = 6, 60, 20
"""Lengths that one talking clip, and all clips, are brought to."""


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
        for stage in WILD.names
    }
    frames = sum(record["values"]["frames"] for record in records if record["stage"] == "crop")
    return Run(
        wall_s=wall_s,
        peak_gb=usage.ru_maxrss / 1e6,
        outcome=json.loads(printed.splitlines()[-1]),
        cpu_s=cpu_s,
        frames=frames,
    )


def lengthen(clip: Path, target: Path, seconds: int) -> None:
    """A clip of so many seconds: the picture runs to and fro, which is no cut; the sound repeats."""
    with tempfile.TemporaryDirectory() as name:
        to_and_fro = Path(name) / "video.mkv"
        there, back = ffmpeg.input(str(clip)).video, ffmpeg.input(str(clip)).video.filter("reverse")
        _encode(ffmpeg.output(ffmpeg.concat(there, back), str(to_and_fro), vcodec="libx264", crf=12))
        picture = ffmpeg.input(str(to_and_fro), stream_loop=-1).video
        sound = ffmpeg.input(str(clip), stream_loop=-1)["a?"]
        _encode(ffmpeg.output(picture, sound, str(target), t=seconds, vcodec="copy", acodec="aac"))


def _encode(output: Any) -> None:
    ffmpeg.run(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), quiet=True)


def measure(clips: Path, folder: Path, face_model: Path | None) -> dict[str, Any]:
    """All figures."""
    talking = min(clips.glob("*talk_512*.mp4"), default=min(clips.glob("*.mp4")))
    sources = {
        "short": ([talking], SHORT_S),
        "long": ([talking], LONG_S),
        "all": (clips.glob("*.mp4"), ALL_S),
    }
    for name, (originals, seconds) in sources.items():
        (folder / name).mkdir()
        for clip in originals:
            lengthen(clip, folder / name / clip.name, seconds)

    def run(source: str, store: str, *, workers: int = 1) -> Run:
        return build(folder / source, folder / store, workers=workers, face_model=face_model)

    run("short", "store_first")  # compiles
    brief, lengthy = run("short", "store_short"), run("long", "store_long")
    one, two = run("all", "store_one"), run("all", "store_two", workers=2)
    again = run("all", "store_one")
    assert one.outcome["version"] == two.outcome["version"] == again.outcome["version"]
    media_s, brief_media_s = (sum(run.cpu_s[stage] for stage in MEDIA_STAGES) for run in (lengthy, brief))
    frame_s = (lengthy.wall_s - media_s - brief.wall_s + brief_media_s) / (lengthy.frames - brief.frames)
    return {
        "benchmark": "build",
        "long_frames": lengthy.frames,
        "frames_per_second_once_started": round(1 / frame_s, 1),
        "start_s": round(brief.wall_s - brief_media_s - brief.frames * frame_s, 2),
        "long_frames_per_second_landmarks_to_published": round(
            lengthy.frames / (lengthy.wall_s - media_s), 1
        ),
        "long_ms_a_frame": ms_a_frame(lengthy),
        "peak_gb_short": round(brief.peak_gb, 3),
        "peak_gb_long": round(lengthy.peak_gb, 3),
        "long_over_short": round(lengthy.peak_gb / brief.peak_gb, 3),
        "all_clips": one.outcome["published"],
        "all_frames": one.frames,
        "all_ms_a_frame": ms_a_frame(one),
        "all_wall_s": [round(one.wall_s, 1), round(two.wall_s, 1)],
        "two_workers_over_one": round(one.wall_s / two.wall_s, 2),
        "rebuild_s": round(again.wall_s, 2),
        "build_over_rebuild": round(one.wall_s / again.wall_s, 1),
        "rebuild_changed": again.outcome["changed"],
    }


def ms_a_frame(run: Run) -> dict[str, float]:
    """Processor milliseconds by stage; of all that ran, published or not."""
    return {stage: round(1e3 * s / run.frames, 2) for stage, s in run.cpu_s.items() if s}


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
