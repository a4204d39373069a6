"""Pretrained weights, from folders or the Hub: Stable Diffusion 1.x and AnimateDiff, safetensors only.

Strict: the libraries' own loaders fill what is missing with random numbers and pass over what they do not
know, both with a warning only. Here that is an error.
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
"""Beside unet/ and vae/ it replaces the text encoder and its tokenizer."""
NAMED_KEYS = 8
"""So many wrong keys are named in an error."""
COMPUTED = ".pos_embed.pe"
"""Sinusoids: older MotionAdapter files have them, newer ones leave them out."""

Source = str | Path
"""A folder, or a name on the Hub."""


def load_unet(source: Source) -> UNet2DConditionModel:
    """The UNet of a Stable Diffusion 1.x folder (unet/)."""
    return cast(UNet2DConditionModel, _load(UNet2DConditionModel, source, subfolder="unet"))


def load_vae(source: Source, *, subfolder: str | None = "vae") -> AutoencoderKL:
    """The VAE of a Stable Diffusion 1.x folder, or one that has a folder of its own (subfolder=None)."""
    return cast(AutoencoderKL, _load(AutoencoderKL, source, subfolder=subfolder))


def load_motion_adapter(source: Source) -> MotionAdapter:
    """AnimateDiff's motion modules as a MotionAdapter folder."""
    return cast(MotionAdapter, _load(MotionAdapter, source, subfolder=None))


def load_empty_prompt(source: Source) -> Tensor:
    """Embedding of the empty prompt, (1, 77, D): what Stable Diffusion was trained on without a text.

    Read from PROMPT_FILE where it is, else computed with the folder's text encoder.
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
    """Store the embedding, so that nobody needs the text encoder again."""
    save_file({"prompt": prompt.contiguous()}, folder / PROMPT_FILE)


def _load(network: Any, source: Source, *, subfolder: str | None) -> Any:
    """All weights, and no others, into a network in eval mode.

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
