"""The training stages in order, and the only place where they are written (paper 5.1, 7.2).

A new stage on cached latents takes three files: a step module in model/training (settings, step, and a
function that builds the step), a field with its values in model/training/profiles.py, and a record here.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.training.autoencoder_step import autoencoder_step
from model.training.image_step import inpaint_step, joint_step
from model.training.motion_step import motion_step
from model.training.untrained import pair_shapes, window_shapes
from tasks.training.run_folder import RunFolder
from tasks.training.save_networks import save_autoencoder, save_image_networks, save_video_networks
from tasks.training.stage_plans import plan_autoencoder, plan_pairs, plan_windows
from tasks.training.training_stage import TrainingStage
from tasks.training.validation import validate_pictures, validate_video

AUTOENCODER = TrainingStage(
    name="autoencoder",
    summary="Where no VAE is pretrained: a small VAE learns the crops and depth codes of all train clips.",
    after=None,
    networks=("vae",),
    step=autoencoder_step,
    shapes=None,
    plan=plan_autoencoder,
    validate=None,
    save=save_autoencoder,
)
JOINT = TrainingStage(
    name="joint",
    summary="Denoiser and ReferenceNet learn RGB and depth together, from pairs of frames of one person.",
    after=None,
    networks=("denoiser", "reference_net"),
    step=joint_step,
    shapes=pair_shapes,
    plan=plan_pairs,
    validate=validate_pictures,
    save=save_image_networks,
)
INPAINT = TrainingStage(
    name="inpaint",
    summary="The denoiser, widened by ten input channels, learns to fill asymmetric masks of RGB and depth.",
    after="joint",
    networks=("denoiser", "reference_net"),
    step=inpaint_step,
    shapes=pair_shapes,
    plan=plan_pairs,
    validate=validate_pictures,
    save=save_image_networks,
)
MOTION = TrainingStage(
    name="motion",
    summary="Motion modules and speech adapter learn windows of talking clips; the rest is frozen.",
    after="joint",
    networks=("denoiser", "reference_net", "speech_adapter"),
    step=motion_step,
    shapes=window_shapes,
    plan=plan_windows,
    validate=validate_video,
    save=save_video_networks,
)
STAGES = (AUTOENCODER, JOINT, INPAINT, MOTION)


def find_stage(name: str) -> TrainingStage:
    """Find a stage by its name.

    Raises:
        ValueError: there is no such stage; lists the names.
    """
    for stage in STAGES:
        if stage.name == name:
            return stage
    raise ValueError(f"stage {name!r}: take one of {', '.join(stage.name for stage in STAGES)}")


def check_order(names: Sequence[str], *, folder: RunFolder) -> None:
    """Refuse to train stages, in this order, if one starts from networks that will not be there.

    Raises:
        ValueError: a stage starts from one that is neither finished nor trained before it.
    """
    ready = set(folder.finished())
    for stage in map(find_stage, names):
        if stage.after is not None and stage.after not in ready:
            raise ValueError(
                f"stage {stage.name} starts from stage {stage.after}, which is not finished in "
                f"{folder.root}; run the same command with --stage {stage.after} first"
            )
        ready.add(stage.name)
