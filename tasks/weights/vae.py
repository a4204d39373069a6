"""VAE weights: find the two files that the latents stage reads, and load the network from them."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from diffusers import AutoencoderKL

from model.networks.pretrained import load_vae

VAE_FILES = {"vae_config": "config.json", "vae_weights": "diffusion_pytorch_model.safetensors"}
"""Role -> file name in an AutoencoderKL folder."""


def find_vae(folder: Path) -> dict[str, Path]:
    """Find the files of a VAE by role.

    Raises:
        FileNotFoundError: names the files that the folder lacks.
    """
    missing = [name for name in VAE_FILES.values() if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"VAE folder {folder} lacks {' and '.join(missing)}; save it with AutoencoderKL.save_pretrained "
            "(pickled weights are not read)"
        )
    return {role: folder / name for role, name in VAE_FILES.items()}


@lru_cache(maxsize=1)  # a worker runs many clips through one network
def open_vae(config: Path, weights: Path) -> AutoencoderKL:
    """Load the network in eval mode, float32."""
    with tempfile.TemporaryDirectory() as folder:
        for role, path in (("vae_config", config), ("vae_weights", weights)):
            (Path(folder) / VAE_FILES[role]).symlink_to(path.resolve())
        return load_vae(folder, subfolder=None).eval()
