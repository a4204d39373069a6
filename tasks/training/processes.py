"""The processes of a training: one, or those that `accelerate launch` or `torchrun` started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def processes() -> PartialState:
    """Index of this process and number of processes."""
    # accelerate's Accelerator reads the flag, its PartialState does not
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))


@contextmanager
def one_after_another() -> Iterator[None]:
    """Let the first process do the work; the others then find it done."""
    with processes().main_process_first():
        yield
