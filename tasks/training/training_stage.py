"""What a training stage is: the record that stages.py fills in, and a stage opened for training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.utils.data import Dataset

from model.samples.sample_order import SampleOrder
from model.samples.training_set import Sample
from model.training.profiles import Profile, StageName
from model.training.untrained import Shapes, untrained_start
from tasks.dataset.read_version import Split, TrainingClips
from tasks.training.callback import ValidationPictures
from tasks.training.open_training import Training
from tasks.training.open_version import PictureClips
from tasks.training.run_folder import StageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """A stage of one training, ready to be trained."""

    step: nn.Module
    data: Dataset[Sample]
    order: SampleOrder
    clips: Mapping[Split, TrainingClips] = field(default_factory=dict)
    """Cached latents; empty where the stage trains on pictures."""
    pictures: PictureClips | None = None
    """Cached pictures; None where the stage trains on latents."""

    @property
    def networks(self) -> dict[str, Any]:
        """The step's networks by their names in a pipeline."""
        step: Any = self.step
        networks: dict[str, Any] = step.networks()
        return networks


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStage:
    """Everything in which a stage differs from the others; one trainer serves all of them."""

    name: StageName
    summary: str
    """What the stage learns from what, in one sentence."""
    after: StageName | None
    """Stage whose denoiser and ReferenceNet it starts from; None = pretrained or random networks."""
    networks: tuple[str, ...]
    """Names of the networks in the stage's folder."""
    step: Callable[[Any, Any], nn.Module]
    """Builds the step from a StageStart and the profile's settings of the stage."""
    shapes: Callable[[Profile], Shapes] | None
    """Shapes of one sample of cached latents, for memory planning; None = the stage trains on pictures."""
    plan: Callable[[TrainingStage, Training], StagePlan]
    """Opens the samples and builds the step."""
    validate: Callable[[Training, StagePlan], ValidationPictures] | None
    """Prepares the validation pictures; None = the stage has none."""
    save: Callable[[Training, StagePlan, StageRecord], StageRecord]
    """Saves networks and pipeline, then the record; returns it with the networks' digests."""

    def untrained_step(self, profile: Profile) -> Any:
        """The step with random weights at a profile's sizes."""
        return self.step(untrained_start(profile), getattr(profile, self.name))

    def sample_shapes(self, profile: Profile) -> Shapes:
        """Shapes of one sample at a profile's sizes.

        Raises:
            ValueError: the stage does not train on cached latents.
        """
        if self.shapes is None:
            raise ValueError(f"stage {self.name} trains on pictures; only stages on latents can be planned")
        return self.shapes(profile)
