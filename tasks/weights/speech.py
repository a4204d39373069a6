"""wav2vec2 weights: find the two files that the speech stage reads, and load the network from them."""

from __future__ import annotations

import json
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import Wav2Vec2Model

SPEECH_FILES = {"speech_config": "config.json", "speech_weights": "model.safetensors"}
"""Role -> file name in a wav2vec2 folder of the Hub's format."""


def find_speech_model(name: str) -> dict[str, Path]:
    """Find the files of a wav2vec2 model by role: in a local folder, else by Hub id (cached or downloaded).

    Raises:
        FileNotFoundError: a file is in neither place; the message says which one and what to do.
    """
    folder = Path(name)
    if folder.is_dir():
        missing = [file for file in SPEECH_FILES.values() if not (folder / file).is_file()]
        if missing:
            raise FileNotFoundError(
                f"speech model folder {folder} lacks {' and '.join(missing)}; save it with "
                "Wav2Vec2Model.save_pretrained (pickled weights are not read)"
            )
        return {role: folder / file for role, file in SPEECH_FILES.items()}
    return {role: _from_hub(name, file) for role, file in SPEECH_FILES.items()}


def _from_hub(name: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(
            f"speech model {name!r}: no such folder, and {file} is neither in the Hub's cache nor "
            f"available from the Hub ({type(error).__name__}); give a local folder with "
            f"{' and '.join(SPEECH_FILES.values())}"
        ) from error


@lru_cache(maxsize=1)  # a worker runs many clips through one network
def load_speech_model(config: Path, weights: Path) -> tuple[Wav2Vec2Model, str]:
    """Load the network in eval mode, with the name that its configuration gives it.

    Raises:
        ValueError: the files are no wav2vec2 model, or weights are missing in them.
    """
    from transformers import Wav2Vec2Model

    name = json.loads(config.read_text()).get("_name_or_path") or "wav2vec2"
    with tempfile.TemporaryDirectory() as folder:
        for role, path in (("speech_config", config), ("speech_weights", weights)):
            (Path(folder) / SPEECH_FILES[role]).symlink_to(path.resolve())
        network, report = Wav2Vec2Model.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    missing = sorted(key for key in report["missing_keys"] if key != "masked_spec_embed")
    if missing:
        raise ValueError(f"speech model {name}: weights lack {missing[:3]} ({len(missing)} in all)")
    size = f"{network.config.hidden_size} x {network.config.num_hidden_layers}"
    return network.eval(), f"{name} ({size})"
