"""Optimizers, and their state as named tensors and numbers that a checkpoint can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from model.training.sharding import shared_like, whole
from model.training.trainer_settings import TrainerSettings

Numbers = dict[str, dict[str, Any]]
"""Parameter's name -> what its state has besides tensors."""


def make_optimizer(parameters: Sequence[nn.Parameter], settings: TrainerSettings) -> torch.optim.Optimizer:
    """AdamW in 32 or 8 bits.

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
    """State of each parameter: tensors by "<name>/<entry>", whole and on the CPU, and numbers.

    Args:
        optimizer: of one group of parameters.
        names: of its parameters, in order.
    """
    tensors: dict[str, Tensor] = {}
    numbers: Numbers = {}
    # not its state_dict(), where bitsandbytes hides the 8-bit state one level deeper
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
    """Undo `optimizer_state`."""
    parameters = dict(zip(names, optimizer.param_groups[0]["params"], strict=True))
    places = {name: index for index, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        name, entry = key.rsplit("/", 1)
        state.setdefault(places[name], {})[entry] = shared_like(value, parameters[name])
    for name, entries in numbers.items():
        state.setdefault(places[name], {}).update(entries)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
