"""Speech heard in parts is the speech of the whole clip, and what was heard is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.networks.speech import SAMPLES_PER_FRAME, speech_features, speech_parts, untrained_network
from model.networks.speech_settings import UntrainedSize, WindowSettings
from model.pipelines.speech_stream import SpeechStream
from model.samples.training_set import speech_windows

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def features(frames: int) -> NDArray[np.float16]:
    return np.random.default_rng(frames).normal(size=(frames, 2, 3)).astype(np.float16)


def in_parts(whole: NDArray[np.float16], sizes: list[int]) -> Iterator[NDArray[np.float16]]:
    done = 0
    for size in sizes:
        yield whole[done : done + size]
        done += size


def chunked(frames: int, sizes: list[int]) -> Iterator[int]:
    """The sizes over and over, until all frames are taken."""
    done = 0
    while done < frames:
        for size in sizes:
            count = min(size, frames - done)
            if count:
                yield count
            done += count


@given(parts=lengths, chunks=lengths, window=st.sampled_from([1, 3, 5, 9]))
def test_in_any_chunks_it_is_the_whole_clips_windows(parts, chunks, window) -> None:
    frames = sum(parts)
    whole = features(frames)
    stream = SpeechStream(in_parts(whole, parts), frames=frames, window=window)
    taken = torch.cat([stream.take(count) for count in chunked(frames, chunks)])
    expected = speech_windows(torch.from_numpy(whole).float(), first=0, count=frames, window=window)
    assert taken.dtype == torch.float32
    assert torch.equal(taken, expected)


@given(parts=lengths, chunks=lengths, window=st.sampled_from([1, 3, 5, 9]))
def test_it_reads_no_part_before_it_is_needed_and_keeps_no_past(parts, chunks, window) -> None:
    frames, read = sum(parts), 0

    def counted() -> Iterator[NDArray[np.float16]]:
        nonlocal read
        for part in in_parts(features(frames), parts):
            read += len(part)
            yield part

    stream = SpeechStream(counted(), frames=frames, window=window)
    done = 0
    for count in chunked(frames, chunks):
        stream.take(count)
        done += count
        needed = min(done + window // 2, frames)
        assert needed <= read < needed + max(parts)
        assert stream._held is not None
        held = len(stream._held)
        assert held <= count + window + max(parts)
        # nothing that later windows will not hear but what this chunk itself heard
        assert held <= count + 2 * (window // 2) + read - needed


def test_memory_of_a_long_clip_is_that_of_a_part() -> None:
    """The tensor that is held is no view of a longer one."""
    stream = SpeechStream((features(30) for _ in range(40)), frames=1200, window=5)
    for _ in range(120):
        stream.take(10)
        assert stream._held is not None
        assert stream._held.untyped_storage().nbytes() <= (30 + 2 * 10 + 5) * 2 * 3 * 4


def test_an_even_window_is_refused() -> None:
    stream = SpeechStream(iter([features(4)]), frames=4, window=4)
    with pytest.raises(ValueError, match="odd"):
        stream.take(1)


@pytest.mark.parametrize("frames", [1, 40, 41, 90])
def test_the_networks_parts_make_up_the_clips_features(frames: int) -> None:
    network = untrained_network(UntrainedSize(layers=2, width=8))
    windows = WindowSettings(window_frames=40, context_frames=8)
    samples = (np.random.default_rng(0).normal(size=frames * SAMPLES_PER_FRAME) * 3000).astype(np.int16)
    whole = speech_features(network, samples, windows=windows)
    parts = list(speech_parts(network, samples, windows=windows))
    assert len(parts) == (1 if frames <= 40 else 2 if frames == 41 else 4)
    assert {part.dtype for part in parts} == {np.dtype(np.float16)}
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_network_in_half_precision_hears_nearly_the_same() -> None:
    """A pipeline that was cast takes its speech network along."""
    samples = (np.random.default_rng(0).normal(size=20 * SAMPLES_PER_FRAME) * 3000).astype(np.int16)
    network = untrained_network(UntrainedSize(layers=2, width=8))
    exact = speech_features(network, samples, windows=WindowSettings())
    cast = speech_features(network.bfloat16(), samples, windows=WindowSettings())
    np.testing.assert_allclose(cast, exact, atol=0.2)
