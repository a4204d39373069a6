"""A synthetic speaker: motion of mouth, lids, brows and head over time, and the matching voice.

Everything is a function of continuous time and a seed, so that pictures at any frame rate and sound at any
sample rate give the same performance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from rendering.arrays import Float64

VOWELS = (
    (730, 1090, 2440, 1.0, 0.0),
    (530, 1840, 2480, 0.7, -0.3),
    (270, 2290, 3010, 0.35, -0.6),
    (570, 840, 2410, 0.6, 0.6),
    (300, 870, 2240, 0.3, 1.0),
    (490, 1350, 1690, 0.5, 0.2),
)
"""Formants 1 to 3 in Hz (Peterson and Barney 1952), jaw opening 0..1, lips from -1 spread to 1 rounded."""

BANDWIDTHS_HZ = (80.0, 100.0, 140.0)
"""Bandwidths of the three formants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Syllable:
    """One opening of the mouth."""

    start_s: float
    duration_s: float
    vowel: int
    """Index into VOWELS."""
    effort: float
    """Scales opening and loudness, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What a speaker does at N instants; arrays are (N,) in 0..1 unless their docstring differs."""

    jaw: Float64
    lips: Float64
    """-1 spread .. 1 rounded."""
    smile: Float64
    blink_right: Float64
    blink_left: Float64
    brows: Float64
    rotation: Float64
    """Rotation vectors, camera axes, (N, 3); at the small angles used here pitch, yaw and roll in radians."""
    sway_m: Float64
    """Shift of the head from its place at rest, (N, 3) m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """The habits of one speaker."""

    seed: int
    duration_s: float
    yaw_deg: float
    """About how far the head turns to each side."""
    pitch_hz: float
    """Mean frequency of the voice."""
    smile: float = 0.15
    """Mean smile, 0..1."""


def syllables(speaker: Speaker) -> list[Syllable]:
    """The syllables of a speaker: phrases of three to seven, with pauses between.

    The mouth is closed at the beginning and at the end.
    """
    random = np.random.default_rng([speaker.seed, 1])
    spoken: list[Syllable] = []
    time_s = 0.2
    while True:
        for _ in range(int(random.integers(3, 8))):
            duration = random.uniform(0.16, 0.26)
            if time_s + duration > speaker.duration_s - 0.15:
                return spoken
            spoken.append(
                Syllable(
                    start_s=time_s,
                    duration_s=duration,
                    vowel=int(random.integers(len(VOWELS))),
                    effort=random.uniform(0.6, 1.0),
                )
            )
            # Neighbours overlap a little; a consonant that closes the lips leaves a gap.
            time_s += duration * random.choice([0.75, 1.0])
        time_s += random.uniform(0.2, 0.4)


def motion(speaker: Speaker, times_s: Float64) -> Performance:
    """The performance of a speaker at given instants, (N,) s."""
    random = np.random.default_rng([speaker.seed, 2])
    jaw, lips = np.zeros_like(times_s), np.zeros_like(times_s)
    for syllable in syllables(speaker):
        bump = _bump(times_s, syllable.start_s, syllable.duration_s) * syllable.effort
        _, _, _, opening, rounding = VOWELS[syllable.vowel]
        # Overlapping syllables do not add up: the wider one decides.
        jaw = np.maximum(jaw, opening * bump)
        lips += rounding * bump
    blink = np.zeros_like(times_s)
    start_s = random.uniform(0.4, 1.0)
    while start_s < speaker.duration_s:
        blink = np.maximum(blink, _bump(times_s, start_s, 0.28) ** 0.7)
        start_s += random.uniform(1.2, 2.4)
    yaw, pitch, roll = (np.radians(a) for a in (speaker.yaw_deg, 6.0, 4.0))
    waves = [_wander(random, times_s) for _ in range(8)]
    return Performance(
        jaw=jaw,
        lips=np.clip(lips, -1, 1),
        smile=np.clip(speaker.smile * (1 + waves[0]), 0, 1),
        blink_right=blink,
        blink_left=blink,
        brows=np.clip(0.4 * waves[1], 0, 1) + 0.25 * jaw,
        rotation=np.stack([pitch * waves[2] + 0.03 * jaw, yaw * waves[3], roll * waves[4]], axis=-1),
        sway_m=np.stack([0.012 * waves[5], 0.006 * waves[6], 0.015 * waves[7]], axis=-1),
    )


def voice(speaker: Speaker, sample_rate_hz: int) -> NDArray[np.int16]:
    """Speech-like sound, (S,): source-filter synthesis, pulses of the glottis through formant resonators.

    It is as loud as the mouth is open.
    """
    random = np.random.default_rng([speaker.seed, 3])
    times_s = np.arange(round(speaker.duration_s * sample_rate_hz)) / sample_rate_hz
    pitch_hz = speaker.pitch_hz * (1 + 0.12 * _wander(random, times_s) - 0.02 * times_s)
    phase = np.cumsum(pitch_hz) / sample_rate_hz
    # One pulse whenever the phase passes a whole number of periods.
    pulses = np.diff(np.floor(phase), prepend=0.0)
    breath = 0.015 * random.normal(size=len(times_s))
    # One pole at 300 Hz makes the pulses fall by 6 dB an octave, as the spectrum radiated from the lips does.
    pole = np.exp(-2 * np.pi * 300 / sample_rate_hz)
    source = lfilter([1 - pole], [1, -pole], pulses) + breath
    sound = np.zeros_like(times_s)
    for vowel, (*formants, opening, _) in enumerate(VOWELS):
        spoken = [s for s in syllables(speaker) if s.vowel == vowel]
        loudness = sum(
            (s.effort * _bump(times_s, s.start_s, s.duration_s) for s in spoken), np.zeros_like(times_s)
        )
        vowel_sound = source
        for formant_hz, bandwidth_hz in zip(formants, BANDWIDTHS_HZ, strict=True):
            vowel_sound = _resonator(vowel_sound, formant_hz, bandwidth_hz, sample_rate_hz)
        # All vowels are equally loud before the mouth scales them.
        level = np.sqrt(np.mean(vowel_sound**2))
        sound += loudness * (0.4 + 0.6 * opening) * vowel_sound / level
    return np.asarray(np.round(np.clip(0.12 * sound, -1, 1) * 32767), dtype=np.int16)


def _bump(times_s: Float64, start_s: float, duration_s: float) -> Float64:
    """A raised cosine: 0 outside the interval, 1 in its middle."""
    place = np.clip((times_s - start_s) / duration_s, 0, 1)
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * place))


def _wander(random: np.random.Generator, times_s: Float64) -> Float64:
    """A slow smooth curve within about -1..1."""
    # Three sines of unrelated frequencies repeat only after a long time.
    frequencies_hz = random.uniform([0.1, 0.3, 0.6], [0.3, 0.6, 1.1])
    phases = random.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * frequencies_hz * times_s[:, None] + phases)
    return np.asarray(waves @ np.array([0.65, 0.25, 0.1]))


def _resonator(sound: Float64, frequency_hz: float, bandwidth_hz: float, sample_rate_hz: int) -> Float64:
    """A formant resonator: two poles, unit gain at 0 Hz (Klatt 1980)."""
    radius = np.exp(-np.pi * bandwidth_hz / sample_rate_hz)
    feedback = np.array([1.0, -2 * radius * np.cos(2 * np.pi * frequency_hz / sample_rate_hz), radius**2])
    return np.asarray(lfilter([feedback.sum()], feedback, sound))
