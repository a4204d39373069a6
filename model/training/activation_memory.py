"""What a forward pass keeps for backward, counted without memory: on tensors that have shapes only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorConverter, FakeTensorMode


class KeptTensors:
    """Distinct memory, in bytes, of tensors that stand for backward; parameters do not count."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self._networks = networks
        self._parameters = {_memory(held) for network in networks for held in network.parameters()}
        self._kept: dict[int, Tensor] = {}
        self.blocks: list[int] = []
        """Bytes that each checkpointed block keeps while backward is in it, in their order."""

    @property
    def bytes(self) -> int:
        """Kept at the end of the forward pass."""
        return sum(tensor.untyped_storage().nbytes() for tensor in self._kept.values())

    def keep(self, tensor: Tensor) -> None:
        """Count a tensor."""
        if _memory(tensor) not in self._parameters:
            self._kept[_memory(tensor)] = tensor

    def saving(self) -> AbstractContextManager[None]:
        """Counts what autograd saves."""

        def keep(tensor: Tensor) -> Tensor:
            self.keep(tensor)
            return tensor

        return torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)

    def checkpoint(self, block: Callable[..., Any], *arguments: Any) -> Any:
        """A block that is computed again in backward: its inputs are kept, what is inside is not."""
        for tensor in _tensors(arguments):
            self.keep(tensor)
        inside = KeptTensors(self._networks)
        with inside.saving():
            made = block(*arguments)
        self.blocks.append(inside.bytes)
        return made


class _Forgetful(FakeTensorConverter):
    """Without weak references to the first parameter of each shape: `Module.to` fails on such a one."""

    def set_tensor_memo(self, t: Tensor, v: FakeTensor) -> None:
        """Do not keep what was made of `t`."""


@contextmanager
def shapes_only() -> Iterator[None]:
    """Tensors made in here take no memory; attention is the fused one, as on a GPU."""
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        mode.fake_tensor_converter = _Forgetful()
        yield


@contextmanager
def like_cuda_autocast() -> Iterator[None]:
    """bf16 as on a GPU: there norms stay float32, on a CPU they do not."""

    def as_float(_: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(each.float() if isinstance(each, Tensor) else each for each in arguments)

    def before(module: nn.Module, arguments: tuple[Any, ...]) -> Any:
        return as_float(module, arguments) if isinstance(module, nn.GroupNorm | nn.LayerNorm) else None

    with ExitStack() as stack:
        hook = nn.modules.module.register_module_forward_pre_hook(before)
        stack.callback(hook.remove)
        stack.enter_context(torch.autocast("cpu", torch.bfloat16))
        yield


def kept_for_backward(
    networks: Mapping[str, Any], forward: Callable[[], Tensor], *, checkpointing: bool
) -> KeptTensors:
    """Run `forward` and count.

    Args:
        networks: all whose parameters it reads; those that can checkpoint do, where asked for.
        forward: to the loss.
        checkpointing: whether blocks are computed again in backward.
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
