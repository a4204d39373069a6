"""The smallest thing that trains: one linear network on numbers made from the draw."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.utils.data import Dataset

from model.networks.denoiser import joint_denoiser, reference_net
from model.networks.reference import Reference, install_reference_attention, reference_features
from model.samples.sample_order import Draw, MixSettings, SampleOrder
from model.training.denoising import StepLoss
from model.training.trainer_settings import TrainerSettings
from tests.model.tiny_networks import tiny_unet


class ToyNetwork(ModelMixin, ConfigMixin):
    @register_to_config
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, width), nn.SiLU(), nn.Linear(width, 8))
        self.frozen = nn.Linear(8, 8)
        self.frozen.requires_grad_(False)

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(self.frozen(picture))


def step_loss(parts: dict[str, Tensor], level: Tensor) -> StepLoss:
    total = (parts["rgb"] + parts["depth"]).mean()
    return StepLoss(total=total, parts={name: part.detach() for name, part in parts.items()}, level=level)


class ToyStep(nn.Module):
    def __init__(self, seed: int = 0, *, frozen_seed: int = 0, width: int = 16, noise: float = 0.1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.network = ToyNetwork(width)
        generator = torch.Generator().manual_seed(frozen_seed)
        for held in self.network.frozen.parameters():
            held.data.copy_(torch.randn(held.shape, generator=generator))
        self.noise = noise

    def networks(self) -> dict[str, Any]:
        return {"network": self.network}

    def forward(self, batch: dict[str, Tensor]) -> StepLoss:
        # noise from torch's own generator: the trainer must make even that repeatable
        noisy = batch["rgb"] + self.noise * torch.randn_like(batch["rgb"])
        error = (self.network(noisy) - batch["rgb"].roll(1, dims=1)).square().float()
        parts = {"rgb": error[:, :4].mean(dim=1), "depth": error[:, 4:].mean(dim=1)}
        return step_loss(parts, batch["level"])


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


class PortraitStep(nn.Module):
    """A tiny denoiser that reads a tiny ReferenceNet."""

    def __init__(self) -> None:
        super().__init__()
        self.denoiser = install_reference_attention(joint_denoiser(tiny_unet()))
        self.reference_net = install_reference_attention(reference_net(tiny_unet()))

    def networks(self) -> dict[str, Any]:
        return {"denoiser": self.denoiser, "reference_net": self.reference_net}

    def forward(self, batch: dict[str, Tensor]) -> StepLoss:
        prompt = torch.ones(1, 2, 16)
        features = reference_features(self.reference_net, batch["picture"][:, :4], prompt)
        read = {"reference": Reference(features=features)}
        predicted = self.denoiser(
            batch["picture"], batch["level"], prompt, cross_attention_kwargs=read
        ).sample
        error = (predicted - batch["picture"].flip(1)).square().float()
        parts = {"rgb": error[:, :4].mean((1, 2, 3)), "depth": error[:, 4:].mean((1, 2, 3))}
        return step_loss(parts, batch["level"])


class PortraitSamples(Dataset):
    def __getitem__(self, draw: Draw) -> dict[str, Tensor]:
        generator = draw.generator()
        picture = torch.randn(8, 8, 8, generator=generator)
        return {"picture": picture, "level": torch.randint(1000, (), generator=generator)}


def toy_order(seed: int = 0) -> SampleOrder:
    return SampleOrder(root="toy", seed=seed, studio=[0, 1, 2], wild=[3, 4], mix=MixSettings())


def toy_settings(**changes: Any) -> TrainerSettings:
    chosen = {
        "steps": 6,
        "global_batch": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 1,
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
        assert not any(network.training for network in networks.values())
        torch.rand(3)  # a validation may use torch's generator as it likes
        if "network" in networks:
            self.validated[step] = networks["network"].layers[0].weight.clone()
        else:
            picture, prompt = torch.ones(1, 8, 8, 8), torch.ones(1, 2, 16)
            self.validated[step] = networks["denoiser"](picture, 500, prompt).sample
