"""Which sources a build starts from, and the scan that lists them all."""

from __future__ import annotations

from pathlib import Path

from model.settings import Settings
from tasks.sources.facescape import FacescapeSettings, scan_facescape
from tasks.sources.folder import scan_folder
from tasks.sources.hdtf import HdtfSettings, scan_hdtf
from tasks.sources.multiface import scan_multiface
from tasks.sources.source import Catalogue, merge_catalogues
from tasks.sources.studio_generic import scan_generic_rig
from tasks.sources.subjects import SubjectSettings
from tasks.sources.vfhq import VfhqSettings, scan_vfhq


class SourceSettings(Settings):
    """Where a dataset build finds its sources."""

    clips: tuple[Path, ...] = ()
    """Folders of talking-head clips, scanned recursively."""
    subjects: SubjectSettings = SubjectSettings()
    """How the clips of those folders are grouped by person."""
    hdtf: HdtfSettings | None = None
    """HDTF (docs/formats/hdtf.md)."""
    vfhq: VfhqSettings | None = None
    """VFHQ (docs/formats/vfhq.md)."""
    studio: tuple[Path, ...] = ()
    """Studio captures: folders with a rig.json (docs/formats/generic_rig.md)."""
    multiface: tuple[Path, ...] = ()
    """Multiface entity folders, with KRT and tracked_mesh (docs/formats/multiface.md)."""
    facescape: FacescapeSettings | None = None
    """FaceScape multi-view captures (docs/formats/facescape.md)."""


def scan_sources(settings: SourceSettings) -> Catalogue:
    """Every source of a build, each once; nothing is decoded and no media file is opened.

    Raises:
        ValueError: a setting or a list is wrong; names the file and the line.
    """
    parts = [scan_folder(folder, subjects=settings.subjects) for folder in settings.clips]
    if settings.hdtf:
        parts.append(scan_hdtf(settings.hdtf))
    if settings.vfhq:
        parts.append(scan_vfhq(settings.vfhq))
    parts += [scan_generic_rig(folder) for folder in settings.studio]
    parts += [scan_multiface(folder) for folder in settings.multiface]
    if settings.facescape:
        parts.append(scan_facescape(settings.facescape))
    return merge_catalogues(parts)
