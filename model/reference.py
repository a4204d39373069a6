"""Reference attention: the denoiser's spatial self-attention also reads the ReferenceNet (paper 3.2, 3.3).

Stateless on purpose: features are a value that a call takes and returns. Nothing is kept in modules, so
gradient accumulation, checkpointing and validation in the middle of training just work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional

Features = dict[str, Tensor]
"""Name of a self-attention -> what it read: tokens (B, N, C)."""

ReferenceKeys = Mapping[str, tuple[Tensor, Tensor]]
"""Name of a self-attention -> keys and values of the reference's tokens, (B, N, C) each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a denoiser call reads of the reference."""

    keys: ReferenceKeys | None = None
    """Computed once a clip (reference_keys), for sampling."""
    features: Features | None = None
    """Straight from the ReferenceNet, for training: keys follow the denoiser's weights."""
    keep: Tensor | None = None
    """(B,) bool: samples that see the reference; None = all. For condition dropout and guidance."""


class ReferenceProcessor:
    """Self-attention over [self, reference], or recording what it reads.

    One instance per attention, because it knows its name; it holds nothing else.
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
        record: Features | None = None,
    ) -> Tensor:
        """Attend; tokens (B, N, C) -> (B, N, C)."""
        del encoder_hidden_states, attention_mask, temb  # a UNet's spatial self-attention has none
        if record is not None:
            record[self.name] = hidden_states
        query = attn.to_q(hidden_states)
        key, value = attn.to_k(hidden_states), attn.to_v(hidden_states)
        if reference is None:
            return _project(attn, _attend(attn, query, key, value))
        reference_key, reference_value = _reference_keys(attn, self.name, reference)
        if reference.keep is None:
            both = _attend(
                attn, query, torch.cat([key, reference_key], 1), torch.cat([value, reference_value], 1)
            )
            return _project(attn, both)
        # samples without the reference attend to themselves only: 3 units of work where masking costs 4
        out = torch.empty_like(query)
        seen, alone = reference.keep, ~reference.keep
        if seen.any():
            keys = torch.cat([key[seen], reference_key[seen]], 1)
            out[seen] = _attend(attn, query[seen], keys, torch.cat([value[seen], reference_value[seen]], 1))
        if alone.any():
            out[alone] = _attend(attn, query[alone], key[alone], value[alone])
        return _project(attn, out)


class TextProcessor:
    """Cross-attention to the prompt; names the same arguments, which diffusers would drop with a warning."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        reference: Reference | None = None,
        record: Features | None = None,
    ) -> Tensor:
        """Attend; tokens (B, N, C), prompt (B, M, D) -> (B, N, C)."""
        del attention_mask, temb, reference, record
        assert encoder_hidden_states is not None
        key, value = attn.to_k(encoder_hidden_states), attn.to_v(encoder_hidden_states)
        return _project(attn, _attend(attn, attn.to_q(hidden_states), key, value))


def install_reference_attention(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Give every spatial attention its processor; weights and their names stay as they are."""
    processors = {
        name: ReferenceProcessor(name.removesuffix(".processor")) if ".attn1." in name else TextProcessor()
        for name in unet.attn_processors
    }
    unet.set_attn_processor(cast(Any, processors))
    return unet


def reference_features(reference_net: UNet2DConditionModel, latents: Tensor, prompt: Tensor) -> Features:
    """Run the ReferenceNet at noise level 0: latents (B, 4, h, w), prompt (B, M, D) -> features."""
    features: Features = {}
    level = torch.zeros(len(latents), dtype=torch.long, device=latents.device)
    reference_net(latents, level, prompt, cross_attention_kwargs={"record": features})
    return features


def reference_keys(denoiser: UNet2DConditionModel, features: Features) -> dict[str, tuple[Tensor, Tensor]]:
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


def _attend(attn: Attention, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    def heads(tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], attn.heads, -1).transpose(1, 2)

    out = functional.scaled_dot_product_attention(heads(query), heads(key), heads(value))
    return out.transpose(1, 2).flatten(-2)


def _project(attn: Attention, tokens: Tensor) -> Tensor:
    projected: Tensor = attn.to_out[1](attn.to_out[0](tokens))
    return projected
