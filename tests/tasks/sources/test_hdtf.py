"""HDTF: lists with all their known defects, in three layouts."""

import os
import shutil

import pytest

from tasks.reasons import Reason
from tasks.sources.hdtf import HdtfSettings
from tasks.sources.hdtf_lists import read_hdtf_lists
from tasks.sources.source import DeclaredCrop

LISTS = {
    "RD": {
        "video_url": "Radio1 https://y/watch?v=abc\nRadio2 https://x/watch?v=d&t=6s\nRadio24 u\n",
        "annotion_time": "Radio1.mp4 00:20-01:35 02:00-02:40\nRadio2.mp4 00:05-00:25\n",
        "crop_wh": "Radio1_0.mp4 466 535 0 535\nRadio1_1.mp4 400 500 10 500\n",
        "crop_ratio": "Radio1_0.mp4 1.1\nRadio1_1.mp4 0.75\n",
        "resolution": "Radio1.mp4 720\nRadio2.mp4 2160\nRadio24.mp4 720\n",
    },
    # a mark at the start, blanks at the end, no last newline
    "WDA": {
        "video_url": "\ufeffAdamSchiff0 https://x\nAdamSchiff1 https://y \nMaggieHassan https://z",
        "annotion_time": "AdamSchiff0.mp4 00:40-01:20 \nAdamSchiff1.mp4 10:00-10:05\n"
        "MaggieHassan.mp4 00:00-59:59",
        "crop_wh": "AdamSchiff0_0.mp4 10 300 20 300\nMaggieHassan_0.mp4 389 776 0 776",
        "crop_ratio": "AdamSchiff0_0.mp4 1.0",
        "resolution": "AdamSchiff0.mp4 0\nAdamSchiff1.mp4 360\nMaggieHassan.mp4 720",
    },
}


@pytest.fixture
def folders(tmp_path):
    annotations, videos = tmp_path / "lists", tmp_path / "videos"
    annotations.mkdir()
    videos.mkdir()
    for subset, lists in LISTS.items():
        for name, text in lists.items():
            (annotations / f"{subset}_{name}.txt").write_bytes(text.encode())
    return annotations, videos


def scan(folders, layout, *names):
    for name in names:
        path = folders[1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return HdtfSettings(annotations=folders[0], videos=folders[1], layout=layout).scan()


def by_name(catalogue):
    return {(source.source_name, source.start_s): source for source in catalogue.sources}


def test_lists_are_read_in_spite_of_their_defects(folders):
    radio, democrats = read_hdtf_lists(folders[0])
    assert radio.videos == ["Radio1", "Radio2", "Radio24"]
    assert radio.intervals == {"Radio1": ((20, 95), (120, 160)), "Radio2": ((5, 25),)}
    assert radio.urls["Radio2"].endswith("&t=6s")
    assert radio.crop_ratios == {"Radio1_0": 1.1, "Radio1_1": 0.75}
    assert set(democrats.urls) == {"AdamSchiff0", "AdamSchiff1", "MaggieHassan"}
    assert democrats.heights == {"AdamSchiff0": 0, "AdamSchiff1": 360, "MaggieHassan": 720}


def test_raw_videos_give_intervals_and_crops(folders):
    names = ("Radio1.mp4", "deep/RD_Radio2.webm", "AdamSchiff0.mkv", "AdamSchiff1.mp4", "MaggieHassan.mp4")
    catalogue = scan(folders, "raw", *names)
    clips = by_name(catalogue)
    assert set(clips) == {
        ("Radio1.mp4", 20.0), ("Radio1.mp4", 120.0), ("deep/RD_Radio2.webm", 5.0),
        ("AdamSchiff0.mkv", 40.0), ("AdamSchiff1.mp4", 600.0), ("MaggieHassan.mp4", 0.0),
    }  # fmt: skip
    first = clips["Radio1.mp4", 20.0]
    assert first.end_s == 95.0
    assert first.declared_crop == DeclaredCrop(x=466, y=0, w=535, h=535, ref_height=720)
    assert first.values["declared_crop"] == {"x": 466, "y": 0, "w": 535, "h": 535, "ref_height": 720}
    assert first.values["source_start_s"] == 20.0
    assert first.video_id == clips["Radio1.mp4", 120.0].video_id
    assert first.clip_id != clips["Radio1.mp4", 120.0].clip_id


def test_crops_that_cannot_be_right_are_left_to_our_own_with_a_note(folders):
    clips = by_name(scan(folders, "raw", "Radio2.mp4", "AdamSchiff0.mp4", "MaggieHassan.mp4"))
    assert all(clip.declared_crop is None for clip in clips.values())
    assert "no crop of Radio2_0" in clips["Radio2.mp4", 5.0].note
    assert "no resolution" in clips["AdamSchiff0.mp4", 40.0].note
    assert "776 px of 720" in clips["MaggieHassan.mp4", 0.0].note


def test_persons_lose_their_number_but_radio_guests_do_not(folders):
    catalogue = scan(folders, "raw", "Radio1.mp4", "Radio2.mp4", "AdamSchiff0.mp4", "AdamSchiff1.mp4")
    subjects = {clip.source_name: clip.subject_id for clip in catalogue.sources}
    assert subjects["AdamSchiff0.mp4"] == subjects["AdamSchiff1.mp4"] == "hdtf/AdamSchiff"
    assert subjects["Radio1.mp4"] != subjects["Radio2.mp4"]


@pytest.mark.parametrize("name", ["Radio1_1.mp4", "RD_Radio1_001.mp4", "x/RD_Radio1_1.avi"])
def test_cut_clips_have_their_crop_and_no_interval(folders, name):
    (clip,) = scan(folders, "cut", name).sources
    assert (clip.start_s, clip.end_s) == (None, None)
    assert clip.declared_crop == DeclaredCrop(x=400, y=10, w=500, h=500, ref_height=720)


def test_cropped_clips_have_neither_and_a_focal_length_each(folders):
    first, second = scan(folders, "cropped", "Radio1_0.mp4", "Radio1_1.mp4").sources
    assert first.declared_crop is second.declared_crop is None
    assert first.video_id != second.video_id


def test_every_listed_clip_is_a_row(folders):
    catalogue = scan(folders, "raw", "Radio1.mp4", "stranger.mp4")
    assert len(catalogue.sources) == 2
    reasons = {row.source_name: (row.reason, row.detail) for row in catalogue.rejected}
    assert set(reasons) == {"Radio24", "Radio2_0", "AdamSchiff0_0", "AdamSchiff1_0", "MaggieHassan_0"}
    assert {reason for reason, _ in reasons.values()} == {Reason.UNREADABLE}
    assert "without an interval" in reasons["Radio24"][1]
    assert "missing" in reasons["Radio2_0"][1]
    assert catalogue.skipped["unlisted"] == 1
    missing = next(row for row in catalogue.rejected if row.source_name == "Radio2_0")
    assert (missing.start_s, missing.end_s) == (5.0, 25.0)


def test_a_clip_keeps_its_id_when_its_video_arrives(folders):
    before = {row.clip_id for row in scan(folders, "raw").rejected}
    assert {clip.clip_id for clip in scan(folders, "raw", "Radio1.mp4").sources} <= before


def test_listed_names_reach_nothing_outside(folders):
    annotations, videos = folders
    (videos.parent / "secret.mp4").write_bytes(b"x")
    for name in ("annotion_time", "video_url", "resolution"):
        path = annotations / f"RD_{name}.txt"
        path.write_text(path.read_text().replace("Radio1", "../secret"))
    catalogue = scan(folders, "raw")
    assert not catalogue.sources
    assert "../secret_0" in {row.source_name for row in catalogue.rejected}


def test_listed_file_that_is_a_link_out_or_a_pipe_keeps_its_reason(folders, tmp_path):
    (tmp_path / "outside.mp4").write_bytes(b"x")
    (folders[1] / "Radio2.mp4").symlink_to(tmp_path / "outside.mp4")
    os.mkfifo(folders[1] / "AdamSchiff1.mp4")
    reasons = {row.source_name: row.reason for row in scan(folders, "raw").rejected}
    assert reasons["Radio2.mp4"] is Reason.UNSAFE_PATH
    assert reasons["AdamSchiff1.mp4"] is Reason.NOT_REGULAR


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("annotion_time", "Radio3.mp4 00:20"),
        ("annotion_time", "Radio3.mp4 00:61-01:70"),
        ("annotion_time", "Radio3.mp4 01:00-00:59"),
        ("annotion_time", "Radio3.mp4 1:00:00-1:00:10"),
        ("crop_wh", "Radio1_3.mp4 1 2 3"),
        ("crop_wh", "Radio1_3.mp4 1 2 3 -4"),
        ("crop_wh", "Radio1_3.mp4 1 0 3 4"),
        ("crop_wh", "Radio1_0.mp4 1 2 3 4"),
        ("crop_ratio", "Radio1_3.mp4 wide"),
        ("crop_ratio", "Radio1_3.mp4 nan"),
        ("resolution", "Radio3.mp4 720p"),
        ("resolution", "Radio3.mp4"),
        ("video_url", "Radio3 https://x y"),
    ],
)
def test_wrong_line_is_named(folders, name, line):
    path = folders[0] / f"RD_{name}.txt"
    number = len(path.read_text().splitlines()) + 2
    path.write_text(path.read_text() + f"\n{line}\n")
    with pytest.raises(ValueError, match=rf"RD_{name}\.txt:{number}: "):
        scan(folders, "raw")


def test_missing_list_is_named(folders):
    (folders[0] / "WDA_crop_ratio.txt").unlink()
    with pytest.raises(ValueError, match=r"WDA_crop_ratio\.txt is missing"):
        scan(folders, "raw")
    shutil.rmtree(folders[0])
    with pytest.raises(ValueError, match="HDTF_dataset"):
        scan(folders, "raw")


def test_list_that_is_no_text_is_an_error(folders):
    (folders[0] / "RD_resolution.txt").write_bytes(b"Radio1.mp4 \xff\xfe720")
    with pytest.raises(ValueError, match="not UTF-8"):
        scan(folders, "raw")
