from __future__ import annotations

from pathlib import Path

import ffmpeg
import pytest

from tasks.media.ffmpeg_tool import (
    CONTAINERS,
    MediaFileError,
    check_finished,
    command,
    ffmpeg_fingerprint,
    ffmpeg_path,
    media_input,
)
from tasks.media.limited_process import ProcessResult


def test_a_file_is_opened_as_itself_and_nothing_else() -> None:
    arguments = command(ffmpeg.output(media_input(Path("/a/-x %d.mp4")), "pipe:1", format="framecrc"))
    source = arguments[: arguments.index("-i") + 2]
    assert source[-1] == "file:/a/-x %d.mp4"
    assert source[source.index("-protocol_whitelist") + 1] == "file"
    assert source[source.index("-format_whitelist") + 1] == CONTAINERS
    assert "-nostdin" in source


@pytest.mark.parametrize(
    "bad", ["hls", "dash", "concat", "image2", "png_pipe", "sdp", "rtsp", "lavfi", "tty", "imf"]
)
def test_formats_that_open_other_files_are_not_listed(bad: str) -> None:
    assert bad not in CONTAINERS.split(",")


def test_the_program_and_its_fingerprint_follow_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ffmpeg_fingerprint()
    assert own.startswith("ffmpeg version ")
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho ffmpeg version 1.2 Copyright someone\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    assert ffmpeg_path() == str(fake)
    assert ffmpeg_fingerprint().startswith("ffmpeg version 1.2 ")
    assert ffmpeg_fingerprint() != own


def test_status_zero_with_complaints_is_a_failure() -> None:
    check_finished(ProcessResult(returncode=0, stdout=b"", messages=" \n"), doing="reading")
    with pytest.raises(MediaFileError, match="reading: ffmpeg ended with status 0: damaged"):
        check_finished(ProcessResult(returncode=0, stdout=b"", messages="damaged"), doing="reading")
    with pytest.raises(MediaFileError, match="status 1"):
        check_finished(ProcessResult(returncode=1, stdout=b"", messages=""), doing="reading")
    with pytest.raises(OSError, match="free space and run again"):
        check_finished(
            ProcessResult(returncode=1, stdout=b"", messages="x: No space left on device"), doing="x"
        )
