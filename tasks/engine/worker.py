"""The child process that runs stages: each line in is a job, each line out an answer.

A native crash, a hang or a memory leak in a decoder or detector costs one job, not the build. The
parent (tasks/engine/worker_pool.py) sets limits, kills and restarts.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn, TextIO

from tasks.reasons import Rejected
from tasks.stage import StageInput, load_stage

STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
"""Errors that are blamed on the disk, never on the clip."""


def serve(requests: TextIO, answers: TextIO) -> NoReturn:
    """Answer jobs until the parent closes the pipe or dies, which may be in the middle of a job."""
    jobs: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, jobs), daemon=True).start()
    while True:
        job = json.loads(jobs.get())
        before = _cpu_seconds()
        answer = run_job(job)
        answer["cpu_s"] = _cpu_seconds() - before
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _receive(requests: TextIO, jobs: SimpleQueue[str]) -> None:
    for line in requests:
        jobs.put(line)
    # A parent that was killed limits no job's time any more, and nobody reads the answer.
    os.killpg(0, signal.SIGKILL)


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Run one stage on one clip; the answer holds files and values, or the error."""
    stage = load_stage(job["stage"])
    stage_input = StageInput(
        blobs={role: Path(path) for role, path in job["blobs"].items()},
        values=job["values"],
        scratch=Path(job["scratch"]),
    )
    try:
        output = stage.run(stage_input, stage.settings_type.model_validate(job["settings"]))
    except Rejected as rejected:
        return {"reason": str(rejected.reason), "detail": rejected.detail}
    except OSError as error:
        kind = "storage" if error.errno in STORAGE_ERRORS else "error"
        return {kind: f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    except Exception as error:  # becomes the clip's row as `crashed`, with this text
        return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    return {
        "files": {role: str(path) for role, path in output.files.items()},
        "values": dict(output.values),
    }


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    """Serve the parent over its pipes; output of native code goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
