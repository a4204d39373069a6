"""Child processes that run stages, with a time and a memory limit for every job."""

from __future__ import annotations

import atexit
import json
import os
import queue
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.chain import Node
from tasks.reasons import Reason
from tasks.stage import Json

REPOSITORY = Path(__file__).resolve().parents[2]

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""Environment of a worker: two BLAS threads were slower in every measurement, and clips run in parallel."""

QUIET = {"GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}


class StorageError(OSError):
    """The disk failed or is full. The build stops, and no clip is blamed."""


class InterruptedJobError(RuntimeError):
    """A job was ended because the build stops. The clip is not to blame and gets no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of one job."""

    wall_s: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Result of a job: files and values, or a reason."""

    files: Mapping[str, Path]
    values: Mapping[str, Json]
    reason: Reason | None
    detail: str | None
    cpu_s: float
    wall_s: float


class Worker:
    """A child process for jobs, which is replaced when it dies or is killed."""

    def __init__(self, limits: JobLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self.interrupted = False

    def run(self, node: Node, job: Mapping[str, Any]) -> Answer:
        """Run one job. If the child dies the job is tried once more; then the clip is `crashed`."""
        line = json.dumps({"stage": node.dotted, **job})
        for attempt in (1, 2):
            started = time.monotonic()
            reply = self._ask(line)
            wall_s = time.monotonic() - started
            if reply is None:
                self.stop()
                detail = f"{node.name} took longer than the limit of {self._limits.wall_s:g} s"
                return _failure(Reason.TIMEOUT, detail, wall_s)
            if reply:
                return _answer(node.name, json.loads(reply), wall_s)
            if self.interrupted:
                raise InterruptedJobError(f"{node.name} was stopped with its build")
            status = self._status()
            self.stop()
            if attempt == 1:
                _empty(Path(job["scratch"]))
        return _failure(Reason.CRASHED, f"{node.name} ended its process twice ({status})", wall_s)

    def _ask(self, line: str) -> bytes | None:
        """Answer of the child; b"" if it died, None if it took too long."""
        process = self._alive()
        if self.interrupted:
            return b""
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        # select and not a blocking read: a native library that hangs must not hang the build
        deadline = time.monotonic() + self._limits.wall_s
        reply = b""
        while not reply.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
            if not ready:
                return None
            chunk = os.read(process.stdout.fileno(), 1 << 20)
            if not chunk:
                return b""
            reply += chunk
        return reply

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the child
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tasks.engine.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # so that its own children die with it
                env={**os.environ, **ONE_THREAD, **QUIET, "PYTHONPATH": str(REPOSITORY)},
                preexec_fn=self._limit_memory,
            )
        return self._process

    def _limit_memory(self) -> None:
        limit = self._limits.memory_bytes
        # private memory only: an address-space limit would count mapped model files and CUDA
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def _status(self) -> str:
        assert self._process
        code = self._process.wait()
        self._errors.seek(0, os.SEEK_END)
        # the last line of standard error is what a crashed library said
        self._errors.seek(max(0, self._errors.tell() - 400))
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"exit status {code}" + (f", {last[0]}" if last else "")

    def interrupt(self) -> None:
        """End the running job, from another thread. The worker takes no further job."""
        self.interrupted = True
        if process := self._process:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Kill the child and every process that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()
            self._errors.close()
            self._process = None


def _answer(stage: str, reply: dict[str, Any], wall_s: float) -> Answer:
    if "storage" in reply:
        raise StorageError(f"{stage}: {reply['storage']}; free space or repair the disk, then run again")
    if "error" in reply:
        return _failure(Reason.CRASHED, f"{stage}: {reply['error']}", wall_s, reply["cpu_s"])
    if "reason" in reply:
        return _failure(Reason(reply["reason"]), reply["detail"], wall_s, reply["cpu_s"])
    return Answer(
        files={role: Path(path) for role, path in reply["files"].items()},
        values=reply["values"],
        reason=None,
        detail=None,
        cpu_s=reply["cpu_s"],
        wall_s=wall_s,
    )


def _failure(reason: Reason, detail: str, wall_s: float, cpu_s: float = 0.0) -> Answer:
    return Answer(files={}, values={}, reason=reason, detail=detail, cpu_s=cpu_s, wall_s=wall_s)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


_idle_workers: defaultdict[JobLimits, queue.LifoQueue[Worker]] = defaultdict(queue.LifoQueue)
"""Workers of this process that wait for a job; they live as long as the process."""

_busy_workers: set[Worker] = set()


@contextmanager
def borrow_worker(limits: JobLimits) -> Iterator[Worker]:
    """Lend an idle worker of this process, or start one.

    The task runner limits how many are lent at once. Each Dask or Ray worker process has workers of its own.
    """
    idle = _idle_workers[limits]
    try:
        worker = idle.get_nowait()
    except queue.Empty:
        worker = Worker(limits)
        atexit.register(worker.stop)
    _busy_workers.add(worker)
    try:
        yield worker
    finally:
        _busy_workers.discard(worker)
        if worker.interrupted:
            worker.stop()
        else:
            idle.put(worker)


def interrupt_workers() -> None:
    """End all jobs that run in the workers of this process."""
    for worker in list(_busy_workers):
        worker.interrupt()
