"""The RGBD denoisers: functions that extend any Stable Diffusion UNet, unet -> unet (paper 3.3, 4.1).

The input holds latents of 4 channels each: [z_rgb, z_depth] for joint learning. For inpainting, masks and
masked latents are appended, so that the joint weights remain a prefix. Mask 1 = generate, 0 = given.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers import UNet2DConditionModel

from model.networks import diffusers_hooks  # noqa: F401  # drops its report of input_layout
from model.networks.autoencoder import LATENT_CHANNELS

Tensors = dict[str, torch.Tensor]

JOINT_LAYOUT = ("z_rgb", "z_depth")
INPAINT_LAYOUT = (*JOINT_LAYOUT, "mask_rgb", "mask_depth", "masked_z_rgb", "masked_z_depth")
LAYOUT_CHANNELS = {
    "z_rgb": 4,
    "z_depth": 4,
    "mask_rgb": 1,
    "mask_depth": 1,
    "masked_z_rgb": 4,
    "masked_z_depth": 4,
}

UNUSED_REFERENCE_TAIL = (
    "conv_norm_out.",
    "conv_out.",
    "proj_out.",
    "attn1.",
    "norm2.",
    "attn2.",
    "norm3.",
    "ff.",
)
"""Parts of a ReferenceNet after the last feature that the denoiser reads; they get no gradient."""


def joint_denoiser(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Widen a 4 -> 4 UNet to 8 -> 8 channels (paper 3.3): conv_in [W, 0], conv_out [W; W], its bias twice.

    At step 0 the outputs for RGB and for depth both equal the original's, because they read z_rgb alone.
    """
    _require_channels(unet, inputs=LATENT_CHANNELS)
    state = _state(unet)
    # conv_in reads [z_rgb, z_depth]: W for RGB as before, 0 for depth
    state["conv_in.weight"] = _append_zeros(state["conv_in.weight"], LATENT_CHANNELS)
    # conv_out predicts the noise of both: the same filters twice
    state["conv_out.weight"] = state["conv_out.weight"].repeat(2, 1, 1, 1)
    state["conv_out.bias"] = state["conv_out.bias"].repeat(2)
    return _rebuilt(unet, state, in_channels=8, out_channels=8, input_layout=JOINT_LAYOUT)


def inpaint_denoiser(joint: UNet2DConditionModel) -> UNet2DConditionModel:
    """Widen the joint denoiser to 18 -> 8 channels: ten zero channels appended, step 0 changes nothing."""
    _require_channels(joint, inputs=8)
    state = _state(joint)
    added = sum(LAYOUT_CHANNELS[name] for name in INPAINT_LAYOUT) - 8
    state["conv_in.weight"] = _append_zeros(state["conv_in.weight"], added)
    return _rebuilt(joint, state, in_channels=8 + added, out_channels=8, input_layout=INPAINT_LAYOUT)


def reference_net(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Make a ReferenceNet with the UNet's weights; the tail after its last feature is frozen by name."""
    _require_channels(unet, inputs=LATENT_CHANNELS)
    network = _rebuilt(unet, _state(unet), in_channels=4, out_channels=4, input_layout=("z_rgb",))
    for name in unused_tail(network):
        network.get_parameter(name).requires_grad_(False)
    return network


def unused_tail(network: UNet2DConditionModel) -> list[str]:
    """Names of the ReferenceNet's parameters on which no feature depends.

    The last feature is the input of the last transformer block's self-attention (the output of norm1).
    """
    # attention may be missing on the finest levels of a small network
    attends = [index for index, block in enumerate(network.up_blocks) if hasattr(block, "attentions")]
    last_block = f"up_blocks.{attends[-1]}."
    last_attention = f"{last_block}attentions.{_layers(network)}."
    later = tuple(f"up_blocks.{index}." for index in range(attends[-1] + 1, len(network.up_blocks)))
    tail = []
    for name, _ in network.named_parameters():
        inside = name.removeprefix(last_attention).removeprefix("transformer_blocks.0.")
        if name.startswith(("conv_norm_out.", "conv_out.", f"{last_block}upsamplers.", *later)) or (
            name.startswith(last_attention) and inside.startswith(UNUSED_REFERENCE_TAIL)
        ):
            tail.append(name)
    return tail


def check_layout(unet: UNet2DConditionModel, layout: tuple[str, ...]) -> None:
    """Refuse a network whose input channels have another meaning.

    Raises:
        ValueError: names both layouts.
    """
    found = tuple(cast(Any, unet.config).get("input_layout") or ())
    if found != layout:
        raise ValueError(f"denoiser has input layout {found}, need {layout}; load the other stage's weights")


def _layers(network: UNet2DConditionModel) -> int:
    layers = cast(Any, network.config).layers_per_block
    return int(layers if isinstance(layers, int) else layers[-1])


def _state(unet: UNet2DConditionModel) -> Tensors:
    return {name: tensor.detach().clone() for name, tensor in unet.state_dict().items()}


def _append_zeros(weight: torch.Tensor, channels: int) -> torch.Tensor:
    zeros = weight.new_zeros(weight.shape[0], channels, *weight.shape[2:])
    return torch.cat([weight, zeros], dim=1)


def _rebuilt(unet: UNet2DConditionModel, state: Tensors, **changes: Any) -> UNet2DConditionModel:
    config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    layout = changes.pop("input_layout")
    device = next(iter(state.values())).device
    with torch.device(device):
        rebuilt = UNet2DConditionModel.from_config({**config, **changes})
    rebuilt.load_state_dict(state)
    rebuilt.register_to_config(input_layout=list(layout))
    return rebuilt.to(unet.dtype) if rebuilt.dtype != unet.dtype else rebuilt


def _require_channels(unet: UNet2DConditionModel, *, inputs: int) -> None:
    found = cast(Any, unet.config).in_channels
    if found != inputs:
        raise ValueError(f"UNet has {found} input channels, need {inputs}")
