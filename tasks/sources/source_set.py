"""What a data set offers to a build: a label, a kind, a folder and a scan.

A class implements the protocol by having these members. HDTF's settings do (tasks/sources/hdtf.py), and so
does a small record that wraps one folder of clips (tasks/sources/folder.py). Scans, reports and messages
ask the protocol and know no data set by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tasks.sources.source import Catalogue, ClipKind


class SourceSet(Protocol):
    """One data set, or one folder of a data set, that a build reads."""

    @property
    def label(self) -> str:
        """Name for the report, unless the folder's source.json states another."""

    @property
    def kind(self) -> ClipKind:
        """Chain of stages that its sources go through (tasks/dag.py)."""

    @property
    def folder(self) -> Path:
        """Folder of the media files, which may hold a source.json (docs/formats/clips.md)."""

    def scan(self) -> Catalogue:
        """Find every source: nothing is decoded and no media file is opened.

        Raises:
            ValueError: a folder is missing, or a list does not parse; the message names file and line.
        """
