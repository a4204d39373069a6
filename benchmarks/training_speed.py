"""One training step and one guided sampling step beside Moore-AnimateAnyone's, at equal size, on CPU.

python -m benchmarks.training_speed --peer FOLDER --peer-python PYTHON    (or PEER_FOLDER and PEER_PYTHON)

FOLDER is a checkout of its repository and PYTHON an interpreter that can import it: its networks need
diffusers 0.24 and einops, and torch should be the version that is installed here. Each side runs in its own
processes, one thread, in turns step by step; ratios are of the same turn, and above 1 this project is faster.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
Figures = dict[str, float]
COUNTS = ("parameters", "trained")


class Side:
    """A process that does steps of one kind."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._command = command
        self.made = self._answer()
        self.step()  # the first one compiles and allocates
        self.steps: list[Figures] = []

    def step(self) -> Figures:
        """Do one."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def turn(self) -> None:
        """Do one that counts."""
        self.steps.append(self.step())

    def seconds(self) -> list[float]:
        """Processor time of the steps that count."""
        return [step["cpu_s"] for step in self.steps]

    def peak_mb(self) -> float:
        """Of the steps."""
        return self.steps[-1]["peak_mb"]

    def _answer(self) -> Figures:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended early; run it by hand to see why")
        answer: Figures = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._process.communicate()


class Comparison:
    """Both sides at one size."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._size = [str(options.side), str(options.batch)]
        self._peer = [options.peer_python, "-m", "benchmarks.peer_step", options.peer]
        self._rounds: int = options.rounds

    def training(self) -> Figures:
        """With cached latents; with the two pictures encoded that the peer encodes, too; and with depth."""
        with (
            self._theirs("train") as theirs,
            self._own("cached") as cached,
            self._own("uncached_rgb") as rgb,
            self._own("uncached") as uncached,
        ):
            self._take_turns(theirs, cached, rgb, uncached)
            return {
                **{f"own_{count}": cached.made[count] for count in COUNTS},
                **{f"peer_{count}": theirs.made[count] for count in COUNTS},
                **_beside("training_cached", cached, theirs),
                **_beside("training_uncached_rgb", rgb, theirs),
                **_beside("training_uncached", uncached, theirs),
            }

    def sampling(self) -> Figures:
        """With guidance."""
        with self._theirs("sample") as theirs, self._own("sample") as own:
            self._take_turns(theirs, own)
            return _beside("sampling", own, theirs)

    def _theirs(self, kind: str) -> Side:
        return Side([*self._peer, kind, *self._size])

    def _own(self, kind: str) -> Side:
        return Side([sys.executable, "-m", "benchmarks.own_step", kind, *self._size])

    def _take_turns(self, *sides: Side) -> None:
        for _ in range(self._rounds):
            for side in sides:
                side.turn()


def _beside(name: str, own: Side, theirs: Side) -> Figures:
    ratios = [peer / mine for peer, mine in zip(theirs.seconds(), own.seconds(), strict=True)]
    return {
        f"{name}_peer_over_own": statistics.median(ratios),
        f"{name}_peer_over_own_best_steps": min(theirs.seconds()) / min(own.seconds()),
        f"{name}_own_cpu_s": min(own.seconds()),
        f"{name}_peer_cpu_s": min(theirs.seconds()),
        f"{name}_own_peak_mb": own.peak_mb(),
        f"{name}_peer_peak_mb": theirs.peak_mb(),
    }


def missing(options: argparse.Namespace) -> str | None:
    """Why nothing can be compared."""
    if not options.peer or not options.peer_python:
        return "no peer: give --peer and --peer-python, or PEER_FOLDER and PEER_PYTHON"
    if not (Path(options.peer) / "src" / "models" / "mutual_self_attention.py").is_file():
        return f"{options.peer} is no checkout of Moore-AnimateAnyone"
    return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default=os.environ.get("PEER_FOLDER"), help="its checkout")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON"), help="its interpreter")
    parser.add_argument("--side", type=int, default=32, help="height and width of the latents")
    parser.add_argument("--batch", type=int, default=4, help="samples of a step")
    parser.add_argument("--rounds", type=int, default=5, help="steps that count")
    options = parser.parse_args()
    told: dict[str, object] = {"benchmark": "training_speed"}
    reason = missing(options)
    if reason is not None:
        print(json.dumps({**told, "skipped": reason}))
        return
    comparison = Comparison(options)
    figures = {**comparison.training(), **comparison.sampling()}
    told |= {"side": options.side, "batch": options.batch, "rounds": options.rounds}
    print(json.dumps({**told, **{key: float(f"{value:.4g}") for key, value in figures.items()}}))


if __name__ == "__main__":
    main()
