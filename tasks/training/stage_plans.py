"""What each stage trains, on what: networks from the stage before, samples from the version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.utils.data import Dataset

from model.networks.autoencoder import small_autoencoder
from model.networks.build_networks import first_motion_adapter, first_networks
from model.networks.denoiser import inpaint_denoiser
from model.networks.motion import video_denoiser
from model.networks.noise_schedule import noise_schedule
from model.networks.prompt import Prompt
from model.networks.speech_adapter import SpeechAdapter
from model.samples.sample_order import MixSettings, SampleOrder
from model.samples.seeds import seed_of
from model.samples.training_set import PairSet, Sample, WindowSet
from model.training.autoencoder_step import AutoencoderStep, PictureSet
from model.training.profiles import AutoencoderTraining, StageName
from model.training.trainer_settings import TrainerSettings
from model.training.training_step import InpaintStep, JointStep, MotionStep
from tasks.dataset.read_version import TrainingClips
from tasks.training.open_version import PictureClips
from tasks.training.processes import one_after_another
from tasks.training.run_folder import RunFolder, TrainingFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage, ready to be trained."""

    step: nn.Module
    data: Dataset[Sample]
    order: SampleOrder
    trainer: TrainerSettings


def plan_autoencoder(facts: TrainingFacts, clips: PictureClips, settings: AutoencoderTraining) -> StagePlan:
    """Stage 0: the small VAE from nothing."""
    with _weights_of(facts, "autoencoder"):
        step = AutoencoderStep(small_autoencoder(settings.size), weights=settings.weights)
    kinds = {kind: [i for i, held in enumerate(clips.kinds) if held == kind] for kind in ("studio", "wild")}
    order = _order(facts, "autoencoder", kinds, settings.mix)
    return StagePlan(step=step, data=PictureSet(clips), order=order, trainer=settings.trainer)


def plan_joint(facts: TrainingFacts, clips: TrainingClips, folder: RunFolder) -> StagePlan:
    """Stage 1: denoiser and ReferenceNet; the prompt is kept for the stages after it."""
    settings = facts.profile.joint
    with _weights_of(facts, "joint"):
        networks = first_networks(facts.profile.networks)
    with one_after_another():
        if not folder.prompt.is_dir():
            folder.save(folder.prompt, networks.prompt.save_pretrained)
    step = JointStep(
        denoiser=networks.denoiser,
        reference_net=networks.reference_net,
        prompt=networks.prompt,
        schedule=noise_schedule(facts.profile.noise),
        loss=settings.loss,
    )
    data = PairSet(clips)
    return StagePlan(
        step=step, data=data, order=_pairs(facts, "joint", data, settings.mix), trainer=settings.trainer
    )


def plan_inpaint(facts: TrainingFacts, clips: TrainingClips, folder: RunFolder) -> StagePlan:
    """Stage 2: the joint stage's networks, widened."""
    settings = facts.profile.inpaint
    step = InpaintStep(
        denoiser=inpaint_denoiser(load_network(UNet2DConditionModel, folder.stage("joint") / "denoiser")),
        reference_net=load_network(UNet2DConditionModel, folder.stage("joint") / "reference_net"),
        prompt=load_network(Prompt, folder.prompt),
        schedule=noise_schedule(facts.profile.noise),
        loss=settings.loss,
        masks=settings.masks,
        train_reference_net=settings.train_reference_net,
    )
    data = PairSet(clips)
    return StagePlan(
        step=step, data=data, order=_pairs(facts, "inpaint", data, settings.mix), trainer=settings.trainer
    )


def plan_motion(facts: TrainingFacts, clips: TrainingClips, folder: RunFolder) -> StagePlan:
    """Stage 3: the joint stage's networks with motion modules and speech.

    Raises:
        ValueError: no clip has sound and the length of a window.
    """
    settings = facts.profile.motion
    joint = load_network(UNet2DConditionModel, folder.stage("joint") / "denoiser")
    data = WindowSet(clips, length=settings.length)
    if not data.clips():
        raise ValueError(
            f"no train clip has sound and {settings.length.frames} frames, which the motion stage needs; "
            "build a version with talking clips"
        )
    layers, width = clips.speech(data.clips()[0], first=0, count=1).shape[1:]
    with _weights_of(facts, "motion"):
        adapter = first_motion_adapter(facts.profile.networks, joint)
        denoiser = video_denoiser(joint, adapter, zero_output=settings.zero_output)
        speech = SpeechAdapter.for_denoiser(
            denoiser,
            layers=layers,
            layer_width=width,
            window_frames=settings.length.speech,
            **facts.profile.speech.model_dump(),
        )
    step = MotionStep(
        denoiser=denoiser,
        reference_net=load_network(UNet2DConditionModel, folder.stage("joint") / "reference_net"),
        speech_adapter=speech,
        prompt=load_network(Prompt, folder.prompt),
        schedule=noise_schedule(facts.profile.noise),
        given_frames=settings.length.given,
        loss=settings.loss,
    )
    order = _order(facts, "motion", {"studio": [], "wild": data.clips()}, MixSettings())
    return StagePlan(step=step, data=data, order=order, trainer=settings.trainer)


def load_network(kind: type[Any], folder: Path) -> Any:
    """A network that an earlier stage saved."""
    return kind.from_pretrained(folder, use_safetensors=True)


@contextmanager
def _weights_of(facts: TrainingFacts, stage: StageName) -> Iterator[None]:
    """Random weights are the seed's and the stage's, and leave torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(f"{facts.seed}/{stage}"))
        yield


def _pairs(facts: TrainingFacts, stage: StageName, data: PairSet, mix: MixSettings) -> SampleOrder:
    kinds = {"studio": data.clips("studio"), "wild": data.clips("wild")}
    return _order(facts, stage, kinds, mix)


def _order(
    facts: TrainingFacts, stage: StageName, kinds: Mapping[str, list[int]], mix: MixSettings
) -> SampleOrder:
    # another seed for each stage: else all would see the same samples in the same order
    seed = int.from_bytes(hashlib.sha256(f"{facts.seed}/{stage}/order".encode()).digest()[:6], "big")
    return SampleOrder(root=facts.root, seed=seed, studio=kinds["studio"], wild=kinds["wild"], mix=mix)


def networks_of(step: nn.Module) -> dict[str, Any]:
    """A step's networks by their names in a pipeline."""
    return cast(dict[str, Any], cast(Any, step).networks())
