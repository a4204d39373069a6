"""Everything that this project changes in accelerate, written for version 1.15."""

from __future__ import annotations

import logging

from accelerate.state import AcceleratorState


def forget_last_run() -> None:
    """Reset the state that accelerate keeps for the whole process, with the precision of the run before."""
    AcceleratorState._reset_state()


def hide_information() -> None:
    """Show warnings of accelerate only: a training has its own progress and log. Applies to the process."""
    logging.getLogger("accelerate").setLevel(logging.WARNING)
