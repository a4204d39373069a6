"""Run every benchmark on its own and print one JSON object a line: `make bench`.

Folders of real clips and the ICT arrays are settings of the single benchmarks; where a sibling folder
`shared` holds them, they are used.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
CLIPS = SHARED / "clips"
ICT = SHARED / "face_models" / "ict_facekit_light.npz"


def commands() -> list[list[str]]:
    """Module and flags of each benchmark."""
    face_model = ["--face-model", str(_ict_model())] if ICT.is_file() else []
    clips = ["--clips", str(CLIPS)] if CLIPS.is_dir() else []
    arrays = ["--ict-arrays", str(ICT)] if ICT.is_file() else []
    return [
        ["benchmarks.rasterizer", *face_model],
        ["benchmarks.fitting", *face_model, *arrays, *clips],
        ["benchmarks.orchestration"],
        ["benchmarks.store"],
        ["benchmarks.contact_sheet"],
        ["benchmarks.long_video"],
        ["benchmarks.build", *face_model, *clips],
        ["benchmarks.training_speed"],
        ["benchmarks.stage_steps"],
    ]


def _ict_model() -> Path:
    """The native ICT face model, made once."""
    path = Path(__file__).resolve().parents[1] / ".cache" / "ict.npz"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        build = ["build-face-model", "--from", "ict", "--source", str(ICT), "--out", str(path)]
        subprocess.run([sys.executable, "-m", "flows", *build], check=True, stdout=subprocess.DEVNULL)
    return path


def main() -> int:
    """Run them; the exit code is the number of benchmarks that failed."""
    ran = [subprocess.run([sys.executable, "-m", *command], check=False) for command in commands()]
    return sum(bool(one.returncode) for one in ran)


if __name__ == "__main__":
    sys.exit(main())
