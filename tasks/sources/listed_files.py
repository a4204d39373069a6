"""Finding the files that a dataset's list names: by their stem, wherever they lie below a folder.

Names of a list are only ever compared with names that a scan of the folder found, so no name in a list
can reach outside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tasks.reasons import Reason
from tasks.sources.walk_files import Listing, Refusal

MISSING = Refusal(Reason.UNREADABLE, "the list names it and the folder lacks it: missing")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a list names."""

    name: str
    """Below the folder, '/'-separated."""
    found: Path | Refusal
    """The file, or why it cannot be used."""


class ListedFiles:
    """The files of a folder by stem."""

    def __init__(self, listing: Listing) -> None:
        self._by_stem: dict[str, list[FoundFile]] = {}
        found: dict[str, Path | Refusal] = {**listing.files, **listing.refused}
        for name in sorted(found):
            self._by_stem.setdefault(PurePosixPath(name).stem, []).append(FoundFile(name, found[name]))
        self._used: set[str] = set()
        self._all = len(found)

    def find(self, stems: Iterable[str], *, folder: str | None = None) -> FoundFile | None:
        """The file of the first stem that is there; of several the one below `folder`, then by name.

        Args:
            stems: candidate names without suffix, best first.
            folder: a folder name that a file's path may hold, for example the subset.
        """
        for stem in stems:
            files = self._by_stem.get(stem, [])
            if files:
                inside = [file for file in files if folder in PurePosixPath(file.name).parts[:-1]]
                chosen = (inside or files)[0]
                self._used.add(chosen.name)
                return chosen
        return None

    @property
    def unlisted(self) -> int:
        """Files that no list named so far."""
        return self._all - len(self._used)
