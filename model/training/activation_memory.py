"""What a forward pass keeps for the backward pass, counted on tensors that have shapes and no memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    FakeTensor,
    FakeTensorConverter,
    FakeTensorMode,
    unset_fake_temporarily,
)


class KeptTensors:
    """Distinct memory, in bytes, of tensors kept for the backward pass; parameters do not count."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self._networks = networks
        self._parameters = {_memory(held) for network in networks for held in network.parameters()}
        self._kept: dict[int, Tensor] = {}
        self.blocks: list[int] = []
        """Bytes that each checkpointed block keeps while the backward pass is in it, in forward order."""

    @property
    def bytes(self) -> int:
        """Bytes kept at the end of the forward pass."""
        return sum(tensor.untyped_storage().nbytes() for tensor in self._kept.values())

    def keep(self, tensor: Tensor) -> None:
        """Count a tensor."""
        # views of one tensor share its memory and count once
        if _memory(tensor) not in self._parameters:
            self._kept[_memory(tensor)] = tensor

    def saving(self) -> AbstractContextManager[None]:
        """Count what autograd saves."""

        def keep(tensor: Tensor) -> Tensor:
            self.keep(tensor)
            return tensor

        return torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)

    def checkpoint(self, block: Callable[..., Any], *arguments: Any) -> Any:
        """Run a block that the backward pass computes again: only its inputs are kept."""
        for tensor in _tensors(arguments):
            self.keep(tensor)
        # the backward pass holds one block's inner tensors at a time, on top of all the inputs
        inside = KeptTensors(self._networks)
        with inside.saving():
            outputs = block(*arguments)
        self.blocks.append(inside.bytes)
        return outputs


class _Forgetful(FakeTensorConverter):
    """A converter without weak references to what it has converted: `Module.to` fails on such tensors."""

    def set_tensor_memo(self, t: Tensor, v: FakeTensor) -> None:
        """Forget the fake tensor of `t`."""


@contextmanager
def shapes_only() -> Iterator[None]:
    """Tensors made in here take no memory.

    They pass for CPU tensors: autocast applies, and attention is the fused one, as on a GPU.
    """
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        mode.fake_tensor_converter = _Forgetful()
        yield


@contextmanager
def real_values() -> Iterator[None]:
    """Within `shapes_only`: tensors made in here have values and memory again."""
    with unset_fake_temporarily():
        yield


@contextmanager
def like_cuda_autocast() -> Iterator[None]:
    """Autocast to bf16 as on a GPU, where norms stay float32; on a CPU they would not."""

    def as_float(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(each.float() if isinstance(each, Tensor) else each for each in arguments)

    def before(module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        return as_float(module, arguments) if isinstance(module, nn.GroupNorm | nn.LayerNorm) else None

    with ExitStack() as stack:
        # CUDA's autocast lists norms as float32 operations, the CPU's does not
        hook = nn.modules.module.register_module_forward_pre_hook(before)
        stack.callback(hook.remove)
        stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        yield


def kept_for_backward(
    networks: Mapping[str, Any], forward: Callable[[], Tensor], *, checkpointing: bool
) -> KeptTensors:
    """Run `forward` and count what it keeps.

    Args:
        networks: all networks whose parameters `forward` reads.
        forward: computes the loss.
        checkpointing: whether networks that can checkpoint their blocks do so.
    """
    kept = KeptTensors(list(networks.values()))
    for network in networks.values():
        if network._supports_gradient_checkpointing:
            network.disable_gradient_checkpointing()
            if checkpointing:
                network.enable_gradient_checkpointing(kept.checkpoint)
    with kept.saving():
        forward()
    return kept


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _tensors(held: Any) -> Iterator[Tensor]:
    """All tensors in arguments, however deep."""
    if isinstance(held, Tensor):
        yield held
    elif isinstance(held, Mapping):
        yield from _tensors(list(held.values()))
    elif isinstance(held, list | tuple):
        for each in held:
            yield from _tensors(each)
    elif dataclasses.is_dataclass(held):
        yield from _tensors([getattr(held, field.name) for field in dataclasses.fields(held)])
