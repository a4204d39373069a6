"""Find the files that the list of a data set names: by stem, wherever they lie below a folder.

Names from a list are only compared with names that a scan of the folder found, so a list cannot name a
file outside the folder.
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
    """Path below the folder, '/'-separated."""
    found: Path | Refusal
    """Path of the file, or why it cannot be used."""


class ListedFiles:
    """Files of a folder by stem."""

    def __init__(self, listing: Listing) -> None:
        self._by_stem: dict[str, list[FoundFile]] = {}
        found: dict[str, Path | Refusal] = {**listing.files, **listing.refused}
        for name in sorted(found):
            self._by_stem.setdefault(PurePosixPath(name).stem, []).append(FoundFile(name, found[name]))
        self._used: set[str] = set()
        self._all = len(found)

    def find(self, stems: Iterable[str], *, folder: str | None = None) -> FoundFile | None:
        """The file with the first of the stems that exists, or None.

        Args:
            stems: candidate names without suffix, in order of preference.
            folder: of several files with the same stem, one below a folder of this name is preferred (for
                example, the subset); otherwise the first by name counts.
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
        """Number of files that no list has named so far."""
        return self._all - len(self._used)
