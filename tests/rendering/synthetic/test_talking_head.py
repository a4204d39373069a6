import numpy as np
import pytest

from rendering.synthetic.talking_head import Speaker, motion, syllables, voice

SPEAKER = Speaker(seed=5, duration_s=4.0, yaw_deg=20.0, pitch_hz=130.0)
RATE_HZ = 16_000


def test_the_performance_does_not_depend_on_the_frame_rate() -> None:
    coarse = motion(SPEAKER, np.arange(100) / 25)
    fine = motion(SPEAKER, np.arange(200) / 50)
    for name in ("jaw", "lips", "smile", "blink_left", "blink_right", "brows", "rotation", "sway_m"):
        assert np.array_equal(getattr(fine, name)[::2], getattr(coarse, name)), name


def test_values_stay_in_range_and_something_happens() -> None:
    for seed in range(5):
        speaker = Speaker(seed=seed, duration_s=4.0, yaw_deg=20.0, pitch_hz=130.0)
        acted = motion(speaker, np.arange(200) / 50)
        for curve in (acted.jaw, acted.smile, acted.blink_left, acted.blink_right):
            assert curve.min() >= 0
            assert curve.max() <= 1
        assert acted.jaw.max() > 0.3
        assert acted.blink_left.max() > 0.9
        assert np.abs(np.degrees(acted.rotation[:, 1])).max() <= 20.0
        assert np.degrees(np.ptp(acted.rotation[:, 1])) > 4
        assert np.linalg.norm(np.diff(acted.rotation, axis=0), axis=1).max() < np.radians(
            4
        )  # smooth at 50 fps


def test_the_mouth_is_closed_before_and_after_speech() -> None:
    spoken = syllables(SPEAKER)
    jaw = motion(SPEAKER, np.array([0.0, spoken[0].start_s, 4.0])).jaw
    assert np.array_equal(jaw, [0, 0, 0])
    assert all(s.start_s + s.duration_s < 4.0 for s in spoken)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_the_voice_is_as_loud_as_the_mouth_is_open(rate_hz: int) -> None:
    sound = voice(SPEAKER, rate_hz)
    assert sound.dtype == np.int16
    assert len(sound) == 4 * rate_hz
    assert np.abs(sound).max() < 32767
    windows = (sound[: 100 * (rate_hz // 25)].reshape(100, -1) / 32768.0) ** 2
    loudness = np.sqrt(windows.mean(axis=1))
    jaw = motion(SPEAKER, (np.arange(100) + 0.5) / 25).jaw
    assert np.corrcoef(loudness, jaw)[0, 1] > 0.85
    assert loudness[jaw > 0.2].min() > 0.005
    quiet = motion(SPEAKER, np.arange(len(sound)) / rate_hz).jaw == 0
    assert (sound[quiet] == 0).all()


def test_the_voice_has_its_pitch() -> None:
    sound = voice(Speaker(seed=1, duration_s=2.0, yaw_deg=0.0, pitch_hz=200.0), RATE_HZ).astype(float)
    loudest = np.argmax(np.convolve(sound**2, np.ones(1600), "valid"))
    piece = sound[loudest : loudest + 1600]
    lags = np.arange(50, 130)  # 123 .. 320 Hz
    similarity = [piece[:-lag] @ piece[lag:] for lag in lags]
    assert RATE_HZ / lags[np.argmax(similarity)] == pytest.approx(200, rel=0.2)


def test_another_seed_is_another_performance() -> None:
    other = Speaker(seed=6, duration_s=4.0, yaw_deg=20.0, pitch_hz=130.0)
    assert not np.array_equal(voice(other, RATE_HZ), voice(SPEAKER, RATE_HZ))
    assert np.array_equal(voice(SPEAKER, RATE_HZ), voice(SPEAKER, RATE_HZ))
