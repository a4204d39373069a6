from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tasks.report.waveform import Curve, draw_track, envelope, mouth_opening

WIDTH = 600.0


def drawn(**changes: Any) -> ElementTree.Element:
    values: dict[str, Any] = {"duration_s": 2.0, "samples": None, "mouth": None, "shown_s": ()}
    return ElementTree.fromstring(str(draw_track(Curve(**{**values, **changes}), width=WIDTH)))


def points(picture: ElementTree.Element, class_: str) -> list[list[tuple[float, float]]]:
    lines = [path.get("d") or "" for path in picture.iter("path") if path.get("class") == class_]
    return [[(float(x), float(y)) for x, y in re.findall(r"([-\d.]+) ([-\d.]+)", line)] for line in lines]


def texts(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter("text")]


def test_mouth_opening_is_lip_gap_over_eye_distance_at_any_scale_and_roll() -> None:
    landmarks = np.zeros((2, 478, 3), np.float32)
    for upper, lower in ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402)):
        landmarks[:, lower] = landmarks[:, upper] + np.float32([0, 20, 7])
    landmarks[:, 263] = landmarks[:, 33] + np.float32([100, 0, 50])
    landmarks[1] = landmarks[1][:, [1, 0, 2]] * np.float32([-3, 3, 3])
    assert mouth_opening(landmarks) == pytest.approx([0.2, 0.2])


def test_a_sound_stands_at_its_own_time() -> None:
    samples = np.zeros(32000, np.int16)
    samples[24000:24160] = 16384  # 1.5 s of 2
    (outline,) = points(drawn(samples=samples), "sound")
    loudest = min(outline, key=lambda point: point[1])
    assert loudest[0] == pytest.approx(WIDTH * 0.75, abs=3)
    assert "peak −6 dBFS" in texts(drawn(samples=samples))


@pytest.mark.parametrize("count", [1, 7, 640, 100_001])
def test_the_envelope_holds_every_sample(count: int) -> None:
    samples = np.random.default_rng(count).integers(-32768, 32767, count).astype(np.int16)
    bounds = envelope(samples, 200)
    assert bounds.shape == (200, 2)
    assert (bounds[:, 0] <= bounds[:, 1]).all()
    assert bounds.min() == pytest.approx(samples.min() / 32768)
    assert bounds.max() == pytest.approx(samples.max() / 32768)


def test_mouth_and_sound_share_the_time_axis_with_the_pictures() -> None:
    mouth = np.zeros(50)
    mouth[37] = 0.4
    picture = drawn(mouth=mouth, shown_s=(1.5,))
    (line,) = points(picture, "mouth")
    widest = min(line, key=lambda point: point[1])
    assert widest[0] == pytest.approx(WIDTH * 37.5 / 50, abs=0.1)
    (head,) = points(picture, "shown-head")
    assert head[2][0] == pytest.approx(WIDTH * 0.75)
    ticks = {text.text: float(text.get("x") or 0) for text in picture.iter("text")}
    assert ticks["1 s"] == pytest.approx(WIDTH / 2)


def test_frames_without_a_face_break_the_line() -> None:
    mouth = np.full(30, 0.1)
    mouth[10:15] = np.nan
    lines = points(drawn(mouth=mouth), "mouth")
    assert [len(line) for line in lines] == [10, 15]


def test_what_is_missing_is_said() -> None:
    assert {"no sound", "no landmarks"} <= set(texts(drawn()))
    assert "no landmarks" in texts(drawn(mouth=np.full(50, np.nan)))


def test_silence_is_a_line_and_a_long_clip_stays_small() -> None:
    picture = drawn(duration_s=600.0, samples=np.zeros(9_600_000, np.int16), mouth=np.full(15000, 0.1))
    (outline,) = points(picture, "sound")
    assert max(y for _, y in outline) - min(y for _, y in outline) == pytest.approx(1.0)
    assert len(ElementTree.tostring(picture)) < 25_000
    assert sum(text.endswith(" s") for text in texts(picture)) <= 13
