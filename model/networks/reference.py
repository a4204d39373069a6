"""Reference attention: the denoiser's spatial self-attention also reads the ReferenceNet (paper 3.2, 3.3).

Features are values that calls return and take; modules keep nothing. So gradient accumulation, checkpointing
and validation in the middle of training need no care.

In a video denoiser the batch of a spatial attention holds the frames of all samples, (B * F, N, C), sample by
sample. What belongs to a sample (reference, prompt) is projected once and shared by its frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from diffusers import UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional

from model.networks.speech_adapter import Speech

Features = dict[str, Tensor]
"""Name of a self-attention -> its input tokens (B, N, C)."""


class FeatureRecorder:
    """Collects features. A plain dict would not do: in a sharded network each block would get a copy."""

    def __init__(self) -> None:
        self.features: Features = {}


ReferenceKeys = Mapping[str, tuple[Tensor, Tensor]]
"""Name of a self-attention -> keys and values of the reference's tokens, (B, N, C) each."""


UNet = TypeVar("UNet", UNet2DConditionModel, UNetMotionModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The reference, as a denoiser call reads it."""

    keys: ReferenceKeys | None = None
    """Keys and values computed once for a clip (reference_keys), for sampling."""
    features: Features | None = None
    """Features from the ReferenceNet, for training: keys must follow the denoiser's weights."""
    keep: Tensor | None = None
    """Samples that keep the reference (condition dropout), (B,) bool; None = all. On the CPU, so that nothing
    waits for the device."""
    without: int = 0
    """Number of samples in front that do not read the reference (classifier-free guidance in one call)."""


class ReferenceProcessor:
    """Self-attention over [own tokens, reference tokens]; it can also record its input as a feature.

    Each attention has its own instance, which holds the name of the attention and nothing else.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        reference: Reference | None = None,
        record: FeatureRecorder | None = None,
        speech: Speech | None = None,
    ) -> Tensor:
        """Attend; tokens (B * F, N, C) -> (B * F, N, C)."""
        del encoder_hidden_states, attention_mask, temb  # a UNet's spatial self-attention has none
        del speech
        if record is not None:
            record.features[self.name] = hidden_states
        query = attn.to_q(hidden_states)
        key, value = attn.to_k(hidden_states), attn.to_v(hidden_states)
        if reference is None:
            return _project(attn, _attend(attn, query, key, value))
        keys, values = _reference_keys(attn, self.name, reference)
        # the batch holds `frames` frames for each sample, with the reference or without
        frames = len(query) // (reference.without + len(keys))
        query, key, value = (tokens.reshape(-1, frames, *tokens.shape[1:]) for tokens in (query, key, value))
        # classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): unconditional samples first
        if reference.without:
            first = reference.without
            alone = _attend(attn, query[:first], key[:first], value[:first])
            both = _attend(attn, query[first:], _beside(key[first:], keys), _beside(value[first:], values))
            return _project(attn, torch.cat([alone, both]).flatten(0, 1))
        if reference.keep is None:
            both = _attend(attn, query, _beside(key, keys), _beside(value, values))
            return _project(attn, both.flatten(0, 1))
        # Samples without the reference attend to their own tokens only: 3 units of work, 4 with a mask.
        out = torch.empty_like(query)
        keep, alone = reference.keep, ~reference.keep
        if keep.any():
            out[keep] = _attend(
                attn, query[keep], _beside(key[keep], keys[keep]), _beside(value[keep], values[keep])
            )
        if alone.any():
            out[alone] = _attend(attn, query[alone], key[alone], value[alone])
        return _project(attn, out.flatten(0, 1))


class TextProcessor:
    """Cross-attention to the prompt, plus the one to speech where there is speech.

    It names all arguments, because diffusers drops those that a processor does not name, with a warning.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        reference: Reference | None = None,
        record: FeatureRecorder | None = None,
        speech: Speech | None = None,
    ) -> Tensor:
        """Attend; tokens (B * F, N, C), prompt (1 or B, M, D) -> (B * F, N, C)."""
        del attention_mask, temb, reference, record
        assert encoder_hidden_states is not None
        key, value = attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states)
        # frames with the same prompt form one long row of queries, so that nothing is repeated
        query = attn.to_q(hidden_states).reshape(len(key), -1, key.shape[-1])
        out = _project(attn, _attend(attn, query, key, value).reshape_as(hidden_states))
        return out if speech is None else out + speech.attend(self.name, hidden_states)


def install_reference_attention(unet: UNet) -> UNet:
    """Give every spatial attention its processor; weights and their names do not change."""
    processors: dict[str, Any] = {}
    for name, current in unet.attn_processors.items():
        attention = name.removesuffix(".processor")
        if "motion_modules" in name:
            processors[name] = current
        elif attention.endswith(".attn1"):
            processors[name] = ReferenceProcessor(attention)
        else:
            processors[name] = TextProcessor(attention)
    unet.set_attn_processor(processors)
    return unet


def reference_features(reference_net: UNet2DConditionModel, latents: Tensor, prompt: Tensor) -> Features:
    """Run the ReferenceNet at noise level 0: latents (B, 4, h, w), prompt (1 or B, M, D) -> features."""
    record = FeatureRecorder()
    level = torch.zeros(len(latents), dtype=torch.long, device=latents.device)
    reference_net(latents, level, prompt, cross_attention_kwargs={"record": record})
    return record.features


def reference_keys(
    denoiser: UNet2DConditionModel | UNetMotionModel, features: Features
) -> dict[str, tuple[Tensor, Tensor]]:
    """Keys and values of the reference in every self-attention of the denoiser, once for a whole clip."""
    found = {}
    for name, tokens in features.items():
        attention = cast(Any, denoiser.get_submodule(name))
        found[name] = (attention.to_k(tokens), attention.to_v(tokens))
    return found


def _reference_keys(attn: Attention, name: str, reference: Reference) -> tuple[Tensor, Tensor]:
    if reference.keys is not None:
        return reference.keys[name]
    assert reference.features is not None
    tokens = reference.features[name]
    return attn.to_k(tokens), attn.to_v(tokens)


def _beside(own: Tensor, reference: Tensor) -> Tensor:
    """Append the sample's reference (B, M, C) to the tokens of its frames (B, F, N, C): (B, F, N + M, C)."""
    shared = reference[:, None].expand(-1, own.shape[1], -1, -1)
    return torch.cat([own, shared], dim=2)


def _attend(attn: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Multi-head attention over the tokens; (..., N, C)."""

    def heads(tokens: Tensor) -> Tensor:
        split = tokens.reshape(*tokens.shape[:-1], attn.heads, -1)
        return split.transpose(-3, -2).flatten(0, -4)

    out = functional.scaled_dot_product_attention(heads(query), heads(key), heads(value))
    return out.transpose(-3, -2).reshape(query.shape)


def _project(attn: Attention, tokens: Tensor) -> Tensor:
    projected: Tensor = attn.to_out[1](attn.to_out[0](tokens))
    return projected
