"""A small folder of real sources for whole builds: good clips, a studio subject, and everything bad."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tasks.embedded.make_clips import TAKES, SyntheticTake, make_embedded_clips
from tasks.embedded.make_studio import make_embedded_studio
from tasks.embedded.write_clip import write_clip
from tests.bad_media import cut, make_clip, run_tool
from tests.face_clips import FRAME_PX, moving_face

FRAMES = 24
SPEAKER = "anna/first take.mp4"
STRANGE = '-bert\'s "50%d" \n ünï.mkv'
SILENT = "silent.mp4"
GOOD = {SPEAKER, STRANGE, SILENT}
SECRET = b"planted outside of the sources: xyzzy-7461"

BAD = {
    "text.mp4": "not_media",
    "sound.mp4": "no_video",
    "cut.mp4": "truncated",
    "concat.mp4": "forbidden_format",
    "playlist.mp4": "forbidden_format",
    "fifo.mp4": "not_regular",
    "empty.mp4": "empty",
    "outside.mp4": "unsafe_path",
    "silent_again.mp4": "duplicate",
    "short.mp4": "too_short",
    "nobody.mp4": "no_face",
}
"""Name -> the reason for which the file must be refused."""


def make_sources(root: Path) -> Path:
    """clips/ and studio/ below `root`, and planted/ beside them, which nothing may read."""
    clips = root / "clips"
    (clips / "anna").mkdir(parents=True)
    (root / "planted").mkdir()
    takes = tuple(_small(take, px=px) for take, px in ((TAKES[0], 288), (TAKES[3], 320)))
    filmed = make_embedded_clips(root / "filmed", takes=takes)
    for path, name in zip(filmed, (SPEAKER, STRANGE), strict=False):  # the last one is the photograph
        path.rename(clips / name)
    shutil.rmtree(root / "filmed")
    write_clip(
        clips / SILENT, moving_face(FRAMES), size=(FRAME_PX, FRAME_PX), frame_rate=Fraction(25), sound=None
    )
    make_embedded_studio(root / "studio", subjects=1)
    (root / "planted" / "secret.txt").write_bytes(SECRET)
    shutil.copy(clips / SPEAKER, root / "planted" / "secret.mp4")
    return root


def _small(take: SyntheticTake, *, px: int) -> SyntheticTake:
    speaker = replace(take.speaker, duration_s=FRAMES / 25)
    return replace(take, width=px, height=px, focal_px=take.focal_px * px / take.height, speaker=speaker)


def add_bad_files(root: Path) -> None:
    """One file for every entry of BAD."""
    clips, planted = root / "clips", root / "planted"
    (clips / "text.mp4").write_text("this is no film\n" * 20)
    run_tool(["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", "-f", "mp4", clips / "sound.mp4"])
    shutil.copy(clips / SPEAKER, clips / "cut.mp4")
    cut(clips / "cut.mp4", keep=0.7)
    (clips / "concat.mp4").write_text(
        f"ffconcat version 1.0\nfile '{planted}/secret.mp4'\nfile '{planted}/secret.txt'\n"
    )
    (clips / "playlist.mp4").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{planted}/secret.mp4\n#EXT-X-ENDLIST\n"
    )
    os.mkfifo(clips / "fifo.mp4")
    (clips / "empty.mp4").touch()
    (clips / "outside.mp4").symlink_to(planted / "secret.mp4")
    shutil.copy(clips / SILENT, clips / "silent_again.mp4")
    make_clip(clips / "short.mp4", frames=6, sound_s=0)
    make_clip(clips / "nobody.mp4", frames=FRAMES, size=(256, 192), sound_s=0)


def copy_sources(root: Path, target: Path, *, names: set[str]) -> Path:
    """Copy the sources of these names in another order; links and FIFOs stay what they are."""
    clips = target / "clips"
    for name in sorted(names, reverse=True):
        path = clips / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if (root / "clips" / name).is_fifo():
            os.mkfifo(path)
        else:
            shutil.copy(root / "clips" / name, path, follow_symlinks=False)
    shutil.copytree(root / "studio", target / "studio")
    return target
