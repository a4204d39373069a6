"""Train one stage of a folder to its end, or go on where it was interrupted, and save what it made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from prefect import task
from prefect.cache_policies import NO_CACHE

from model.networks.autoencoder import fit_scaling_factor
from model.samples.depth_code import as_picture
from model.training.profiles import Profile, StageName
from model.training.trainer import train
from tasks.dataset.encode_version import VersionEncoder
from tasks.dataset.read_version import Split, TrainingClips, split_rows
from tasks.progress import StageProgress
from tasks.store.versions import Version
from tasks.training.open_version import PictureClips, cached_pictures, training_clips
from tasks.training.processes import one_after_another, processes
from tasks.training.run_folder import BEFORE, RunFolder, StageRecord, TrainingFacts, tool_versions
from tasks.training.save_pipelines import save_image_pipeline, save_video_pipeline
from tasks.training.stage_plans import (
    StagePlan,
    networks_of,
    plan_autoencoder,
    plan_inpaint,
    plan_joint,
    plan_motion,
)
from tasks.training.validation import MotionValidation, PictureValidation
from tasks.training.watch import Look, TrainingWatch

FITTED_CLIPS = 64
"""The VAE's scaling factor is taken from the first frame of so many clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One folder, one version, one profile."""

    version: Version
    facts: TrainingFacts
    folder: RunFolder
    encoder: VersionEncoder
    progress: StageProgress
    notices: tuple[str, ...]
    """What is synthetic or untrained, in sentences."""

    @property
    def profile(self) -> Profile:
        """Sizes, stages, schedule."""
        return self.facts.profile


@task(task_run_name="train {stage}", cache_policy=NO_CACHE, persist_result=False)
def train_stage(stage: StageName, training: Training) -> StageRecord:
    """Train a stage that is not finished; its record.

    Raises:
        ValueError: the version lacks what the stage needs.
    """
    done = training.folder.record(stage)
    if done is not None:
        return done
    if stage == "autoencoder":
        return _train_autoencoder(training)
    for earlier in {"autoencoder", BEFORE.get(stage, "autoencoder")}:
        training.folder.check_weights(earlier)
    with one_after_another():
        splits = training_clips(
            training.version, training.folder.vae, training.profile, training.encoder, splits=("train", "val")
        )
    if "train" not in splits:
        raise ValueError(
            f"version {training.version.number} has no published train clips; build a larger one"
        )
    plan = _plan(stage, training, splits["train"])
    return _run(
        stage,
        training,
        plan,
        look=_look(stage, training, splits) if processes().is_main_process else None,
        after_save=lambda record: _save_pipeline(record, training, plan),
    )


def _look(stage: StageName, training: Training, splits: Mapping[Split, TrainingClips]) -> Look:
    facts, folder = training.facts, training.folder
    if stage != "motion":
        return PictureValidation.of(facts, folder, splits)
    return MotionValidation.of(facts, folder, splits, version=training.version, store=training.encoder.store)


def _save_pipeline(record: StageRecord, training: Training, plan: StagePlan) -> None:
    networks = networks_of(plan.step)
    if record.stage == "motion":
        save_video_pipeline(
            training.folder,
            networks,
            record,
            version=training.version,
            store=training.encoder.store,
        )
    else:
        save_image_pipeline(training.folder, networks, record)


def _plan(stage: StageName, training: Training, clips: TrainingClips) -> StagePlan:
    folder, facts = training.folder, training.facts
    plans: dict[str, Callable[[], StagePlan]] = {
        "joint": lambda: plan_joint(facts, clips, folder),
        "inpaint": lambda: plan_inpaint(facts, clips, folder),
        "motion": lambda: plan_motion(facts, clips, folder),
    }
    return plans[stage]()


def _run(
    stage: StageName,
    training: Training,
    plan: StagePlan,
    *,
    look: Look | None,
    before_save: Callable[[], None] | None = None,
    after_save: Callable[[StageRecord], None] | None = None,
) -> StageRecord:
    """Train and save, with what else belongs to the stage's end."""
    folder = training.folder
    logs = folder.root / "logs" / stage
    with TrainingWatch(
        stage, logs=logs, steps=plan.trainer.steps, progress=training.progress, look=look
    ) as watch:
        finished = train(
            plan.step,
            data=plan.data,
            order=plan.order,
            settings=plan.trainer,
            folder=folder.checkpoints(stage),
            watch=watch,
            facts={"stage": stage, "training": training.facts.recorded()},
        )
    record = StageRecord(
        stage=stage,
        training=training.facts,
        steps=finished.steps,
        weights={},
        tools=tool_versions(),
        notices=training.notices,
    )
    state = processes()
    if state.is_main_process:
        if before_save is not None:
            before_save()
        record = folder.finish(record, networks_of(plan.step), also=after_save)
    state.wait_for_everyone()
    return record


def _train_autoencoder(training: Training) -> StageRecord:
    settings = training.profile.autoencoder
    assert settings is not None, "only profiles without pretrained weights have this stage"
    with one_after_another():
        pictures = cached_pictures(training.version, training.profile, training.encoder)
    rows = split_rows(training.version.rows, "train")
    clips = PictureClips(training.encoder.store, rows, pictures)
    plan = plan_autoencoder(training.facts, clips, settings)
    return _run(
        "autoencoder",
        training,
        plan,
        look=None,
        before_save=lambda: _fit_scale(networks_of(plan.step)["vae"], clips),
    )


def _fit_scale(vae: AutoencoderKL, clips: PictureClips) -> None:
    """Latents of RGB and depth together get unit variance."""
    every = range(0, len(clips.kinds), max(len(clips.kinds) // FITTED_CLIPS, 1))
    chosen = [clips.picture(clip, 0) for clip in every]
    seen = torch.cat([torch.cat([picture.rgb, as_picture(picture.code)]) for picture in chosen])
    with torch.inference_mode():
        fit_scaling_factor(vae, vae.eval().encode(seen).latent_dist.mean)
