"""VFHQ: meta files, and clips as pictures, cut videos or whole videos."""

import os

import pytest

from tasks.reasons import Reason
from tasks.sources.source import DeclaredCrop
from tasks.sources.vfhq import VfhqSettings
from tasks.sources.vfhq_meta import parse_vfhq_meta

NAME = "Clip+-_abC_4+P1+C2+F100-130"
META = "H 1080\nW 1920\nFPS 29.97\n\nframe 101 box 1 2 3 4\nCROP 600 80 1200 680\nlandmarks: 1 2\n"


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "meta").mkdir()
    (tmp_path / "clips").mkdir()
    (tmp_path / "meta" / f"{NAME}.txt").write_text(META)
    return tmp_path / "meta", tmp_path / "clips"


def scan(folders):
    catalogue = VfhqSettings(meta=folders[0], clips=folders[1]).scan()
    assert len(catalogue.sources) + len(catalogue.rejected) == 1
    return (*catalogue.sources, *catalogue.rejected)[0]


def pictures(folder, numbers):
    folder.mkdir(parents=True)
    for number in numbers:
        (folder / f"{number:08d}.png").write_bytes(b"png")


def test_meta_file(folders):
    meta = parse_vfhq_meta(folders[0] / f"{NAME}.txt")
    assert (meta.video, meta.person, meta.start, meta.end, meta.frames) == ("-_abC_4", 1, 100, 130, 29)
    assert (meta.height, meta.width, meta.fps, meta.crop) == (1080, 1920, 29.97, (600, 80, 1200, 680))
    assert meta.other_lines == ("", "frame 101 box 1 2 3 4", "landmarks: 1 2")


def test_fields_may_be_written_with_colons(folders):
    path = folders[0] / f"{NAME}.txt"
    path.write_text("H: 1080\nW: 1920\nFPS: 25\nCROP: 600 80 1200 680\n")
    assert parse_vfhq_meta(path).fps == 25


def test_folder_of_pictures(folders):
    pictures(folders[1] / "train" / NAME, range(29))
    clip = scan(folders)
    assert clip.source_name == f"train/{NAME}"
    assert [path.name for path in clip.images[:2]] == ["00000000.png", "00000001.png"]
    assert clip.values == {"images_fps": 29.97}
    assert list(clip.files) == [f"image/{k:06d}" for k in range(29)]
    assert clip.note == ""
    assert clip.subject_id == "vfhq/-_abC_4/P1"


def test_pictures_that_lack_one_or_are_too_few(folders):
    pictures(folders[1] / NAME, [0, 1, 3])
    assert (scan(folders).reason, scan(folders).detail) == (Reason.TRUNCATED, "picture 00000002 is missing")
    (folders[1] / NAME / "00000003.png").unlink()
    assert scan(folders).note == "2 pictures, the meta file says 29 frames"
    for path in (folders[1] / NAME).iterdir():
        path.unlink()
    assert scan(folders).reason is Reason.EMPTY


def test_pictures_are_checked_like_other_files(folders):
    pictures(folders[1] / NAME, range(3))
    os.mkfifo(folders[1] / NAME / "00000003.png")
    assert scan(folders).reason is Reason.NOT_REGULAR


def test_cut_video(folders):
    (folders[1] / f"{NAME}.mp4").write_bytes(b"x")
    clip = scan(folders)
    assert clip.interval == (None, None)
    assert clip.declared_crop is None
    assert clip.values == {}


def test_whole_video_gives_interval_and_crop(folders):
    (folders[1] / "-_abC_4.webm").write_bytes(b"x")
    clip = scan(folders)
    # frames 101 .. 129 of the video
    assert clip.interval == (101 / 29.97, 130 / 29.97)
    assert clip.declared_crop == DeclaredCrop(x=600, y=80, w=600, h=600, ref_height=1080)


def test_crop_outside_the_frame_is_left_to_our_own(folders):
    (folders[0] / f"{NAME}.txt").write_text(META.replace("680", "1081"))
    (folders[1] / "-_abC_4.mp4").write_bytes(b"x")
    clip = scan(folders)
    assert clip.declared_crop is None
    assert "1081" in clip.note


def test_missing_clip_is_a_row(folders):
    row = scan(folders)
    assert (row.source_name, row.reason) == (NAME, Reason.UNREADABLE)
    assert "missing" in row.detail


@pytest.mark.parametrize(
    "name",
    ["Clip+a+P0+C0+F5-6", "Clip+a+P0+C0", "Clip+a+Px+C0+F0-9", "Clip+a+P0+C0+F0-9+x", "Clip+a+P0+C0+F9"],
)
def test_wrong_name_is_an_error(folders, name):
    (folders[0] / f"{name}.txt").write_text(META)
    with pytest.raises(ValueError, match=name.replace("+", r"\+")):
        scan(folders)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("H 1080", "H tall", ":1:"),
        ("H 1080", "", "no line H"),
        ("W 1920", "W", ":2:"),
        ("W 1920", "W 1920\nW 1920", ":3: a second"),
        ("FPS 29.97", "FPS nan", ":3:"),
        ("FPS 29.97", "FPS", ":3:"),
        ("FPS 29.97", "FPS 0", ":3:"),
        ("CROP 600 80", "CROP 600", ":6:"),
        ("CROP 600 80", "CROP 600 8e1", ":6:"),
    ],
)
def test_wrong_line_is_named(folders, old, new, where):
    path = folders[0] / f"{NAME}.txt"
    path.write_text(META.replace(old, new))
    with pytest.raises(ValueError, match=r"F100-130\.txt.*" + where):
        scan(folders)


def test_folder_without_meta_files_is_an_error(folders):
    (folders[0] / f"{NAME}.txt").unlink()
    with pytest.raises(ValueError, match="meta files"):
        scan(folders)
