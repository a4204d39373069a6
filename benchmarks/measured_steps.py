"""What both sides of `training_speed` share: the size of the networks, and steps on request over a pipe.

Python's own library and torch alone, because an implementation that is compared against runs it in an
environment of its own.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Stable Diffusion 1.5 at 512 px with everything a quarter as wide and pictures half as large.

    So attention weighs against convolutions what it does at full size (tokens over channels, 1024 / 80, is
    4096 / 320), and the VAE against the UNets.
    """

    widths: tuple[int, ...] = (80, 160, 320, 320)
    """Channels of the UNets' levels; all but the last have attention."""
    heads: tuple[int, ...] = (2, 4, 8, 8)
    """Attention heads of the levels, 40 channels each."""
    layers: int = 2
    """Residual blocks of a level on the way down."""
    groups: int = 16
    """Of the UNets' normalizations."""
    prompt_width: int = 192
    """Channels of what cross-attention reads."""
    vae_widths: tuple[int, ...] = (32, 64, 128, 128)
    """Channels of the VAE's levels."""
    vae_groups: int = 8
    """Of the VAE's normalizations."""
    side: int = 32
    """Height and width of the latents; pictures are eight times as large."""
    batch: int = 4
    """Samples of a step."""

    @property
    def side_px(self) -> int:
        """Height and width of the pictures."""
        return self.side << (len(self.vae_widths) - 1)


GUIDANCE = 3.5
LEARNING_RATE = 1e-5
BETAS = (0.9, 0.999)
WEIGHT_DECAY = 0.01
MAX_GRAD_NORM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of step, ready to go."""

    step: Callable[[], object]
    """Does one."""
    parameters: int
    """Of the UNets."""
    trained: int = 0
    """Those that a step changes."""


def serve(prepare: Callable[[str, Size], Work]) -> None:
    """Do one step for every line on stdin and say what it took, one JSON object a line on stdout.

    The last arguments of the command are the kind of step, the latents' side and the batch. The peak memory
    is that of steps alone: making the networks may have taken more.

    Args:
        prepare: kind of step and size -> the step.
    """
    kind, side, batch = sys.argv[-3:]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    imports_mb = memory_mb("VmRSS")
    work = prepare(kind, Size(side=int(side), batch=int(batch)))
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what making the networks took and gave back
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    say(parameters=work.parameters, trained=work.trained, imports_mb=imports_mb)
    for _ in sys.stdin:
        start = time.process_time()
        work.step()
        say(cpu_s=time.process_time() - start, peak_mb=memory_mb("VmHWM"))


def memory_mb(entry: str) -> float:
    """Of this process: VmRSS now, or VmHWM the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = int(next(line for line in lines if line.startswith(entry)).split()[1])
    return kilobytes / 1024


def say(**figures: float) -> None:
    """Answer the parent."""
    print(json.dumps(figures), flush=True)
