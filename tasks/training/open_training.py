"""Open a training: check the version, hold its store, bind the folder to what the training began with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from model.networks.build_networks import Pretrained
from model.networks.pretrained import load_vae
from model.training.profiles import Profile, find_profile
from tasks.dataset.encode_version import EncodingSettings, VersionEncoder
from tasks.progress import StageProgress
from tasks.store.blobs import Store
from tasks.store.locks import build_lock
from tasks.store.versions import Version, read_version
from tasks.training.processes import one_after_another
from tasks.training.run_folder import RunFolder, TrainingFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One folder, one dataset version, one profile."""

    version: Version
    facts: TrainingFacts
    folder: RunFolder
    encoder: VersionEncoder
    progress: StageProgress
    notices: tuple[str, ...]
    """What is synthetic or untrained, in sentences."""

    @property
    def profile(self) -> Profile:
        """Sizes, stages and noise schedule."""
        return self.facts.profile


@contextmanager
def open_training(
    *,
    store: Path,
    name: str,
    number: int | None,
    profile: str,
    out: Path,
    seed: int,
    encoding: EncodingSettings,
    progress: StageProgress,
) -> Iterator[Training]:
    """Open a training; its store is safe from garbage collection until the context ends.

    Raises:
        ValueError: no such profile, no GPU for it, or `out` holds another training.
        StoreError: no such version, or its files are damaged.
    """
    opened = Store(store)
    with build_lock(opened):
        version = read_version(opened, name, number=number)
        chosen = find_profile(profile)
        if chosen.encode_on == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"profile {profile} encodes clips on a GPU, and there is none; set its encode_on to cpu, "
                "where a frame of 512 px takes a core half a minute"
            )
        facts = TrainingFacts(dataset=name, root=version.root, seed=seed, profile=chosen)
        folder = RunFolder(out)
        with one_after_another():
            folder.begin(facts)
            _copy_vae(chosen, folder)
        untrained = () if chosen.untrained is None else (chosen.untrained,)
        yield Training(
            version=version,
            facts=facts,
            folder=folder,
            encoder=VersionEncoder(store=opened, settings=encoding, progress=progress),
            progress=progress,
            notices=(*untrained, *version.lock.notices),
        )


def _copy_vae(profile: Profile, folder: RunFolder) -> None:
    """Copy a pretrained VAE, so that the folder does not depend on where it came from."""
    if isinstance(profile.networks, Pretrained) and not folder.vae.is_dir():
        vae = load_vae(profile.networks.stable_diffusion)
        folder.save(folder.vae, vae.save_pretrained)
