from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.media.source_file import is_script, looks_like_media, missing_bytes, open_source
from tasks.reasons import Reason, Rejected


def box(kind: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def missing(tmp_path: Path, content: bytes) -> str | None:
    path = tmp_path / "a"
    path.write_bytes(content)
    size, head, tail = open_source(path, max_bytes=1 << 30)
    return missing_bytes(path, size=size, head=head, tail=tail)


@pytest.mark.parametrize(
    "text",
    [
        b"#EXTM3U\n",
        b"\xef\xbb\xbf\n #extm3u",
        b"ffconcat version 1.0",
        b"[playlist]\nFile1=x",
        b'<?xml version="1.0"?>\n<!-- x -->\n<MPD xmlns="">',
    ],
)
def test_texts_that_name_files(text: bytes) -> None:
    assert is_script(text)
    assert not is_script(b"\x00\x00\x00\x18ftypmp42" + text)


def test_boxes_that_reach_past_the_end(tmp_path: Path) -> None:
    whole = box(b"ftyp", bytes(8)) + box(b"moov", bytes(40)) + box(b"mdat", bytes(400))
    assert missing(tmp_path, whole) is None
    assert missing(tmp_path, whole[:-1]) == "its container states 472 bytes, the file has 471"
    large = b"\x00\x00\x00\x01mdat" + (16 + 400).to_bytes(8, "big") + bytes(400)
    assert missing(tmp_path, box(b"ftyp") + large) is None
    assert missing(tmp_path, box(b"ftyp") + large[:-9]) is not None
    to_the_end = b"\x00\x00\x00\x00mdat" + bytes(100)
    assert missing(tmp_path, box(b"ftyp") + to_the_end) is None


def test_boxes_that_lie_end_the_walk(tmp_path: Path) -> None:
    for length in (2, 7):
        assert missing(tmp_path, box(b"ftyp") + length.to_bytes(4, "big") + b"moov" + bytes(64)) is None
    # a 64 bit length of zero must not walk for ever
    assert missing(tmp_path, box(b"ftyp") + b"\x00\x00\x00\x01mdat" + bytes(64)) is None


def test_riff_and_ogg(tmp_path: Path) -> None:
    avi = b"RIFF" + (100).to_bytes(4, "little") + bytes(100)
    assert missing(tmp_path, avi) is None
    assert missing(tmp_path, avi[:-1]) is not None
    page = b"OggS\x00" + b"\x04" + bytes(20) + b"\x01\x05" + bytes(5)
    assert missing(tmp_path, page) is None
    assert missing(tmp_path, page[:-1]) is not None
    assert missing(tmp_path, page.replace(b"\x04", b"\x00")) is not None


def test_known_beginnings() -> None:
    assert looks_like_media(box(b"ftyp"))
    assert looks_like_media(b"\x1aE\xdf\xa3....")
    assert not looks_like_media(b"hello, world")


def test_a_pipe_put_in_place_of_the_file_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, pipe = tmp_path / "a.mp4", tmp_path / "pipe"
    plain.write_bytes(b"x")
    os.mkfifo(pipe)
    looked = plain.lstat()
    monkeypatch.setattr(Path, "lstat", lambda _: looked)
    with pytest.raises(Rejected) as caught:
        open_source(pipe, max_bytes=100)
    assert caught.value.reason in (Reason.NOT_REGULAR, Reason.EMPTY, Reason.UNREADABLE)
