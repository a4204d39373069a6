from __future__ import annotations

import json
import os
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tasks.media.check_media import ProbeSettings
from tasks.media.ffmpeg_tool import MediaFileError
from tasks.reasons import Reason, Rejected
from tasks.stage import StageInput, StageOutput
from tasks.stages.probe_media import STAGE, run
from tests.bad_media import beeps, cut, make_clip, punch, run_tool, write_wav
from tests.nodes import find_node

FASTSTART = ("-movflags", "+faststart")
CENC = (
    *("-encryption_scheme", "cenc-aes-ctr"),
    *("-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb"),
    *("-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"),
)


def probe(path: Path, settings: ProbeSettings | None = None, **values: Any) -> StageOutput:
    scratch = path.parent / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    return run(
        StageInput(blobs={"source": path}, values=values, scratch=scratch), settings or ProbeSettings()
    )


def verdict(path: Path, settings: ProbeSettings | None = None, **values: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        probe(path, settings, **values)
    return caught.value


def chosen(output: StageOutput) -> list[int]:
    return list(json.loads(output.files["plan"].read_bytes())["source_frames"])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good clips that tests copy and damage."""
    folder = tmp_path_factory.mktemp("clips")
    make_clip(folder / "good.mp4", options=FASTSTART)
    make_clip(folder / "good.mkv")
    make_clip(folder / "good.ts")
    # mp3 would start before the picture, which avi answers with an empty second frame
    make_clip(folder / "good.avi", video=("-c:v", "mpeg4"), options=("-c:a", "pcm_s16le"))
    make_clip(folder / "good.flv")
    make_clip(folder / "good.wmv")
    make_clip(folder / "good.mpg", video=("-c:v", "mpeg2video"))
    make_clip(folder / "good.webm", video=("-c:v", "libvpx", "-cpu-used", "8", "-deadline", "realtime"))
    make_clip(folder / "good.ogv", video=("-c:v", "libtheora"), options=("-c:a", "libvorbis"))
    return folder


CONTAINERS = ("mp4", "mkv", "ts", "avi", "flv", "wmv", "mpg", "webm", "ogv")


@pytest.mark.parametrize("container", CONTAINERS)
def test_any_container_gives_the_same_plan(clips: Path, container: str) -> None:
    output = probe(clips / f"good.{container}")
    assert chosen(output) == list(range(50))
    values = output.values
    assert (values["source_width"], values["source_height"], values["source_fps"]) == (128, 72, 25.0)
    assert (values["has_audio"], values["duration_s"]) == (True, 2.0)
    assert abs(values["audio_offset_s"]) < 0.05


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("damage", ["cut", "hole"])
def test_a_damaged_file_is_never_shortened_silently(
    clips: Path, tmp_path: Path, container: str, damage: str
) -> None:
    path = tmp_path / f"bad.{container}"
    shutil.copy(clips / f"good.{container}", path)
    if damage == "cut":
        cut(path, keep=0.6)
    else:
        punch(path, at=0.4, share=0.15)
    reason = verdict(path).reason
    assert reason in (Reason.TRUNCATED, Reason.CORRUPT)
    if damage == "cut" and container in ("mp4", "mkv", "avi", "flv", "webm", "ogv", "ts"):
        assert reason is Reason.TRUNCATED


def test_an_mp4_without_its_index_is_truncated(tmp_path: Path) -> None:
    assert verdict(cut(make_clip(tmp_path / "a.mp4"), keep=0.7)).reason is Reason.TRUNCATED


def test_a_cut_between_two_clusters_is_noticed(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=100, options=("-cluster_time_limit", "500"))
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"\x1f\x43\xb6\x75")])
    assert verdict(path).reason is Reason.TRUNCATED


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path, clips: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(clips / "good.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.mp4"))
        for name in ("fifo.mp4", "folder.mp4", "link.mp4", "socket.mp4"):
            assert verdict(tmp_path / name).reason is Reason.NOT_REGULAR


def test_empty_and_unreadable(tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mp4").touch()
    assert verdict(tmp_path / "a.mp4").reason is Reason.EMPTY
    assert verdict(tmp_path / "gone.mp4").reason is Reason.UNREADABLE

    really_open = os.open

    def refuse(path: object, *rest: Any, **more: Any) -> int:
        if path == clips / "good.mp4":
            raise PermissionError(13, "Permission denied")
        return really_open(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    refused = verdict(clips / "good.mp4")
    assert (refused.reason, refused.detail) == (Reason.UNREADABLE, "it cannot be opened: Permission denied")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello, this is plain text\n" * 40, Reason.NOT_MEDIA),
        (bytes(range(256)) * 200, Reason.NOT_MEDIA),
        (b"<html><video src=x.mp4></html>", Reason.NOT_MEDIA),
        (b"1\n00:00:00,000 --> 00:00:02,000\nHello\n\n", Reason.FORBIDDEN_FORMAT),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", None),
    ],
    ids=["text", "bytes", "html", "subtitles", "sdp"],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a"])
def test_other_files(tmp_path: Path, content: bytes, reason: Reason | None, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    found = verdict(tmp_path / name).reason
    assert found in ({reason} if reason else {Reason.FORBIDDEN_FORMAT, Reason.NOT_MEDIA})


def test_pictures_and_sound_files(tmp_path: Path) -> None:
    run_tool(["-f", "lavfi", "-i", "testsrc=s=64x64:d=1:r=1", "-frames:v", "1", tmp_path / "picture.png"])
    run_tool(["-i", write_wav(tmp_path / "a.wav", beeps(1)), tmp_path / "a.m4a"])
    run_tool(["-i", tmp_path / "a.wav", tmp_path / "a.mp3"])
    (tmp_path / "picture.mp4").write_bytes((tmp_path / "picture.png").read_bytes())
    assert verdict(tmp_path / "picture.png").reason is Reason.FORBIDDEN_FORMAT
    assert verdict(tmp_path / "picture.mp4").reason is Reason.FORBIDDEN_FORMAT
    cover = ("-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic")
    run_tool(["-i", tmp_path / "a.mp3", "-i", tmp_path / "picture.png", *cover, tmp_path / "cover.mp3"])
    for name in ("a.wav", "a.m4a", "a.mp3", "cover.mp3"):
        assert verdict(tmp_path / name).reason is Reason.NO_VIDEO


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.mpd", "list.mkv", "list.txt"])
def test_a_file_that_names_others_reads_nothing_and_calls_nobody(
    tmp_path: Path, clips: Path, name: str
) -> None:
    secret = tmp_path / "secret.ts"
    shutil.copy(clips / "good.ts", secret)
    before = secret.stat().st_atime_ns
    os.utime(secret, ns=(before - 10**12, secret.stat().st_mtime_ns))
    watched = secret.stat().st_atime_ns
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        web = f"http://127.0.0.1:{listener.getsockname()[1]}/x.ts"
        scripts = [
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile '{}'\n",
            "file '{}'\n",
            '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT2S">'
            '<Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="1">'
            "<BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>\n",
        ]
        for script in scripts:
            for target in (str(secret), f"file:{secret}", web):
                path = tmp_path / name
                path.write_text(script.format(target))
                rejected = verdict(path)
                assert rejected.reason in (Reason.FORBIDDEN_FORMAT, Reason.NOT_MEDIA)
                if not script.startswith("file"):
                    assert rejected.reason is Reason.FORBIDDEN_FORMAT
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert secret.stat().st_atime_ns == watched


def test_a_reference_inside_an_mp4_is_not_followed(tmp_path: Path) -> None:
    secret = make_clip(tmp_path / "secret.mp4", sound_s=0)
    path = make_clip(tmp_path / "a.mov", sound_s=0)
    content = path.read_bytes()
    # the data reference "this file" becomes an alias of another: same length, other type and flags
    own = b"\x00\x00\x00\x0curl \x00\x00\x00\x01"
    own = own if own in content else b"\x00\x00\x00\x0calis\x00\x00\x00\x01"
    assert own in content
    name = secret.name.encode()
    alias = bytes(8 + 138) + len(name).to_bytes(2, "big") + name
    entry = (12 + len(alias)).to_bytes(4, "big") + b"alis" + bytes(4) + alias
    path.write_bytes(content.replace(own, entry))
    assert verdict(path).reason in (Reason.CORRUPT, Reason.TRUNCATED, Reason.NOT_MEDIA)


@pytest.mark.parametrize(
    "name",
    [
        "a b.mp4",
        "'q\" $(touch pwned) ;.mp4",
        "new\nline.mp4",
        "-i.mp4",
        "%d.mp4",
        "frame%03d.png.mp4",
        "é猫.mp4",
        "http:x.mp4",
        "concat:a.mp4|b.mp4",
        "a,b[v];c=d.mp4",
        "pipe:0",
    ],
)
def test_names_are_data(clips: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    shutil.copy(clips / "good.mp4", path)
    assert chosen(probe(path)) == list(range(50))
    assert not (tmp_path / "pwned").exists()
    assert not Path("pwned").exists()


def test_a_name_that_is_no_text_is_refused(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "\udcff.mp4"
    shutil.copy(clips / "good.mp4", path)
    assert verdict(path).reason is Reason.UNSAFE_PATH


def test_encrypted(tmp_path: Path) -> None:
    assert verdict(make_clip(tmp_path / "cenc.mp4", options=CENC)).reason is Reason.ENCRYPTED
    path = make_clip(tmp_path / "entry.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1" + bytes(6), b"encv" + bytes(6)))
    assert verdict(path).reason is Reason.ENCRYPTED


def test_short_slow_and_missing_frames(tmp_path: Path) -> None:
    short = verdict(make_clip(tmp_path / "a.mp4", frames=17))
    assert (short.reason, short.detail) == (Reason.TOO_SHORT, "it has 17 frames at 25 fps, need 18")
    assert chosen(probe(make_clip(tmp_path / "b.mp4", frames=18))) == list(range(18))
    slow = verdict(make_clip(tmp_path / "c.mp4", frames=30, rate="10"))
    assert (slow.reason, "10.000 frames a second" in slow.detail) == (Reason.LOW_FPS, True)
    hole = ("-vf", "select='lt(n,20)+gt(n,40)'", "-fps_mode", "vfr")
    gap = verdict(make_clip(tmp_path / "d.mkv", frames=80, options=hole))
    assert (gap.reason, "no frame is shown for 0.880 s after frame 19" in gap.detail) == (
        Reason.CORRUPT,
        True,
    )


@pytest.mark.parametrize(
    ("sound", "words"),
    [
        ({"sound_s": 1.0}, "the sound ends 1.0"),
        ({"sound_s": 3.0}, "the sound ends 1.0"),
        ({"sound_offset_s": 0.8}, "the sound starts 0.800 s after the picture"),
    ],
)
def test_sound_that_does_not_fit_the_picture(tmp_path: Path, sound: dict[str, float], words: str) -> None:
    rejected = verdict(make_clip(tmp_path / "a.mkv", **sound))  # type: ignore[arg-type]
    assert rejected.reason is Reason.AV_MISMATCH
    assert words in rejected.detail


def test_a_hole_in_the_sound(tmp_path: Path) -> None:
    silence = ("-af", "aselect='lt(t,0.5)+gt(t,1.3)'")
    rejected = verdict(make_clip(tmp_path / "a.mkv", frames=75, options=silence))
    assert rejected.reason is Reason.AV_MISMATCH
    assert "are missing within the track" in rejected.detail


def test_size_is_checked_before_decoding(tmp_path: Path, clips: Path) -> None:
    huge = ("-vf", "scale=16000:9000", "-c:v", "mjpeg")
    bomb = make_clip(tmp_path / "huge.mkv", frames=1, sound_s=0, video=huge)
    assert verdict(bomb).reason is Reason.TOO_LARGE
    good = clips / "good.mp4"
    for settings, words in (
        (ProbeSettings(max_pixels=9000), "its frames are 128 x 72, the limit is 9000"),
        (ProbeSettings(max_file_s=1.5), "its video lasts 2.0 s, the limit is 1.5 s"),
        (ProbeSettings(max_file_packets=20), "printed more than the limit of 2000 bytes"),
        (ProbeSettings(max_file_bytes=1000), "bytes, the limit is 1000"),
        (ProbeSettings(max_fps=10), "it has 50 frames in 2.00 s, the limit is 10 a second"),
        (ProbeSettings(max_frames=49), "it has 50 frames at 25 fps, the limit is 49"),
    ):
        rejected = verdict(good, settings)
        assert rejected.reason is Reason.TOO_LARGE
        assert words in rejected.detail


def test_odd_but_good(tmp_path: Path, clips: Path) -> None:
    turned = tmp_path / "turned.mp4"
    run_tool(["-display_rotation:v:0", "90", "-i", clips / "good.mp4", "-c", "copy", turned])
    values = probe(turned).values
    assert (values["source_width"], values["source_height"], values["rotation_deg"]) == (72, 128, 90.0)
    values = probe(make_clip(tmp_path / "wide.mp4", options=("-vf", "setsar=4/3"))).values
    assert (values["source_width"], values["coded_width"]) == (170, 128)
    values = probe(make_clip(tmp_path / "odd.mkv", size=(127, 71), video=("-c:v", "ffv1"))).values
    assert (values["source_width"], values["source_height"]) == (126, 70)
    values = probe(make_clip(tmp_path / "silent.mp4", sound_s=0)).values
    assert (values["has_audio"], values["audio_tracks"]) == (False, 0)
    tagged = ("-vf", "setparams=colorspace=bt709:range=tv")
    assert probe(make_clip(tmp_path / "hd.mp4", options=tagged)).values["color_matrix"] == "bt709"
    assert probe(clips / "good.mp4").values["color_matrix"] == "bt601"


def test_first_tracks_are_used_and_counted(tmp_path: Path, clips: Path) -> None:
    run_tool(["-f", "lavfi", "-i", "testsrc=s=64x64:d=1:r=1", "-frames:v", "1", tmp_path / "cover.png"])
    path = tmp_path / "two.mp4"
    tone = ["-f", "lavfi", "-i", "sine=d=2"]
    maps = ["-map", "2", "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
    run_tool(["-i", clips / "good.mp4", *tone, "-i", tmp_path / "cover.png", *maps, "-c:a", "aac", path])
    output = probe(path)
    assert chosen(output) == list(range(50))
    assert (output.values["video_tracks"], output.values["audio_tracks"]) == (1, 2)


def test_frames_cut_off_by_an_edit_list_are_not_shown(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", frames=100, options=("-g", "50"))
    run_tool(["-ss", "1.32", "-i", whole, "-c", "copy", tmp_path / "part.mp4"])
    output = probe(tmp_path / "part.mp4")
    assert len(chosen(output)) == 67
    assert json.loads(output.files["plan"].read_bytes())["decoded_frames"] == 67


def test_intervals(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "long.mp4", frames=120, options=("-g", "10"))
    plan = json.loads(probe(path, source_start_s=1, source_end_s=2.5).files["plan"].read_bytes())
    assert len(plan["source_frames"]) == 37
    assert plan["start_s"] == "1"
    with_overrun = probe(path, source_start_s=3, source_end_s=5)
    assert len(chosen(with_overrun)) == 45
    assert verdict(path, source_start_s=3, source_end_s=7).reason is Reason.TRUNCATED
    assert verdict(path, source_start_s=3, source_end_s=3.5).reason is Reason.TOO_SHORT


def test_the_plan_does_not_depend_on_the_name(clips: Path, tmp_path: Path) -> None:
    shutil.copy(clips / "good.mkv", tmp_path / "other name.mkv")
    first, second = probe(clips / "good.mkv"), probe(tmp_path / "other name.mkv")
    assert first.values == second.values
    assert first.files["plan"].read_bytes() == second.files["plan"].read_bytes()


def test_details_name_no_folder(tmp_path: Path, clips: Path) -> None:
    shutil.copy(clips / "good.ts", tmp_path / "bad.ts")
    punch(tmp_path / "bad.ts", at=0.4, share=0.15)
    detail = verdict(tmp_path / "bad.ts").detail
    assert str(tmp_path) not in detail
    assert "0x" not in detail
    shutil.copy(tmp_path / "bad.ts", clips / "bad.ts")
    assert verdict(clips / "bad.ts").detail == detail


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("exec sleep 1000000", Reason.TIMEOUT),
        ("trap '' TERM; while :; do :; done", Reason.TIMEOUT),
        ("exec yes", Reason.TOO_LARGE),
        ("yes >&2", Reason.CORRUPT),
        ("exit 0", MediaFileError),
        ("kill -SEGV $$", Reason.CRASHED),
    ],
    ids=["hangs", "spins", "prints", "complains", "silent", "crashes"],
)
def test_a_broken_ffmpeg_is_noticed(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, expected: Any
) -> None:
    fake = tmp_path / "ffmpeg"
    fake.write_text(f"#!/bin/sh\n{body}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    settings = ProbeSettings(wall_s=1, max_file_packets=10_000)
    if isinstance(expected, Reason):
        assert verdict(clips / "good.mp4", settings).reason is expected
    else:
        with pytest.raises(expected):
            probe(clips / "good.mp4", settings)


def test_the_stage_names_what_it_depends_on() -> None:
    node = find_node("probe")
    assert (node.takes, node.gives, STAGE.tools) == (("source",), ("plan",), ("ffmpeg",))
