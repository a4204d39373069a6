"""A child process that cannot hang, flood, fill the memory or outlive its caller."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO

from tasks.reasons import Reason, Rejected

PIPE_BYTES = 1 << 20
"""Size of the pipe buffer, bytes: a raw 720p frame is 1.4 MB, the default pipe 64 kB."""

MESSAGES_KEPT_BYTES = 64 << 10
MESSAGES_LIMIT_BYTES = 4 << 20
"""Most bytes of messages that a child may print before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """What one child process may use."""

    wall_s: float
    """Longest time that the caller waits for the child, seconds; processor time has the same limit."""
    memory_bytes: int
    """Most address space of the child, bytes."""
    stdout_bytes: int = 256 << 20
    """Most bytes of standard output that run_limited collects."""
    file_bytes: int = 64 << 30
    """Largest file that the child may write, bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessResult:
    """How a child process ended."""

    returncode: int
    """Exit status; a negative number is the signal that ended the process."""
    stdout: bytes
    messages: str
    """Text that the child wrote to standard error, at most 64 kB."""


class LimitedProcess:
    """A running child with limits; leaving the `with` block kills it and its process group."""

    def __init__(self, arguments: Sequence[str], *, limits: ProcessLimits, feeds: bool = False) -> None:
        """Start the program without a shell; with `feeds` the caller writes to its standard input."""
        self._name = os.path.basename(arguments[0])  # noqa: PTH119  # an argument, maybe not a path
        self._limits = limits
        self._waited_s = 0.0
        self._messages = bytearray()
        self._flooded = False
        self._process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if feeds else subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
        )
        # from outside, so that no Python code has to run between fork and exec
        _set_limits(self._process.pid, limits)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _enlarge(pipe)
        # messages are read all the time: a full pipe of messages would stop the child
        self._drain = threading.Thread(target=self._collect_messages, daemon=True)
        self._drain.start()

    def __enter__(self) -> LimitedProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    @property
    def pid(self) -> int:
        """Process id of the child, which is also the id of its process group."""
        return self._process.pid

    def read_into(self, buffer: memoryview) -> int:
        """Fill the buffer from standard output; return the bytes read, fewer only at its end."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        filled = 0
        while filled < len(buffer):
            self._wait(reading=[descriptor])
            received = os.readv(descriptor, [buffer[filled:]])
            if received == 0:
                break
            filled += received
        return filled

    def write(self, data: memoryview) -> bool:
        """Send all data to standard input; False if the child no longer reads."""
        assert self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        sent = 0
        while sent < len(data):
            self._wait(writing=[descriptor])
            try:
                sent += os.write(descriptor, data[sent:])
            except BrokenPipeError:
                return False
        return True

    def finish(self) -> ProcessResult:
        """Close the input of the child, wait for its end and return how it ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        began = time.monotonic()
        try:
            self._process.wait(timeout=self._remaining_s())
        except subprocess.TimeoutExpired:
            self._time_out()
        self._waited_s += time.monotonic() - began
        self._drain.join(timeout=self._remaining_s())
        self._check_end()
        return ProcessResult(
            returncode=self._process.returncode,
            stdout=b"",
            messages=self._messages.decode("utf-8", errors="replace"),
        )

    def _wait(self, *, reading: Sequence[int] = (), writing: Sequence[int] = ()) -> None:
        began = time.monotonic()
        ready = select.select(reading, writing, [], self._remaining_s())
        self._waited_s += time.monotonic() - began
        if not ready[0] and not ready[1]:
            self._time_out()

    def _remaining_s(self) -> float:
        return max(0.0, self._limits.wall_s - self._waited_s)

    def _time_out(self) -> None:
        self._kill()
        raise Rejected(
            Reason.TIMEOUT,
            f"{self._name} was not done after {self._limits.wall_s:g} s; raise the limit if the file is good",
        )

    def _check_end(self) -> None:
        ended_by = -self._process.returncode
        if self._flooded:
            raise Rejected(
                Reason.CORRUPT, f"{self._name} printed more than {MESSAGES_LIMIT_BYTES} bytes of messages"
            )
        if ended_by in (signal.SIGXCPU, signal.SIGKILL):
            raise Rejected(
                Reason.TIMEOUT, f"{self._name} was stopped after {self._limits.wall_s:g} s of processor time"
            )
        if ended_by == signal.SIGXFSZ:
            raise Rejected(
                Reason.TOO_LARGE, f"{self._name} wrote more than the limit of {self._limits.file_bytes} bytes"
            )
        if ended_by > 0:
            raise Rejected(Reason.CRASHED, f"{self._name} was ended by {signal.Signals(ended_by).name}")

    def _collect_messages(self) -> None:
        assert self._process.stderr is not None
        received = 0
        with self._process.stderr as pipe:
            while chunk := pipe.read(PIPE_BYTES):
                received += len(chunk)
                room = MESSAGES_KEPT_BYTES - len(self._messages)
                self._messages += chunk[: max(0, room)]
                if received > MESSAGES_LIMIT_BYTES:
                    self._flooded = True
                    self._kill()
                    return

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def run_limited(arguments: Sequence[str], *, limits: ProcessLimits) -> ProcessResult:
    """Run a program to its end and collect its standard output.

    Raises:
        Rejected: it took too long, printed too much, wrote too much or crashed.
    """
    collected = bytearray()
    buffer = memoryview(bytearray(PIPE_BYTES))
    with LimitedProcess(arguments, limits=limits) as process:
        while received := process.read_into(buffer):
            collected += buffer[:received]
            if len(collected) > limits.stdout_bytes:
                raise Rejected(
                    Reason.TOO_LARGE,
                    f"{os.path.basename(arguments[0])} printed more than the limit of "  # noqa: PTH119
                    f"{limits.stdout_bytes} bytes",
                )
        end = process.finish()
    return ProcessResult(returncode=end.returncode, stdout=bytes(collected), messages=end.messages)


def _set_limits(pid: int, limits: ProcessLimits) -> None:
    # set from outside, right after the start: preexec_fn is unsafe in a program with threads
    cpu_s = max(1, round(limits.wall_s))
    for what, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, what)
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(pid, what, (bound, bound))


def _enlarge(pipe: IO[bytes]) -> None:
    os.set_blocking(pipe.fileno(), False)
    # refused where the user's pipes together exceed the system's allowance: only slower
    with contextlib.suppress(PermissionError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
