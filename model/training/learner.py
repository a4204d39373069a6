"""The state of training (weights, moving average, optimizer) and one step that changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from accelerate import Accelerator
from diffusers import ModelMixin
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from model.samples.sample_order import SampleOrder
from model.samples.training_set import Sample
from model.training.checkpoint import Checkpoint
from model.training.loss_log import SampleLosses, require_finite, require_finite_norm
from model.training.optimizers import make_optimizer, optimizer_state, restore_optimizer
from model.training.sharding import sharded, shared_like, whole
from model.training.trainer_settings import TrainerSettings, learning_rate

ON_CPU = "seed"
"""Tensor of a batch that stays on the CPU, where samples draw their random numbers."""


class Learner:
    """The networks of a step while they train."""

    def __init__(self, step: nn.Module, *, settings: TrainerSettings, accelerator: Accelerator) -> None:
        self._settings, self._accelerator = settings, accelerator
        self._given = step
        if settings.sharding == "none":
            self._step = step
        else:
            self._step = sharded(step, settings).to(accelerator.device)
        if settings.gradient_checkpointing:
            _checkpoint_gradients(_networks(self._step))
        self._module = self._step
        if settings.sharding == "none":
            self._module = accelerator.prepare_model(step)
        trained = {name: held for name, held in self._step.named_parameters() if held.requires_grad}
        self._names, self._trained = list(trained), list(trained.values())
        self._optimizer = accelerator.prepare_optimizer(make_optimizer(self._trained, settings))
        self._average: EMAModel | None = None
        if settings.ema_decay is not None:
            self._average = EMAModel(self._trained, decay=settings.ema_decay, foreach=True)

    def learn(self, batch: Sample, *, number: int, order: SampleOrder) -> tuple[SampleLosses, float]:
        """Take step `number`, from 1; returns the losses of the global batch and the gradient norm.

        Args:
            batch: this process's share of global batch number - 1.
            number: of the step.
            order: which samples the batch holds.

        Raises:
            NotFiniteError: a loss or gradient is NaN or infinite; the weights are as before.
            ValueError: a trained parameter got no gradient.
        """
        settings, accelerator = self._settings, self._accelerator
        # set from the step's number, so that a resumed run needs no scheduler state
        self._optimizer.param_groups[0]["lr"] = learning_rate(settings, number)
        first = (number - 1) * settings.global_batch
        losses = []
        for start, part in self._parts(batch):
            # dropout layers draw from torch's global generator: make them a function of the position, too
            torch.manual_seed(order[first + start].seed)
            with accelerator.accumulate(self._module):
                with accelerator.autocast():
                    loss = self._module(part)
                accelerator.backward(loss.total)
            losses.append(loss)
        found = self._gathered(SampleLosses.of(losses))
        # before the optimizer runs: the weights stay as they were
        require_finite(found, step=number, samples=_named(order, first, settings.global_batch))
        norm = self._clip(number)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._average is not None:
            self._average.step(self._trained)
        return found, norm

    def _parts(self, batch: Sample) -> Iterator[tuple[int, Sample]]:
        """The parts to accumulate, each with its place in the global batch."""
        settings, accelerator = self._settings, self._accelerator
        share = settings.global_batch // accelerator.num_processes
        size = share // settings.accumulation
        for start in range(0, share, size):
            part = {name: tensor[start : start + size] for name, tensor in batch.items()}
            moved = {
                name: tensor if name == ON_CPU else tensor.to(accelerator.device)
                for name, tensor in part.items()
            }
            yield accelerator.process_index * share + start, moved

    def _gathered(self, losses: SampleLosses) -> SampleLosses:
        """Losses of all processes, in the order of the global batch, on the CPU."""
        # one exchange for losses and levels
        table = torch.cat([losses.values, losses.level[:, None]], dim=1)
        table = self._accelerator.gather(table).cpu()
        return SampleLosses(names=losses.names, values=table[:, :-1], level=table[:, -1])

    def _clip(self, number: int) -> float:
        """Scale the gradients down to the limit; returns their norm before that."""
        missing = [name for name, held in zip(self._names, self._trained, strict=True) if held.grad is None]
        if missing:
            raise ValueError(
                f"step {number}: no gradient reached {missing[0]} (and {len(missing) - 1} more); "
                "freeze what no loss depends on"
            )
        self._accelerator.unscale_gradients()
        gradients = [cast(Tensor, held.grad) for held in self._trained]
        norm = nn.utils.get_total_norm(gradients)
        if self._settings.mixed_precision != "fp16":  # its loss scaler skips such a step
            named = dict(zip(self._names, gradients, strict=True))
            require_finite_norm(float(whole(norm)), step=number, gradients=named)
        if self._settings.max_grad_norm is not None:
            nn.utils.clip_grads_with_norm_(self._trained, self._settings.max_grad_norm, norm)
        return float(whole(norm))

    @contextmanager
    def averaged(self) -> Iterator[dict[str, ModelMixin]]:
        """The whole networks with averaged weights, for validation; afterwards everything is as before.

        Every process must call this.
        """
        # without an average the networks are shown as they are
        kept = [held.detach().clone() for held in self._given_trained()] if self._shows_others else None
        modes = {module: module.training for module in self._given.modules()}
        device = self._accelerator.device
        try:
            self._show()
            self._given.to(device).eval()
            devices = [device] if device.type == "cuda" else []
            with torch.random.fork_rng(devices=devices), torch.no_grad(), self._accelerator.autocast():
                yield _networks(self._given)
        finally:
            if self._given is not self._step:
                self._given.to("cpu")
            if kept is not None:
                _copy(kept, self._given_trained())
            for module, training in modes.items():
                module.training = training

    def finish(self) -> None:
        """Put the result (the average, where there is one) into the step that was given, on the CPU."""
        self._accelerator.unwrap_model(self._module, keep_fp32_wrapper=False)
        self._show()
        self._given.to("cpu")

    @property
    def _shows_others(self) -> bool:
        """Whether the step that was given has other weights than those to show."""
        return self._average is not None or self._given is not self._step

    def _show(self) -> None:
        """Copy the average, or else the weights, into the step that was given."""
        if not self._shows_others:
            return
        shown = self._trained if self._average is None else self._average.shadow_params
        if self._given is not self._step:
            shown = [whole(tensor) for tensor in shown]
        _copy(shown, self._given_trained())

    def _given_trained(self) -> list[nn.Parameter]:
        return [self._given.get_parameter(name) for name in self._names]

    @property
    def gathers(self) -> bool:
        """Whether every process must call `state`, because each holds a part of it."""
        return self._settings.sharding != "none"

    def state(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        """Files of tensors, and JSON, for a checkpoint."""
        tensors, numbers = optimizer_state(self._optimizer, self._names)
        files = {"weights": self._by_name(self._trained), "optimizer": tensors}
        if self._average is not None:
            files["average"] = self._by_name(self._average.shadow_params)
        scaler = self._accelerator.scaler
        return files, {"optimizer": numbers, "scaler": scaler.state_dict() if scaler else {}}

    def restore(self, checkpoint: Checkpoint, numbers: Mapping[str, Any]) -> None:
        """Continue from a checkpoint of the same networks and settings."""
        self._fill(self._trained, checkpoint.tensors("weights"))
        restore_optimizer(
            self._optimizer,
            self._names,
            tensors=checkpoint.tensors("optimizer"),
            numbers=numbers["optimizer"],
        )
        if self._average is not None:
            self._fill(self._average.shadow_params, checkpoint.tensors("average"))
            self._average.optimization_step = checkpoint.step
        if numbers["scaler"]:
            self._accelerator.scaler.load_state_dict(numbers["scaler"])

    def _by_name(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        return {name: whole(tensor) for name, tensor in zip(self._names, tensors, strict=True)}

    def _fill(self, targets: Sequence[Tensor], source: Mapping[str, Tensor]) -> None:
        shares = [
            shared_like(source[name], target) for name, target in zip(self._names, targets, strict=True)
        ]
        _copy(shares, targets)


@torch.no_grad()
def _copy(sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)


def _networks(step: nn.Module) -> dict[str, ModelMixin]:
    return cast(dict[str, ModelMixin], cast(Any, step).networks())


def _checkpoint_gradients(networks: Mapping[str, ModelMixin]) -> None:
    for network in networks.values():
        if network._supports_gradient_checkpointing:
            network.enable_gradient_checkpointing()


def _named(order: SampleOrder, first: int, count: int) -> list[str]:
    return [f"sample {position} (clip {order[position].clip})" for position in range(first, first + count)]
