from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tasks.media.limited_process import LimitedProcess, ProcessLimits, run_limited
from tasks.reasons import Reason, Rejected

SMALL = ProcessLimits(wall_s=20, memory_bytes=1 << 30, stdout_bytes=1 << 20, file_bytes=1 << 20)


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def reason_of(code: str, limits: ProcessLimits) -> Reason:
    with pytest.raises(Rejected) as caught:
        run_limited(python(code), limits=limits)
    return caught.value.reason


def test_collects_output_messages_and_status() -> None:
    end = run_limited(
        python("import sys; print('out'); print('said', file=sys.stderr); sys.exit(3)"), limits=SMALL
    )
    assert (end.returncode, end.stdout, end.messages) == (3, b"out\n", "said\n")


def test_a_child_that_hangs_is_killed_with_its_children() -> None:
    short = ProcessLimits(wall_s=0.5, memory_bytes=1 << 30)
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pid = os.fork()\n"
        "print(pid or os.getpid(), flush=True)\n"
        "time.sleep(1e6)\n"
    )
    with LimitedProcess(python(code), limits=short) as process:
        line = bytearray(1)
        text = b""
        while text.count(b"\n") < 2:
            process.read_into(memoryview(line))
            text += line
        with pytest.raises(Rejected) as caught:
            process.read_into(memoryview(line))
    assert caught.value.reason is Reason.TIMEOUT
    child = int(text.split()[0])
    deadline = time.monotonic() + 10
    while _is_running(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _is_running(child)


def test_processor_time_is_limited_while_nobody_waits() -> None:
    with LimitedProcess(
        python("while True: pass"), limits=ProcessLimits(wall_s=1, memory_bytes=1 << 30)
    ) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(Rejected) as caught:
            process.finish()
    assert caught.value.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", Reason.TOO_LARGE),
        ("import sys\nwhile True: sys.stderr.write('x' * 65536)", Reason.CORRUPT),
        ("import os; os.abort()", Reason.CRASHED),
        (
            "import os, tempfile, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
            "f = tempfile.TemporaryFile()\nwhile True: f.write(bytes(65536))",
            Reason.TOO_LARGE,
        ),
    ],
    ids=["stdout", "messages", "abort", "file"],
)
def test_floods_and_crashes_have_reasons(code: str, reason: Reason) -> None:
    assert reason_of(code, SMALL) is reason


def test_memory_is_limited() -> None:
    end = run_limited(python("bytearray(2 << 30)"), limits=SMALL)
    assert end.returncode != 0
    assert "MemoryError" in end.messages


def test_writing_to_a_child_that_stopped_reading_is_told() -> None:
    with LimitedProcess(python("import sys; sys.stdin.buffer.read(10)"), limits=SMALL, feeds=True) as process:
        assert not process.write(memoryview(bytes(8 << 20)))
        assert process.finish().returncode == 0


def test_a_child_that_never_reads_is_a_timeout() -> None:
    limits = ProcessLimits(wall_s=0.5, memory_bytes=1 << 30)
    code = "import time; time.sleep(1e6)"
    with (
        LimitedProcess(python(code), limits=limits, feeds=True) as process,
        pytest.raises(Rejected) as caught,
    ):
        process.write(memoryview(bytes(8 << 20)))
    assert caught.value.reason is Reason.TIMEOUT


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
