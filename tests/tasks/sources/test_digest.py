"""Digests of source files."""

import hashlib
import os
from dataclasses import replace

import pytest

from tasks.reasons import Reason, Rejected
from tasks.sources import digest
from tasks.sources.digest import digest_files, digest_of_roles, digest_source
from tasks.sources.source import ClipSource, make_clip_id


def clip(name, path):
    clip_id = make_clip_id("clips", name)
    return ClipSource(
        clip_id=clip_id, source_name=name, path=path, video_id=clip_id, subject_id=name, subset="clips"
    )


def test_digest_is_the_files_sha256(tmp_path):
    content = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(content)
    assert digest_source(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def reason_of(path):
    with pytest.raises(Rejected) as caught:
        digest_source(path)
    return caught.value.reason


def test_reasons(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    assert reason_of(tmp_path / "empty") is Reason.EMPTY
    assert reason_of(tmp_path / "pipe") is Reason.NOT_REGULAR
    assert reason_of(tmp_path) is Reason.NOT_REGULAR
    assert reason_of(tmp_path / "link") is Reason.UNSAFE_PATH
    assert reason_of(tmp_path / "missing") is Reason.UNREADABLE


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def replace_file(path):
    stat = path.stat()
    path.with_name("new").write_bytes(bytes(stat.st_size))
    os.utime(path.with_name("new"), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.with_name("new").replace(path)


def rewrite_in_place(path):
    stat = path.stat()
    path.write_bytes(bytes(stat.st_size))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def to_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [append, replace_file, rewrite_in_place, os.unlink, to_pipe])
def test_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    sha256 = hashlib.sha256

    def change_first():
        change(path)
        return sha256()

    monkeypatch.setattr(digest.hashlib, "sha256", change_first)
    with pytest.raises(Rejected):
        digest_source(path)


def test_file_that_becomes_a_pipe_before_it_is_opened_does_not_hang(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    opened = os.open

    def open_late(*arguments):
        to_pipe(path)
        return opened(*arguments)

    monkeypatch.setattr(digest.os, "open", open_late)
    assert reason_of(path) is Reason.UNREADABLE


def test_file_that_was_exchanged_before_it_is_opened_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    opened = os.open

    def open_late(*arguments):
        replace_file(path)
        return opened(*arguments)

    monkeypatch.setattr(digest.os, "open", open_late)
    monkeypatch.setattr(digest.hashlib, "sha256", None)
    assert reason_of(path) is Reason.UNREADABLE


def test_one_files_digest_is_its_own_and_several_make_one(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    one = clip("a", tmp_path / "a")
    assert digest_of_roles(digest_files(one)) == hashlib.sha256(b"a").hexdigest()
    two = replace(one, images=(tmp_path / "a", tmp_path / "b"), images_fps=25.0)
    swapped = replace(one, images=(tmp_path / "b", tmp_path / "a"), images_fps=25.0)
    assert digest_of_roles(digest_files(two)) != digest_of_roles(digest_files(swapped))
    (tmp_path / "b").unlink()
    with pytest.raises(Rejected, match="image/000001"):
        digest_files(two)
