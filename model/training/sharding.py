"""Networks divided among processes: torch's fully_shard on the blocks of each UNet.

Every parameter stays a tensor of its own (a DTensor), so that whole tensors can be gathered and a checkpoint
does not depend on the number of processes that wrote it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

if TYPE_CHECKING:
    from model.training.trainer_settings import TrainerSettings


def sharded(step: nn.Module, settings: TrainerSettings) -> nn.Module:
    """Copy a step and divide its parameters; whatever is outside a UNet's blocks forms one group.

    Weights are gathered for a forward pass and stay until the backward pass ends: the ReferenceNet's last
    features reach the loss without passing the outputs of their blocks, which trigger gathering.
    """
    # what is summed and updated stays float32; inputs are cast by autocast alone
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if settings.mixed_precision == "bf16" else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    # fully_shard changes modules in place; the step that was given keeps whole weights for validation
    copied = copy.deepcopy(step)
    for network in cast(Any, copied).networks().values():
        for block in _blocks(network):
            fully_shard(block, reshard_after_forward=False, mp_policy=policy)
    fully_shard(copied, reshard_after_forward=False, mp_policy=policy)
    return copied


def whole(tensor: Tensor) -> Tensor:
    """Gather a tensor into CPU memory of its own; every process must call this."""
    held = tensor.detach()
    if isinstance(held, DTensor):
        held = held.full_tensor()
    return held.to("cpu", copy=True).contiguous()


def shared_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """This process's share of a whole tensor, if the parameter is divided and has the same shape."""
    if isinstance(parameter, DTensor) and tensor.shape == parameter.shape:
        placed = tensor.to(parameter.device)
        return distribute_tensor(placed, parameter.device_mesh, parameter.placements)
    return tensor


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    for name, child in network.named_children():
        if name in ("down_blocks", "up_blocks") and isinstance(child, nn.ModuleList):
            yield from child
        elif name == "mid_block":
            yield child
