"""Everything that our pipelines change in transformers, written for version 5.23: its progress bars."""

from __future__ import annotations

from transformers.utils.logging import disable_progress_bar


def hide_progress_bars() -> None:
    """Hide the bars for loading and saving the speech network's one file. Applies to the process."""
    disable_progress_bar()
