"""An optimizer's state as files, and back: to the bit, whatever the optimizer keeps where."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model.training.optimizers import optimizer_state, restore_optimizer


class Hiding(torch.optim.AdamW):
    """As bitsandbytes' 8-bit AdamW: its state_dict() has bytes and scales one level deeper than its state."""

    def state_dict(self) -> dict[str, Any]:
        told = super().state_dict()
        moments = ("exp_avg", "exp_avg_sq")
        told["state"] = {
            index: {
                "count": 3,
                "hidden": {name: state[name] for name in moments},
                **{name: value for name, value in state.items() if name not in moments},
            }
            for index, state in told["state"].items()
        }
        return told

    def load_state_dict(self, told: dict[str, Any]) -> None:
        told = deepcopy(told)
        for state in told["state"].values():
            state.pop("count", None)
            state.update(state.pop("hidden", {}))
        super().load_state_dict(told)


def stepped(
    kind: type[torch.optim.Optimizer], steps: int
) -> tuple[torch.optim.Optimizer, list[nn.Parameter]]:
    random = torch.Generator().manual_seed(0)
    held = [nn.Parameter(torch.randn(shape, generator=random)) for shape in ((3, 2), (4,))]
    optimizer = kind(held, lr=0.1)
    for _ in range(steps):
        take_step(optimizer, held)
    return optimizer, held


def take_step(optimizer: torch.optim.Optimizer, held: list[nn.Parameter]) -> None:
    sum((tensor**2).sum() for tensor in held).backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("kind", [torch.optim.AdamW, Hiding])
def test_state_comes_back_and_the_next_step_is_the_same(kind: type[torch.optim.Optimizer]) -> None:
    """The hidden state was no tensor and no JSON: the first checkpoint failed."""
    optimizer, held = stepped(kind, 3)
    tensors, numbers = optimizer_state(optimizer, ["a", "b"])
    assert all(isinstance(tensor, Tensor) for tensor in tensors.values())
    assert {"a/exp_avg", "b/exp_avg_sq"} <= tensors.keys()
    again, others = stepped(kind, 0)
    for target, source in zip(others, held, strict=True):
        target.data.copy_(source.data)
    restore_optimizer(again, ["a", "b"], tensors=tensors, numbers=json.loads(json.dumps(numbers)))
    for which, weights in ((optimizer, held), (again, others)):
        take_step(which, weights)
    assert all(torch.equal(one, two) for one, two in zip(held, others, strict=True))


def test_what_is_told_is_a_copy() -> None:
    optimizer, held = stepped(torch.optim.AdamW, 1)
    tensors, _ = optimizer_state(optimizer, ["a", "b"])
    before = tensors["a/exp_avg"].clone()
    take_step(optimizer, held)
    assert torch.equal(tensors["a/exp_avg"], before)
