"""Networks shared out over processes: torch's fully_shard on the blocks of each UNet.

Every parameter stays a tensor of its own (a DTensor), so that whole tensors can be gathered and a checkpoint
does not depend on how many processes wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

if TYPE_CHECKING:
    from model.trainer_settings import TrainerSettings


def shard(step: nn.Module, settings: TrainerSettings) -> nn.Module:
    """Share out a step's parameters, in place; what is not in a UNet's blocks is one group."""
    # float32 stays what is summed and updated; inputs are cast by autocast alone
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if settings.mixed_precision == "bf16" else None,
        reduce_dtype=torch.float32,
        cast_forward_inputs=False,
    )
    chosen: dict[str, Any] = {"reshard_after_forward": settings.sharding == "all", "mp_policy": policy}
    for network in cast(Any, step).networks().values():
        for block in _blocks(network):
            fully_shard(block, **chosen)
    fully_shard(step, **chosen)
    return step


def whole(tensor: Tensor) -> Tensor:
    """The gathered tensor in CPU memory of its own; every process must call this."""
    held = tensor.detach()
    if isinstance(held, DTensor):
        held = held.full_tensor()
    return held.to("cpu", copy=True).contiguous()


def shared_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """This process's share of a whole tensor, where the parameter is shared out and has its shape."""
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
