"""The files below a folder, listed without opening any of them.

Names are data and are never interpreted. A link counts only if it leads to a file inside the folder.
"""

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
"""Name of folders that hold ground truth and no clips."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file that lies among the sources cannot be one."""

    reason: Reason
    detail: str


@dataclass(slots=True)
class Listing:
    """Everything that lies below a folder."""

    files: dict[str, Path] = field(default_factory=dict)
    """Path below the folder ('/'-separated) -> regular file (for a link, its target), in order of names."""
    refused: dict[str, Refusal] = field(default_factory=dict)
    """Path below the folder -> why the file is not a source."""
    folders: dict[str, Path] = field(default_factory=dict)
    """Path below the folder -> folder that counts as one source; its files were not listed."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Kind (hidden, truth, side-car) -> how many files and folders were skipped."""


def list_files(
    root: Path, *, side_cars: Collection[str] = (), is_leaf: Callable[[str], bool] = lambda _name: False
) -> Listing:
    """List everything below a folder, recursively, in order of names.

    Hidden names, folders called `truth` and side-cars are skipped and counted. A link to a regular file
    below the folder counts as that file. Links that leave the folder, links to folders, FIFOs, sockets and
    devices are refused, and none of them is opened.

    Args:
        root: the folder.
        side_cars: suffixes (lower case, with the dot) of files that only accompany sources.
        is_leaf: True for the name of a folder that counts as one source, such as a folder of pictures.

    Raises:
        ValueError: `root` is not an existing folder.
    """
    if not root.is_dir():
        raise ValueError(f"{str(root)!r} is not a folder; give the folder that holds the sources")
    resolved = root.resolve()
    listing = Listing()
    # By bytes: the order depends neither on the file system nor on how a name decodes.
    for entry, name in sorted(_walk(resolved, "", listing, is_leaf), key=lambda found: os.fsencode(found[1])):
        _sort_in(listing, entry, name=name, root=resolved, side_cars=side_cars)
    return listing


def printable_name(name: str) -> str:
    """A file name that can be encoded as UTF-8: bytes that are not UTF-8 become hex escapes."""
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
    except (OSError, RuntimeError) as error:  # RuntimeError: links that form a circle
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
