"""A folder's files: names are data, links lead nowhere, pipes are never opened."""

import os
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reasons import Reason
from tasks.sources.walk_files import list_files, printable_name

STRANGE = [
    "$(touch pwned).mp4", "<script>.mp4",
    "-rf.mp4", "%d.mp4", "a b'c\"d.mp4", "new\nline.mp4", "http:x.mp4", "ünïcödé 🎬.mkv", "no_suffix",
]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_any_utf8_name_is_listed_as_it_is(tmp_path, name):
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir" / name).write_bytes(b"x")
    listing = list_files(tmp_path)
    assert listing.files == {f"sub dir/{name}": tmp_path / "sub dir" / name}
    assert not listing.refused


def test_name_that_is_not_utf8_is_refused_and_printable(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.mp4")).write_bytes(b"x")
    listing = list_files(tmp_path)
    assert not listing.files
    assert listing.refused[r"caf\xe9.mp4"].reason is Reason.UNSAFE_PATH
    next(iter(listing.refused)).encode("utf-8")


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_printable_names_encode(name):
    printed = printable_name(os.fsdecode(name))
    assert printed.encode("utf-8").decode("utf-8") == printed


def test_hidden_truth_and_side_cars_are_counted(tmp_path):
    for name in (".DS_Store", ".git/a.mp4", "truth/a.npz", "deep/truth/b.mp4", "a.TXT", "a.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    listing = list_files(tmp_path, side_cars=[".txt"])
    assert list(listing.files) == ["a.mp4"]
    assert listing.skipped == {"hidden": 2, "truth": 2, "side-car": 1}


def test_what_is_no_regular_file_is_refused_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")  # opening it would hang the test
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fsencode(tmp_path / "s.mp4"))
        (tmp_path / "link.mp4").symlink_to("pipe.mp4")
        refused = list_files(tmp_path).refused
    assert {name: refusal.reason for name, refusal in refused.items()} == dict.fromkeys(
        ["link.mp4", "pipe.mp4", "s.mp4"], Reason.NOT_REGULAR
    )
    assert "FIFO" in refused["pipe.mp4"].detail


def test_links(tmp_path):
    outside, root = tmp_path / "outside", tmp_path / "root"
    (outside / "deep").mkdir(parents=True)
    (root / "sub").mkdir(parents=True)
    (outside / "secret.mp4").write_bytes(b"x")
    (root / "sub" / "own.mp4").write_bytes(b"x")
    (root / "in.mp4").symlink_to("sub/own.mp4")
    (root / "out.mp4").symlink_to(outside / "secret.mp4")
    (root / "out_folder").symlink_to(outside)
    (root / "in_folder").symlink_to("sub")
    (root / "lost.mp4").symlink_to("nothing.mp4")
    (root / "lost_outside.mp4").symlink_to("/nowhere/nothing.mp4")
    (root / "circle.mp4").symlink_to("circle.mp4")
    (root / "chain.mp4").symlink_to("out.mp4")
    listing = list_files(root)
    own = root / "sub" / "own.mp4"
    assert listing.files == {"in.mp4": own, "sub/own.mp4": own}
    assert {name: refusal.reason for name, refusal in listing.refused.items()} == {
        "out.mp4": Reason.UNSAFE_PATH,
        "chain.mp4": Reason.UNSAFE_PATH,
        "out_folder": Reason.UNSAFE_PATH,
        "in_folder": Reason.UNSAFE_PATH,
        "lost_outside.mp4": Reason.UNSAFE_PATH,
        "lost.mp4": Reason.UNREADABLE,
        "circle.mp4": Reason.UNREADABLE,
    }


def test_the_folder_itself_may_be_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.mp4").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert list(list_files(tmp_path / "link").files) == ["a.mp4"]


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="is not a folder"):
        list_files(tmp_path / "nowhere")


def test_leaf_folders_are_not_looked_into(tmp_path):
    (tmp_path / "x" / "Clip+a").mkdir(parents=True)
    (tmp_path / "x" / "Clip+a" / "1.png").write_bytes(b"x")
    listing = list_files(tmp_path, is_leaf=lambda name: name.startswith("Clip+"))
    assert listing.folders == {"x/Clip+a": tmp_path / "x" / "Clip+a"}
    assert not listing.files


@settings(max_examples=20, deadline=None)
@given(names=st.sets(st.text("abB/.-_ é", min_size=1, max_size=8), max_size=8))
def test_order_does_not_depend_on_how_files_were_made(tmp_path_factory, names):
    good = [n for n in names if all(part not in ("", ".", "..") for part in n.split("/"))]
    lists = []
    for order in (sorted(good), sorted(good, reverse=True)):
        root = tmp_path_factory.mktemp("walk")
        for name in order:
            path = root / name
            if any(parent.is_file() for parent in path.parents) or path.is_dir():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        lists.append(list(list_files(root).files))
    assert all(found == sorted(found, key=os.fsencode) for found in lists)
