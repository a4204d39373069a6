"""How a stage is opened: samples from the dataset version, networks from the stage before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from model.networks.build_networks import first_motion_adapter, first_networks
from model.networks.noise_schedule import noise_schedule
from model.networks.prompt import Prompt
from model.samples.sample_order import MixSettings, SampleOrder, seed_of
from model.samples.training_set import PairSet, WindowSet
from model.training.autoencoder_step import PictureSet
from model.training.stage_start import StageStart
from tasks.dataset.read_version import Split, TrainingClips, split_rows
from tasks.training.open_training import Training
from tasks.training.open_version import PictureClips, cached_pictures, training_clips
from tasks.training.processes import one_after_another
from tasks.training.run_folder import RunFolder, TrainingFacts
from tasks.training.training_stage import StagePlan, TrainingStage


def plan_autoencoder(stage: TrainingStage, training: Training) -> StagePlan:
    """Pictures of all train clips; the VAE starts from random weights."""
    settings = training.profile.autoencoder
    assert settings is not None, "only profiles without a pretrained VAE have this stage"
    with one_after_another():
        pictures = cached_pictures(training.version, training.profile, training.encoder)
    clips = PictureClips(training.encoder.store, split_rows(training.version.rows, "train"), pictures)
    with _weights_of(training.facts, stage.name):
        step = stage.step(None, settings)
    kinds = {kind: [i for i, held in enumerate(clips.kinds) if held == kind] for kind in ("studio", "wild")}
    order = _order(training.facts, stage.name, kinds, settings.mix)
    return StagePlan(step=step, data=PictureSet(clips), order=order, pictures=clips)


def plan_pairs(stage: TrainingStage, training: Training) -> StagePlan:
    """Pairs of a frame and a reference of the same person."""
    settings, clips = getattr(training.profile, stage.name), _latents(training)
    data = PairSet(clips["train"])
    start = _start(stage, training)
    with _weights_of(training.facts, stage.name):
        step = stage.step(start, settings)
    kinds = {"studio": data.clips("studio"), "wild": data.clips("wild")}
    order = _order(training.facts, stage.name, kinds, settings.mix)
    return StagePlan(step=step, data=data, order=order, clips=clips)


def plan_windows(stage: TrainingStage, training: Training) -> StagePlan:
    """Windows of wild clips with sound.

    Raises:
        ValueError: no clip has sound and the length of a window.
    """
    settings, clips = getattr(training.profile, stage.name), _latents(training)
    data = WindowSet(clips["train"], length=settings.length)
    chosen = data.clips()
    if not chosen:
        raise ValueError(
            f"no train clip has sound and {settings.length.frames} frames, which the {stage.name} stage "
            "needs; build a version with talking clips"
        )
    # the speech network is the version's: its features say how large the adapter's input is
    layers, width = clips["train"].speech(chosen[0], first=0, count=1).shape[1:]
    start = _start(stage, training, speech_layers=layers, speech_width=width)
    with _weights_of(training.facts, stage.name):
        step = stage.step(start, settings)
    order = _order(training.facts, stage.name, {"studio": [], "wild": chosen}, MixSettings())
    return StagePlan(step=step, data=data, order=order, clips=clips)


def load_network(kind: type[Any], folder: Path) -> Any:
    """Load a network that an earlier stage saved."""
    return kind.from_pretrained(folder, use_safetensors=True)


def _latents(training: Training) -> Mapping[Split, TrainingClips]:
    """Cached latents of the train and val clips.

    Raises:
        ValueError: the version has no train clips.
    """
    splits: Sequence[Split] = ("train", "val")
    with one_after_another():
        clips = training_clips(
            training.version, training.folder.vae, training.profile, training.encoder, splits=splits
        )
    if "train" not in clips:
        raise ValueError(
            f"version {training.version.number} has no published train clips; build a larger one"
        )
    return clips


def _start(stage: TrainingStage, training: Training, **speech: int) -> StageStart:
    """Networks at step 0 of the first diffusion stage, or as the stage before left them."""
    folder, profile = training.folder, training.profile
    if stage.after is None:
        with _weights_of(training.facts, stage.name):
            first = first_networks(profile.networks)
        _save_prompt(folder, first.prompt)
        denoiser, reference_net, prompt = first.denoiser, first.reference_net, first.prompt
    else:
        before = folder.stage(stage.after)
        denoiser = load_network(UNet2DConditionModel, before / "denoiser")
        reference_net = load_network(UNet2DConditionModel, before / "reference_net")
        prompt = load_network(Prompt, folder.prompt)
    return StageStart(
        denoiser=denoiser,
        reference_net=reference_net,
        prompt=prompt,
        schedule=noise_schedule(profile.noise),
        motion_adapter=partial(first_motion_adapter, profile.networks),
        speech=profile.speech,
        **speech,
    )


def _save_prompt(folder: RunFolder, prompt: Prompt) -> None:
    """Keep the prompt for the later stages."""
    with one_after_another():
        if not folder.prompt.is_dir():
            folder.save(folder.prompt, prompt.save_pretrained)


@contextmanager
def _weights_of(facts: TrainingFacts, stage: str) -> Iterator[None]:
    """Random weights depend on seed and stage alone, and leave torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(f"{facts.seed}/{stage}"))
        yield


def _order(facts: TrainingFacts, stage: str, kinds: Mapping[str, list[int]], mix: MixSettings) -> SampleOrder:
    # a seed of its own for each stage: otherwise all would see the same samples in the same order
    seed = int.from_bytes(hashlib.sha256(f"{facts.seed}/{stage}/order".encode()).digest()[:6], "big")
    return SampleOrder(root=facts.root, seed=seed, studio=kinds["studio"], wild=kinds["wild"], mix=mix)
