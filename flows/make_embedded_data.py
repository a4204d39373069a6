"""Make the project's own data: synthetic speakers, a photograph under a moving camera and a studio set."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveInt

from flows.outcome import Outcome, goal
from model.settings import Settings
from tasks.dataset.source_facts import SOURCE_CARD, SourceCard
from tasks.embedded.make_clips import make_embedded_clips
from tasks.embedded.make_studio import make_embedded_studio


class MakeEmbeddedDataSettings(Settings):
    """Output folder and size of the studio set."""

    out: Path
    """Folder to write to; it is created if it does not exist."""
    studio_subjects: PositiveInt = Field(default=8, le=1000)
    """Number of people in the studio set. Person k is the same whatever the number is. A model that should
    work for new people needs dozens."""


class EmbeddedData(Outcome):
    """Folders to pass to build-dataset."""

    clips: Path
    """Folder for --clips."""
    studio: Path
    """Folder for --studio."""


@goal("make-embedded-data {settings.out}")
def make_embedded_data(settings: MakeEmbeddedDataSettings) -> EmbeddedData:
    """Write synthetic clips with their ground truth and a synthetic studio set; the same bytes every time."""
    make_embedded_clips(settings.out)
    make_embedded_studio(settings.out / "studio", subjects=settings.studio_subjects)
    for folder, label in (("clips", "embedded clips"), ("studio", "embedded studio")):
        card = SourceCard(label=label, synthetic=True, licence="CC0-1.0")
        (settings.out / folder / SOURCE_CARD).write_text(card.model_dump_json() + "\n")
    return EmbeddedData(clips=settings.out / "clips", studio=settings.out / "studio")
