"""Speech features: in step with the frames, repeatable, and the same through windows nearly."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Wav2Vec2Model

from model.networks.speech import (
    SAMPLES_PER_FRAME,
    Loudness,
    spans,
    speech_features,
    step_positions,
    untrained_network,
)
from model.networks.speech_settings import UntrainedSize, WindowSettings

WINDOWS = WindowSettings()


@pytest.fixture(scope="module")
def network() -> Wav2Vec2Model:
    return untrained_network(UntrainedSize())


def noise(frames: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=frames * SAMPLES_PER_FRAME) * 3000).astype(np.int16)


@pytest.mark.parametrize("frames", [1, 2, 25, 77])
def test_one_row_a_frame_and_all_layers(network: Wav2Vec2Model, frames: int) -> None:
    features = speech_features(network, noise(frames), windows=WINDOWS)
    assert features.shape == (frames, 2, 64)
    assert features.dtype == np.float16
    assert np.isfinite(features).all()


@pytest.mark.parametrize("frame", [0, 20, 41, 59])
def test_a_click_is_heard_at_its_frame(network: Wav2Vec2Model, frame: int) -> None:
    silence = np.zeros(60 * SAMPLES_PER_FRAME, np.int16)
    click = silence.copy()
    click[frame * SAMPLES_PER_FRAME + SAMPLES_PER_FRAME // 2] = 20000
    features = speech_features(network, click, windows=WINDOWS).astype(np.float32)
    change = np.abs(features - np.median(features, axis=0)).sum(axis=(1, 2))
    assert int(change.argmax()) == frame


def test_layers_are_the_stock_models_at_the_middle_of_each_frame(network: Wav2Vec2Model) -> None:
    samples = noise(30)
    sound = torch.from_numpy(Loudness.of(samples).normalized(samples))
    with torch.inference_mode():
        states = network(sound[None], output_hidden_states=True).hidden_states
    steps = torch.stack(states[1:], dim=2)[0].numpy()
    features = speech_features(network, samples, windows=WINDOWS)
    for frame in (0, 13, 28):
        # step k is centred on sample 320 k + 200
        place = ((frame + 0.5) * 640 - 200) / 320
        low = int(place)
        expected = steps[low] * (1 - (place - low)) + steps[low + 1] * (place - low)
        np.testing.assert_allclose(features[frame], expected, atol=2e-3)


def test_step_positions_follow_the_convolutions() -> None:
    config = untrained_network(UntrainedSize(layers=1)).config
    np.testing.assert_allclose(step_positions(config, 3), [0.375, 2.375, 4.375])


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = untrained_network(UntrainedSize()).state_dict()
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == after  # the caller's generator is left as it was
    torch.manual_seed(2)
    second = untrained_network(UntrainedSize()).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = untrained_network(UntrainedSize(seed=1)).state_dict()
    assert not torch.equal(
        first["feature_projection.projection.weight"], other["feature_projection.projection.weight"]
    )


def test_the_label_says_that_it_is_untrained() -> None:
    assert UntrainedSize(layers=12, width=768).label == "untrained wav2vec2 (seed 0, 768 x 12)"


@given(st.integers(1, 400), st.integers(3, 60), st.integers(1, 20))
def test_windows_cover_every_frame_once_with_context(frames: int, length: int, context: int) -> None:
    windows = WindowSettings(window_frames=length, context_frames=context)
    if length <= 2 * context:
        with pytest.raises(ValueError, match="window_frames"):
            list(spans(frames, windows))
        return
    done = 0
    windows_of_clip = list(spans(frames, windows))
    lengths = {end - first for first, end, _, _ in windows_of_clip}
    assert len(lengths) == 1
    assert lengths.pop() <= min(length, frames)
    assert len(windows_of_clip) == max(ceil((frames - 2 * context) / (length - 2 * context)), 1)
    for first, end, keep_first, keep_end in windows_of_clip:
        assert keep_first == done < keep_end <= end <= frames
        assert first == 0 or keep_first - first >= context
        assert end == frames or end - keep_end >= context
        done = keep_end
    assert done == frames


def test_windows_overlap_no_more_than_their_context() -> None:
    lengths = [end - first for first, end, _, _ in spans(1500, WINDOWS)]
    assert sum(lengths) < 1500 + (len(lengths) - 1) * 2 * WINDOWS.context_frames + len(lengths)


def test_windows_change_little(network: Wav2Vec2Model) -> None:
    loudness = np.repeat(np.random.default_rng(1).uniform(0.1, 1, 700), SAMPLES_PER_FRAME)
    samples = (noise(700) * loudness).astype(np.int16)
    whole = speech_features(network, samples, windows=WindowSettings(window_frames=700)).astype(np.float32)
    parts = speech_features(network, samples, windows=WINDOWS).astype(np.float32)
    assert np.sqrt(np.square(parts - whole).mean()) < 0.06 * whole.std()


def test_loudness_does_not_matter(network: Wav2Vec2Model) -> None:
    loud, quiet = noise(20), noise(20) // 4
    difference = speech_features(network, loud, windows=WINDOWS) - speech_features(
        network, quiet, windows=WINDOWS
    )
    assert np.abs(difference).max() < 0.02


@pytest.mark.parametrize("count", [0, 639, 1000])
def test_a_broken_frame_is_an_error(network: Wav2Vec2Model, count: int) -> None:
    with pytest.raises(ValueError, match="multiple of 640"):
        speech_features(network, np.zeros(count, np.int16), windows=WINDOWS)
