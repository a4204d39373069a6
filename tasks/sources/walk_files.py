"""The files below a folder: every name is data, nothing is opened, and no link leads out."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.reasons import Reason
from tasks.sources.digest import file_kind

TRUTH_FOLDER = "truth"
"""Folders of this name hold ground truth beside the clips, not clips."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is no source although it stands where sources stand."""

    reason: Reason
    detail: str


@dataclass(slots=True)
class Listing:
    """What stands below a folder."""

    files: dict[str, Path] = field(default_factory=dict)
    """Name below the folder ('/'-separated) -> regular file (a link's target), in order of name."""
    refused: dict[str, Refusal] = field(default_factory=dict)
    """Name -> why it is not a source."""
    folders: dict[str, Path] = field(default_factory=dict)
    """Name -> folder that is taken as one thing and was not looked into."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Kind -> how many files and folders were left alone: hidden, truth, side-car."""


def list_files(
    root: Path, *, side_cars: Collection[str] = (), is_leaf: Callable[[str], bool] = lambda _name: False
) -> Listing:
    """Everything below a folder, recursively, in order of names.

    Hidden names, `truth` folders and files with a side-car's suffix are skipped and counted. A link
    counts as its target when that is a regular file below the folder; links to elsewhere and links to
    folders are refused, as are FIFOs, sockets and devices, which are never opened.

    Args:
        root: the folder.
        side_cars: suffixes, in lower case with the dot, of files that only accompany sources.
        is_leaf: tells from its name that a folder is to be listed in `folders` and not looked into.

    Raises:
        ValueError: the folder is missing or no folder.
    """
    if not root.is_dir():
        raise ValueError(f"{str(root)!r} is not a folder; give the folder that holds the sources")
    resolved = root.resolve()
    listing = Listing()
    for entry, name in sorted(_walk(resolved, "", listing, is_leaf), key=lambda found: os.fsencode(found[1])):
        _sort_in(listing, entry, name=name, root=resolved, side_cars=side_cars)
    return listing


def printable_name(name: str) -> str:
    """A file name as text that any encoder takes: bytes that are not UTF-8 are written as hex escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _walk(
    folder: Path, prefix: str, listing: Listing, is_leaf: Callable[[str], bool]
) -> Iterator[tuple[os.DirEntry[str], str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as error:
        name = printable_name(prefix.rstrip("/"))
        listing.refused[name] = Refusal(Reason.UNREADABLE, f"folder: {error.strerror}")
        return
    for entry in found:
        if entry.name.startswith("."):
            listing.skipped["hidden"] += 1
        elif not entry.is_dir(follow_symlinks=False):
            yield entry, prefix + entry.name
        elif entry.name == TRUTH_FOLDER:
            listing.skipped["truth"] += 1
        elif is_leaf(entry.name):
            listing.folders[printable_name(prefix + entry.name)] = Path(entry.path)
        else:
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", listing, is_leaf)


def _sort_in(
    listing: Listing, entry: os.DirEntry[str], *, name: str, root: Path, side_cars: Collection[str]
) -> None:
    shown = printable_name(name)
    if shown != name:
        listing.refused[shown] = Refusal(Reason.UNSAFE_PATH, "the name is not valid UTF-8; rename the file")
    elif Path(name).suffix.lower() in side_cars:
        listing.skipped["side-car"] += 1
    elif entry.is_symlink():
        _sort_in_link(listing, Path(entry.path), name=name, root=root)
    elif not entry.is_file(follow_symlinks=False):
        kind = file_kind(entry.stat(follow_symlinks=False).st_mode)
        listing.refused[name] = Refusal(Reason.NOT_REGULAR, f"a {kind}, need a regular file")
    else:
        listing.files[name] = Path(entry.path)


def _sort_in_link(listing: Listing, link: Path, *, name: str, root: Path) -> None:
    try:
        target = link.resolve()
        inside = target.is_relative_to(root)
        mode = target.lstat().st_mode if inside else 0
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        listing.refused[name] = Refusal(Reason.UNREADABLE, f"a broken link: {error.__class__.__name__}")
        return
    if not inside:
        listing.refused[name] = Refusal(Reason.UNSAFE_PATH, "a link that leaves the source folder")
    elif stat.S_ISDIR(mode):
        listing.refused[name] = Refusal(
            Reason.UNSAFE_PATH, "a link to a folder; links are followed to files only"
        )
    elif not stat.S_ISREG(mode):
        listing.refused[name] = Refusal(
            Reason.NOT_REGULAR, f"a link to a {file_kind(mode)}, need a regular file"
        )
    else:
        listing.files[name] = target
