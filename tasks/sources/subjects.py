"""Which person a clip shows: read from a list, or guessed by a named rule.

The split into train, validation and test is by subject. A rule that takes one person for two leaks that
person from train to test; a rule that takes two people for one only makes the split coarser. If in doubt,
choose the rule that joins.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from model.settings import Settings

SubjectRule = Literal["parent-folder", "file-stem", "hdtf-name", "csv"]


class SubjectSettings(Settings):
    """Rule that groups the clips of a folder by person."""

    rule: SubjectRule = "parent-folder"
    """How the person of a clip is found. parent-folder: clips in the same sub-folder show the same person,
    and a clip at the top is named after its file. file-stem: the person is the file's stem. hdtf-name: the
    person is the file's stem without a clip number (_0) and trailing digits. csv: read from `table`."""
    table: Path | None = None
    """For the rule csv: a CSV file with the header source_name,subject_id and one line for each clip."""


def read_subjects(settings: SubjectSettings) -> Mapping[str, str]:
    """Source name -> subject, from the table of the rule csv; empty for the other rules.

    Raises:
        ValueError: the table is missing, or a line is not `source_name,subject_id`; the message names the
            line.
    """
    if settings.rule != "csv":
        return {}
    if settings.table is None:
        raise ValueError("the subject rule csv needs a table: set subjects.table")
    subjects: dict[str, str] = {}
    with settings.table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        if next(rows, None) != ["source_name", "subject_id"]:
            raise ValueError(f"{settings.table}:1: need the header source_name,subject_id")
        for row in rows:
            where = f"{settings.table}:{rows.line_num}"
            if len(row) != 2 or not all(cell.strip() for cell in row):
                raise ValueError(f"{where}: {row!r} is not source_name,subject_id")
            if row[0] in subjects:
                raise ValueError(f"{where}: {row[0]!r} is listed twice")
            subjects[row[0]] = row[1].strip()
    return subjects


def subject_of(source_name: str, *, rule: SubjectRule, table: Mapping[str, str]) -> str:
    """The subject of a clip, from its path below the source folder.

    Raises:
        ValueError: the rule is csv and the table lacks the clip.
    """
    folder, _, file_name = source_name.rpartition("/")
    stem = Path(file_name).stem
    if rule == "csv":
        if source_name not in table:
            raise ValueError(f"the subject table lacks {source_name!r}; add its line")
        return table[source_name]
    if rule == "parent-folder" and folder:
        return folder
    return hdtf_person(re.sub(r"_\d+$", "", stem)) if rule == "hdtf-name" else stem


def hdtf_person(video_name: str) -> str:
    """The person of an HDTF video: its name without trailing digits ("AdamSchiff1" -> "AdamSchiff")."""
    return re.sub(r"\d+$", "", video_name) or video_name
