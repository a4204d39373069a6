"""Everything that this project puts into diffusers or changes in it, written for version 0.42.

- Pipelines become attributes of the library, so that `DiffusionPipeline.from_pretrained` finds them.
- Modules with components of our own offer `ModelMixin`, so that pipelines load these components.
- Two log messages that are no news are dropped when this module is imported.
- Modules that the library builds are given a class of ours (`retype`).
- Progress bars are switched off when a pipeline is loaded (`hide_progress_bars`).
"""

from __future__ import annotations

import logging
from typing import TypeVar

import diffusers

# A saved pipeline names the module of each component; the library loads it as a network only if that module
# has an attribute of this name. Modules with such components import it from here.
from diffusers import ModelMixin as ModelMixin
from diffusers.utils.logging import disable_progress_bar
from torch import nn

T = TypeVar("T")

NO_NEWS = {
    # `input_layout` is an entry of ours in a configuration; the library reports it as unknown at every load
    "diffusers.configuration_utils": "input_layout",
    # the library warns at every cast of a network, even if no module of it stays in float32
    "diffusers.models.modeling_utils": "kept in float32: []",
}
"""Text of the messages that are dropped, by the logger that writes them."""


def loadable_by_name(pipeline: type[T]) -> type[T]:
    """Class decorator: let `DiffusionPipeline.from_pretrained` find a pipeline class.

    It reads the name of the class in model_index.json and looks it up as an attribute of `diffusers`.
    """
    setattr(diffusers, pipeline.__name__, pipeline)
    return pipeline


def retype(module: nn.Module, kind: type[nn.Module]) -> None:
    """Give a module that the library has built a subclass of its class; weights, names and config stay."""
    module.__class__ = kind


def hide_progress_bars() -> None:
    """Hide the bars for loading components: a command reports its own progress. Applies to the process."""
    disable_progress_bar()


def _drop(logger: str, text: str) -> None:
    logging.getLogger(logger).addFilter(lambda record: text not in record.getMessage())


for _logger, _text in NO_NEWS.items():
    _drop(_logger, _text)
