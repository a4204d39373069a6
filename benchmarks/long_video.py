"""A minute of talking portrait against ten seconds, on toy networks: time grows with the length, memory not.

`python -m benchmarks.long_video` prints one JSON object. Limits: 60 s of video take 6.3 x the processor time
of 10 s, and 1.05 x the memory. Each length is a process of its own (`--seconds`).
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch
from torch import Tensor

from model.networks.autoencoder import AutoencoderSize, small_autoencoder
from model.networks.build_networks import UNetSize, first_networks
from model.networks.motion import untrained_motion_adapter, video_denoiser
from model.networks.noise_schedule import NoiseSettings, noise_schedule
from model.networks.speech import SAMPLES_PER_FRAME, untrained_network
from model.networks.speech_adapter import SpeechAdapter
from model.networks.speech_settings import UntrainedSize
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline

SHORT_S, LONG_S = 10, 60
FRAMES_A_SECOND = 25
ROUNDS = 3
"""Of both lengths, in turns; the quickest counts."""
STEPS = 2
PICTURES = AutoencoderSize(widths=(8, 8, 8, 8), side_px=64)
"""So large that holding on to a minute of frames would be seen: 98 MB of RGB and depth."""
NETWORKS = UNetSize(widths=(32, 64), side=8)
HEARD = UntrainedSize(layers=2, width=64)


def toy_pipeline() -> PortraitRGBDVideoPipeline:
    """Random networks; chunks as long as in training."""
    torch.manual_seed(0)
    first = first_networks(NETWORKS)
    denoiser = video_denoiser(first.denoiser, untrained_motion_adapter(first.denoiser), zero_output=False)
    return PortraitRGBDVideoPipeline(
        vae=small_autoencoder(PICTURES).eval(),
        reference_net=first.reference_net,
        denoiser=denoiser,
        speech_adapter=SpeechAdapter.for_denoiser(
            denoiser, layers=HEARD.layers, layer_width=HEARD.width, hidden_width=32, tokens=4
        ),
        speech_network=untrained_network(HEARD),
        prompt=first.prompt,
        scheduler=noise_schedule(NoiseSettings()),
    )


def measure(seconds: int) -> dict[str, float]:
    """Processor time and peak memory of this process, for so much video whose frames are let go at once."""
    pipeline = toy_pipeline()
    generator = torch.Generator().manual_seed(0)
    portrait = torch.rand(1, 3, PICTURES.side_px, PICTURES.side_px, generator=generator)
    speech = torch.rand(seconds * FRAMES_A_SECOND * SAMPLES_PER_FRAME, generator=generator) - 0.5

    def frames_of(speech: Tensor) -> int:
        made = pipeline(portrait, speech, num_inference_steps=STEPS, generator=generator)
        return sum(1 for _ in made)

    frames_of(speech[: 10 * SAMPLES_PER_FRAME])  # what only the first call costs
    started = time.process_time()
    frames = frames_of(speech)
    return {
        "frames": frames,
        "cpu_s": time.process_time() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def measured_alone(seconds: int) -> dict[str, Any]:
    """The same by a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.long_video", "--seconds", str(seconds)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(ran.stdout))


def compare() -> dict[str, Any]:
    """All figures."""
    rounds = [(measured_alone(SHORT_S), measured_alone(LONG_S)) for _ in range(ROUNDS)]
    short, long = (min(of_one, key=lambda figures: figures["cpu_s"]) for of_one in zip(*rounds, strict=True))
    return {
        "benchmark": "long_video",
        "frames": long["frames"],
        "cpu_ms_a_frame": round(1e3 * long["cpu_s"] / long["frames"], 2),
        "time_long_over_short": round(long["cpu_s"] / short["cpu_s"], 3),
        "time_limit": 6.3,
        "peak_mb_short": round(short["peak_mb"], 1),
        "peak_mb_long": round(long["peak_mb"], 1),
        "peak_long_over_short": round(long["peak_mb"] / short["peak_mb"], 3),
        "peak_limit": 1.05,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, help="this length alone, in this process")
    seconds = parser.parse_args().seconds
    print(json.dumps(compare() if seconds is None else measure(seconds)))


if __name__ == "__main__":
    main()
