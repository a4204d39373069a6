"""Optimizers, and their state as named tensors and numbers for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from model.training.sharding import shared_like, whole
from model.training.trainer_settings import TrainerSettings

Numbers = dict[str, dict[str, Any]]
"""Name of a parameter -> entries of its state that are not tensors."""


def make_optimizer(parameters: Sequence[nn.Parameter], settings: TrainerSettings) -> torch.optim.Optimizer:
    """Make AdamW, with state in 32 or 8 bits.

    Raises:
        ModuleNotFoundError: bitsandbytes is not installed.
    """
    chosen: dict[str, Any] = {
        "lr": settings.learning_rate,
        "betas": settings.betas,
        "weight_decay": settings.weight_decay,
    }
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **chosen)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "optimizer adamw_8bit needs bitsandbytes: pip install bitsandbytes, or take optimizer adamw"
        ) from missing
    eight_bit: torch.optim.Optimizer = AdamW8bit(parameters, **chosen)
    return eight_bit


def optimizer_state(
    optimizer: torch.optim.Optimizer, names: Sequence[str]
) -> tuple[dict[str, Tensor], Numbers]:
    """Read the state of each parameter: whole CPU tensors by "<name>/<entry>", and numbers.

    Args:
        optimizer: has one group of parameters.
        names: names of its parameters, in order.
    """
    tensors: dict[str, Tensor] = {}
    numbers: Numbers = {}
    # state_dict() would not do: bitsandbytes nests its 8-bit state one level deeper there
    for name, parameter in zip(names, optimizer.param_groups[0]["params"], strict=True):
        for entry, value in optimizer.state[parameter].items():
            if isinstance(value, Tensor):
                tensors[f"{name}/{entry}"] = whole(value)
            else:
                numbers.setdefault(name, {})[entry] = value
    return tensors, numbers


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: Sequence[str], *, tensors: Mapping[str, Tensor], numbers: Numbers
) -> None:
    """Put back what `optimizer_state` read."""
    parameters = dict(zip(names, optimizer.param_groups[0]["params"], strict=True))
    places = {name: index for index, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        name, entry = key.rsplit("/", 1)
        state.setdefault(places[name], {})[entry] = shared_like(value, parameters[name])
    for name, entries in numbers.items():
        state.setdefault(places[name], {}).update(entries)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
