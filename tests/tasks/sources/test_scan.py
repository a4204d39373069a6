"""The catalogue: every source once, stable ids, the same wherever the folder lies."""

import os
import shutil

import pytest

from tasks.reasons import Reason
from tasks.sources.scan import SourceSettings, scan_sources
from tasks.sources.source import make_clip_id


def make_clips(root):
    for name in ("b.mp4", "anna/one.mp4", "anna/two.webm", "notes.txt", "sound.wav", "still.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    os.mkfifo(root / "pipe.mp4")
    return root


def test_every_file_is_a_source_or_a_rejected_one(tmp_path):
    catalogue = scan_sources(SourceSettings(clips=(make_clips(tmp_path),)))
    assert {source.source_name: source.subject_id for source in catalogue.sources} == {
        "anna/one.mp4": "anna",
        "anna/two.webm": "anna",
        "b.mp4": "b",
        "sound.wav": "sound",
        "still.png": "still",
    }
    (pipe,) = catalogue.rejected
    assert (pipe.source_name, pipe.reason, pipe.kind) == ("pipe.mp4", Reason.NOT_REGULAR, "wild")
    assert catalogue.skipped == {"side-car": 1}


def test_ids_do_not_depend_on_where_the_folder_is(tmp_path):
    first = scan_sources(SourceSettings(clips=(make_clips(tmp_path / "here"),)))
    shutil.move(tmp_path / "here", tmp_path / "there")
    again = scan_sources(SourceSettings(clips=(tmp_path / "there",)))
    assert [source.clip_id for source in first.sources] == [source.clip_id for source in again.sources]
    assert first.rejected == again.rejected


def test_id_names_folder_name_and_interval():
    variants = {
        make_clip_id("clips", "a"),
        make_clip_id("clips", "b"),
        make_clip_id("vfhq", "a"),
        make_clip_id("clips", "a", 0.0, 1.0),
        make_clip_id("clips", "a", 0.0, 2.0),
        make_clip_id("clips", "a", None, 2.0),
    }
    assert len(variants) == 6
    assert all(len(clip_id) == 16 and int(clip_id, 16) >= 0 for clip_id in variants)


def test_same_name_in_two_folders_is_an_error(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_bytes(folder.encode())
    with pytest.raises(ValueError, match=r"'a\.mp4'.*common parent"):
        scan_sources(SourceSettings(clips=(tmp_path / "x", tmp_path / "y")))
    assert len(scan_sources(SourceSettings(clips=(tmp_path,))).sources) == 2


def test_nothing_is_opened(tmp_path, monkeypatch):
    make_clips(tmp_path)
    monkeypatch.setattr("builtins.open", None)
    monkeypatch.setattr("os.open", None)
    assert len(scan_sources(SourceSettings(clips=(tmp_path,))).sources) == 5


def test_misspelt_setting_is_an_error():
    with pytest.raises(ValueError, match="clip"):
        SourceSettings(clip=("x",))
