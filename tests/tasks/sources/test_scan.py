"""The catalogue: every source once, stable ids, the same wherever the folder lies."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.reasons import Reason
from tasks.sources.folder import ClipFolder
from tasks.sources.scan import SourceSettings, scan_sets, scan_sources, source_flags, source_sets
from tasks.sources.source import Catalogue, ClipSource, make_clip_id
from tasks.sources.subjects import SubjectSettings


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


def test_sets_come_in_the_order_of_the_settings(tmp_path):
    settings = SourceSettings(
        clips=(tmp_path / "a", tmp_path / "b"),
        hdtf={"annotations": tmp_path / "lists", "videos": tmp_path / "hdtf", "layout": "raw"},
        vfhq={"meta": tmp_path / "meta", "clips": tmp_path / "vfhq"},
        studio=(tmp_path / "rig",),
        multiface=(tmp_path / "entity",),
        facescape={"images": tmp_path / "images", "meshes": tmp_path, "scales": tmp_path},
    )
    assert [(one.label, one.kind, one.folder.name) for one in source_sets(settings)] == [
        ("clips", "wild", "a"),
        ("clips", "wild", "b"),
        ("HDTF", "wild", "hdtf"),
        ("VFHQ", "wild", "vfhq"),
        ("studio", "studio", "rig"),
        ("Multiface", "studio", "entity"),
        ("FaceScape", "studio", "images"),
    ]
    assert source_sets(SourceSettings()) == ()


def test_every_flag_that_names_sources_is_listed():
    assert source_flags() == "--clips, --hdtf, --vfhq, --studio, --multiface or --facescape"


@dataclass(frozen=True)
class FilmSet:
    """The recipe of docs/architecture.md for a data set: a label, a kind, a folder and a scan."""

    folder: Path
    label = "films"
    kind = "wild"

    def scan(self):
        sources = [
            ClipSource(
                clip_id=make_clip_id("films", path.name),
                source_name=path.name,
                path=path,
                video_id=make_clip_id("films", path.name),
                subject_id=path.stem,
                subset="films",
            )
            for path in sorted(self.folder.glob("*.mp4"))
        ]
        return Catalogue.of(sources, skipped={})


def test_a_class_with_the_four_members_is_a_data_set(tmp_path):
    (tmp_path / "a.mp4").touch()
    folder = ClipFolder(folder=make_clips(tmp_path / "clips"), subjects=SubjectSettings())
    catalogue = scan_sets([folder, FilmSet(tmp_path)])
    assert [source.subset for source in catalogue.sources] == ["clips"] * 5 + ["films"]
