"""Pretrained weights, from folders or the Hub: Stable Diffusion 1.x and AnimateDiff, safetensors only.

Missing or unknown weights are errors. The libraries' own loaders only warn: they fill in random numbers and
skip what they do not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

PROMPT_FILE = "empty_prompt.safetensors"
"""File beside unet/ and vae/ that replaces the text encoder and its tokenizer."""
NAMED_KEYS = 8
"""Number of wrong keys that an error names."""
COMPUTED = ".pos_embed.pe"
"""Ending of computed sinusoids: older MotionAdapter files have them, newer ones leave them out."""

Source = str | Path
"""A folder, or a name on the Hub."""


def load_unet(source: Source) -> UNet2DConditionModel:
    """Load the UNet of a Stable Diffusion 1.x folder (unet/)."""
    return cast(UNet2DConditionModel, _load(UNet2DConditionModel, source, subfolder="unet"))


def load_vae(source: Source, *, subfolder: str | None = "vae") -> AutoencoderKL:
    """Load the VAE of a Stable Diffusion 1.x folder, or from a folder of its own (subfolder=None)."""
    return cast(AutoencoderKL, _load(AutoencoderKL, source, subfolder=subfolder))


def load_motion_adapter(source: Source) -> MotionAdapter:
    """Load AnimateDiff's motion modules from a MotionAdapter folder."""
    return cast(MotionAdapter, _load(MotionAdapter, source, subfolder=None))


def load_empty_prompt(source: Source) -> Tensor:
    """Embedding of the empty prompt, (1, 77, D), with which Stable Diffusion was trained without a text.

    It is read from PROMPT_FILE if there is one, else computed with the text encoder of the folder.
    """
    stored = Path(source) / PROMPT_FILE
    if stored.is_file():
        return load_file(stored)["prompt"]
    encoder = _load(CLIPTextModel, source, subfolder="text_encoder")
    tokenizer = CLIPTokenizer.from_pretrained(source, subfolder="tokenizer")
    tokens = tokenizer(
        "", padding="max_length", max_length=encoder.config.max_position_embeddings, return_tensors="pt"
    )
    with torch.inference_mode():
        embedding = encoder(tokens.input_ids).last_hidden_state
    return cast(Tensor, embedding.clone())


def save_empty_prompt(prompt: Tensor, folder: Path) -> None:
    """Store the embedding, so that the text encoder is not needed again."""
    save_file({"prompt": prompt.contiguous()}, folder / PROMPT_FILE)


def _load(network: Any, source: Source, *, subfolder: str | None) -> Any:
    """Load a network in eval mode with all of its weights and no others.

    Raises:
        FileNotFoundError: no configuration or no safetensors.
        ValueError: names the keys that are missing or left over (the library names those of another shape).
    """
    where = f"{network.__name__} in {source}" + (f"/{subfolder}" if subfolder else "")
    try:
        loaded, report = network.from_pretrained(
            source, subfolder=subfolder or "", use_safetensors=True, output_loading_info=True
        )
    except OSError as error:
        raise FileNotFoundError(
            f"{where}: need config.json and weights as .safetensors (pickled weights are not read); {error}"
        ) from error
    wrong = {
        "missing": [key for key in report["missing_keys"] if not key.endswith(COMPUTED)],
        "left over": report["unexpected_keys"],
    }
    found = "; ".join(f"{_named(keys)} {what}" for what, keys in wrong.items() if keys)
    if found:
        raise ValueError(f"{where}: {found}; these weights belong to another network")
    return loaded


def _named(keys: Iterable[str]) -> str:
    ordered = sorted(keys)
    more = len(ordered) - NAMED_KEYS
    return ", ".join(ordered[:NAMED_KEYS]) + (f" and {more} more" if more > 0 else "")
