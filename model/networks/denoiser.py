"""The RGBD denoisers, made from any Stable Diffusion UNet by pure surgery: unet -> unet (paper 3.3, 4.1).

Input channels are latents of 4 each: [z_rgb, z_depth] for joint learning, and for inpainting the masks and
the masked latents are appended last, so that the joint weights stay a prefix. Mask 1 = generate, 0 = given.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import torch
from diffusers import UNet2DConditionModel

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

# the layout is a note in the configuration, which the library tells of at every load
logging.getLogger("diffusers.configuration_utils").addFilter(
    lambda record: "input_layout" not in record.getMessage()
)

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
"""Parts of a ReferenceNet behind the last feature that the denoiser reads: they get no gradient."""


def joint_denoiser(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """8 -> 8 channels from a 4 -> 4 UNet: conv_in [W, 0], conv_out [W; W] and its bias twice.

    At step 0 the RGB output is the original's, and so is the depth output: both read z_rgb alone.
    """
    _require_channels(unet, inputs=LATENT_CHANNELS)
    state = _state(unet)
    state["conv_in.weight"] = _append_zeros(state["conv_in.weight"], LATENT_CHANNELS)
    state["conv_out.weight"] = state["conv_out.weight"].repeat(2, 1, 1, 1)
    state["conv_out.bias"] = state["conv_out.bias"].repeat(2)
    return _rebuilt(unet, state, in_channels=8, out_channels=8, input_layout=JOINT_LAYOUT)


def inpaint_denoiser(joint: UNet2DConditionModel) -> UNet2DConditionModel:
    """18 -> 8 channels from the joint denoiser: ten zero channels appended, so nothing changes at step 0."""
    _require_channels(joint, inputs=8)
    state = _state(joint)
    added = sum(LAYOUT_CHANNELS[name] for name in INPAINT_LAYOUT) - 8
    state["conv_in.weight"] = _append_zeros(state["conv_in.weight"], added)
    return _rebuilt(joint, state, in_channels=8 + added, out_channels=8, input_layout=INPAINT_LAYOUT)


def reference_net(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A ReferenceNet with the UNet's weights; the tail behind its last feature is frozen by name."""
    _require_channels(unet, inputs=LATENT_CHANNELS)
    network = _rebuilt(unet, _state(unet), in_channels=4, out_channels=4, input_layout=("z_rgb",))
    for name in unused_tail(network):
        network.get_parameter(name).requires_grad_(False)
    return network


def unused_tail(network: UNet2DConditionModel) -> list[str]:
    """Names of the ReferenceNet's parameters that no feature depends on.

    The last feature is what the last transformer block's self-attention reads (its norm1 output).
    """
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
    """Refuse a denoiser whose input channels mean something else.

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
