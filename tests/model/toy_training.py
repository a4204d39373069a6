"""The smallest thing that trains: one linear network on numbers made from the draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.utils.data import Dataset

from model.sample_order import Draw, MixSettings, SampleOrder
from model.trainer_settings import TrainerSettings


class ToyNetwork(ModelMixin, ConfigMixin):
    @register_to_config
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, width), nn.SiLU(), nn.Linear(width, 8))
        self.frozen = nn.Linear(8, 8)
        self.frozen.requires_grad_(False)

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(self.frozen(picture))


@dataclass
class ToyLoss:
    total: Tensor
    parts: dict[str, Tensor]
    level: Tensor | None


class ToyStep(nn.Module):
    def __init__(self, seed: int = 0, width: int = 16) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.network = ToyNetwork(width)

    def networks(self) -> dict[str, Any]:
        return {"network": self.network}

    def forward(self, batch: dict[str, Tensor]) -> ToyLoss:
        # noise from torch's own generator: the trainer must make even that repeatable
        noisy = batch["rgb"] + 0.1 * torch.randn_like(batch["rgb"])
        error = (self.network(noisy) - batch["rgb"].roll(1, dims=1)).square().float()
        parts = {"rgb": error[:, :4].mean(dim=1), "depth": error[:, 4:].mean(dim=1)}
        return ToyLoss((parts["rgb"] + parts["depth"]).mean(), parts, batch["level"])


class ToySamples(Dataset):
    def __init__(self, bad: int | None = None) -> None:
        self.bad = bad

    def __getitem__(self, draw: Draw) -> dict[str, Tensor]:
        generator = draw.generator()
        rgb = torch.randn(8, generator=generator)
        if draw.clip == self.bad:
            rgb[5] = float("nan")
        level = torch.randint(1000, (), generator=generator)
        return {"rgb": rgb, "level": level, "seed": torch.tensor(draw.seed)}


def toy_order(seed: int = 0) -> SampleOrder:
    return SampleOrder(root="toy", seed=seed, studio=[0, 1, 2], wild=[3, 4], mix=MixSettings())


def toy_settings(**changes: Any) -> TrainerSettings:
    chosen = {
        "steps": 6,
        "global_batch": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "ema_decay": 0.9,
        "checkpoint_every": 2,
        "log_every": 3,
    }
    return TrainerSettings(**{**chosen, **changes})


class Notes:
    """A watch that writes down what it is shown, and can stop the run."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.losses: dict[int, dict[str, float]] = {}
        self.validated: dict[int, Tensor] = {}
        self.stop_at = stop_at

    def on_step(self, step: int, losses: Any) -> None:
        self.losses[step] = dict(losses)
        if step == self.stop_at:
            raise KeyboardInterrupt

    def on_validation(self, step: int, networks: Any) -> None:
        assert not networks["network"].training
        torch.rand(3)  # a validation may use torch's generator as it likes
        self.validated[step] = networks["network"].layers[0].weight.clone()
