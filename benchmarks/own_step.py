"""Steps of the joint stage and of guided sampling, for `benchmarks.training_speed`.

python -m benchmarks.own_step cached|uncached_rgb|uncached|sample SIDE BATCH    (started by it)
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from benchmarks.measured_steps import (
    BETAS,
    GUIDANCE,
    LEARNING_RATE,
    MAX_GRAD_NORM,
    WEIGHT_DECAY,
    Size,
    Work,
    serve,
)
from model.networks.autoencoder import AutoencoderSize, encode, small_autoencoder
from model.networks.build_networks import JointNetworks, UNetSize, first_networks
from model.networks.noise_schedule import NoiseSettings, noise_schedule
from model.networks.prompt import Prompt
from model.networks.reference import Reference, reference_features, reference_keys
from model.pipelines.sampling import denoise, guided_at_once
from model.training.denoising import LossSettings
from model.training.image_step import JointStep
from model.training.optimizers import make_optimizer
from model.training.trainer_settings import TrainerSettings

PROMPT_TOKENS = 77
"""Of Stable Diffusion's empty prompt."""
NOISE = NoiseSettings(prediction="v_prediction", zero_snr=True)
PICTURES = {"cached": (), "uncached_rgb": ("rgb", "reference"), "uncached": ("rgb", "depth", "reference")}
"""What a step encodes; the rest is cached. The other side encodes its target and its reference."""
LATENTS = ("rgb", "depth", "reference")


def networks(size: Size) -> JointNetworks:
    """Denoiser and ReferenceNet."""
    head_widths = {width // heads for width, heads in zip(size.widths, size.heads, strict=True)}
    made = first_networks(
        UNetSize(
            widths=size.widths,
            attention_levels=tuple(range(len(size.widths) - 1)),
            layers=size.layers,
            head_width=head_widths.pop(),
            prompt_width=size.prompt_width,
            side=size.side,
        )
    )
    prompt = Prompt.from_embedding(torch.randn(1, PROMPT_TOKENS, size.prompt_width))
    return JointNetworks(denoiser=made.denoiser, reference_net=made.reference_net, prompt=prompt)


def training(size: Size, *, encoded: tuple[str, ...]) -> Work:
    """A batch in, weights changed; of the batch so much is pictures, the rest latents."""
    nets = networks(size)
    step = JointStep(
        denoiser=nets.denoiser,
        reference_net=nets.reference_net,
        prompt=nets.prompt,
        schedule=noise_schedule(NOISE),
        # every step has its reference, as on the other side
        loss=LossSettings(reference_dropout=0),
    )
    for name, parameter in nets.reference_net.named_parameters():
        if "up_blocks.3" in name:
            parameter.requires_grad_(False)  # as on the other side
    trained = [held for held in step.parameters() if held.requires_grad]
    optimizer = make_optimizer(
        trained,
        TrainerSettings(
            steps=1,
            global_batch=size.batch,
            learning_rate=LEARNING_RATE,
            betas=BETAS,
            weight_decay=WEIGHT_DECAY,
        ),
    )
    seeds = torch.arange(size.batch)
    vae = autoencoder(size) if encoded else None
    seen = {name: pictures(size) for name in encoded}
    cached = {name: torch.randn(size.batch, 4, size.side, size.side) for name in LATENTS}

    def one() -> None:
        latents = {} if vae is None else encode_all(vae, seen)
        step({**cached, **latents, "seed": seeds}).total.backward()
        nn.utils.clip_grad_norm_(trained, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

    return Work(step=one, parameters=parameters(nets), trained=sum(held.numel() for held in trained))


def sampling(size: Size) -> Work:
    """One step of guided denoising; the reference is read once, beforehand."""
    nets = networks(size)
    prompt = nets.prompt()
    noise = torch.randn(size.batch, 8, size.side, size.side)
    with torch.inference_mode():
        features = reference_features(nets.reference_net, noise[:, :4], prompt)
        seen = Reference(keys=reference_keys(nets.denoiser, features), without=size.batch)

    def predict(latents: Tensor, level: Tensor) -> Tensor:
        said: Tensor = nets.denoiser(
            latents, level, prompt, cross_attention_kwargs={"reference": seen}
        ).sample
        return said

    prediction = guided_at_once(predict, scale=GUIDANCE)
    schedule = noise_schedule(NOISE)
    return Work(
        step=lambda: denoise(prediction, noise, schedule=schedule, steps=1), parameters=parameters(nets)
    )


def autoencoder(size: Size) -> AutoencoderKL:
    """Stable Diffusion's, at reduced width."""
    vae = small_autoencoder(AutoencoderSize(widths=size.vae_widths, layers=size.layers, side_px=size.side_px))
    vae.requires_grad_(False)
    return vae


@torch.no_grad()
def encode_all(vae: AutoencoderKL, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Latents of pictures."""
    return {name: encode(vae, tensor) for name, tensor in batch.items()}


def pictures(size: Size) -> Tensor:
    """(B, 3, H, W)."""
    return torch.rand(size.batch, 3, size.side_px, size.side_px) * 2 - 1


def parameters(nets: JointNetworks) -> int:
    """Of both UNets."""
    return sum(held.numel() for unet in (nets.denoiser, nets.reference_net) for held in unet.parameters())


def prepare(kind: str, size: Size) -> Work:
    """Of a kind."""
    return sampling(size) if kind == "sample" else training(size, encoded=PICTURES[kind])


if __name__ == "__main__":
    serve(prepare)
