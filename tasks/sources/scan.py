"""Which data sets a build reads, and the scan that lists all their sources.

To add a data set, write a module with a class that implements SourceSet, then add its setting and its line
in source_sets here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from model.settings import Settings
from tasks.sources.facescape import FacescapeSettings
from tasks.sources.folder import ClipFolder
from tasks.sources.generic_rig import GenericRigSet
from tasks.sources.hdtf import HdtfSettings
from tasks.sources.multiface import MultifaceEntity
from tasks.sources.source import Catalogue, merge_catalogues
from tasks.sources.source_set import SourceSet
from tasks.sources.subjects import SubjectSettings
from tasks.sources.vfhq import VfhqSettings


class SourceSettings(Settings):
    """Data sets and folders that a dataset build reads."""

    clips: tuple[Path, ...] = ()
    """Folders of talking-head clips, scanned recursively (docs/formats/clips.md)."""
    subjects: SubjectSettings = SubjectSettings()
    """Rule that groups the clips of the folders in `clips` by person."""
    hdtf: HdtfSettings | None = None
    """The HDTF data set (docs/formats/hdtf.md)."""
    vfhq: VfhqSettings | None = None
    """The VFHQ data set (docs/formats/vfhq.md)."""
    studio: tuple[Path, ...] = ()
    """Studio sets: folders with a rig.json (docs/formats/generic_rig.md)."""
    multiface: tuple[Path, ...] = ()
    """Entity folders of Multiface, with KRT and tracked_mesh (docs/formats/multiface.md)."""
    facescape: FacescapeSettings | None = None
    """Multi-view captures of FaceScape (docs/formats/facescape.md)."""


def source_sets(settings: SourceSettings) -> tuple[SourceSet, ...]:
    """The data sets that the settings name, in the order of the report."""
    sets: tuple[SourceSet | None, ...] = (
        *(ClipFolder(folder=folder, subjects=settings.subjects) for folder in settings.clips),
        settings.hdtf,
        settings.vfhq,
        *(GenericRigSet(folder=folder) for folder in settings.studio),
        *(MultifaceEntity(folder=folder) for folder in settings.multiface),
        settings.facescape,
    )
    return tuple(source_set for source_set in sets if source_set is not None)


def source_flags() -> str:
    """The flags that name sources, for messages: "--clips, --hdtf ... or --facescape"."""
    *others, last = (f"--{name}" for name in SourceSettings.model_fields if name != "subjects")
    return f"{', '.join(others)} or {last}"


def scan_sources(settings: SourceSettings) -> Catalogue:
    """Every source of a build, each once; nothing is decoded and no media file is opened.

    Raises:
        ValueError: a setting or a list is wrong; the message names the file and the line.
    """
    return scan_sets(source_sets(settings))


def scan_sets(sets: Iterable[SourceSet]) -> Catalogue:
    """Every source of several data sets, each once.

    Raises:
        ValueError: a data set cannot be scanned, or two of them hold a source of the same name.
    """
    return merge_catalogues([source_set.scan() for source_set in sets])
