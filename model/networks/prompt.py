"""The constant prompt, which Stable Diffusion's cross-attention reads in place of a text."""

from __future__ import annotations

from typing import cast

import torch
from diffusers import ConfigMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from model.networks.diffusers_hooks import ModelMixin as ModelMixin


class Prompt(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A constant embedding (1, M, D), as a component that is saved with a pipeline."""

    embedding: Tensor

    @register_to_config
    def __init__(self, *, tokens: int = 77, width: int = 768) -> None:
        """Start with zeros, until weights are loaded."""
        super().__init__()
        self.register_buffer("embedding", torch.zeros(1, tokens, width))

    @classmethod
    def from_embedding(cls, embedding: Tensor) -> Prompt:
        """Wrap an embedding (1, M, D), for example that of `load_empty_prompt`."""
        prompt = cast(Prompt, cls(tokens=embedding.shape[1], width=embedding.shape[2]))
        prompt.embedding.copy_(embedding)
        return prompt

    def forward(self) -> Tensor:
        """The embedding, (1, M, D)."""
        return self.embedding
