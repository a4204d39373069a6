"""Everything that our pipelines change in diffusers, written for version 0.42.

A pipeline is put into the namespace of the library when its class is defined, and the progress bars of the
library are switched off when a pipeline is loaded.
"""

from __future__ import annotations

from typing import TypeVar

import diffusers
from diffusers.utils.logging import disable_progress_bar

T = TypeVar("T")


def loadable_by_name(pipeline: type[T]) -> type[T]:
    """Class decorator: let `DiffusionPipeline.from_pretrained` find a pipeline class.

    It reads the name of the class in model_index.json and looks it up as an attribute of `diffusers`.
    """
    setattr(diffusers, pipeline.__name__, pipeline)
    return pipeline


def hide_progress_bars() -> None:
    """Hide the bars for loading components: a command reports its own progress. Applies to the process."""
    disable_progress_bar()
