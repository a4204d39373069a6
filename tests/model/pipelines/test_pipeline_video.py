"""The video pipeline: frames as long as the sound, made chunk after chunk, and what each chunk costs."""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from model.networks.autoencoder import decode, encode
from model.networks.speech import untrained_network
from model.networks.speech_settings import UntrainedSize
from model.pipelines import pipeline_video
from model.pipelines.pipeline_video import PortraitRGBDVideoPipeline
from model.samples.depth_code import DepthRange, from_picture
from tests.model.tiny_pipelines import CHUNK, SIDE_PX, rgb, seeded, sound, video_pipeline, watched
from tests.model.tiny_steps import GIVEN

STEPS = 2
FRAME = 640
"""Samples."""


@pytest.fixture(scope="module")
def pipeline() -> PortraitRGBDVideoPipeline:
    return video_pipeline()


def talk(pipeline, frames=2 * CHUNK, *, seed=0, **settings):
    """An iterator of its frames."""
    speech = settings.pop("speech", sound(frames * FRAME))
    arguments = {"num_inference_steps": STEPS, "generator": seeded(seed), **settings}
    return pipeline(arguments.pop("reference", rgb()), speech, **arguments)


def stacked(frames):
    frames = list(frames)
    return torch.stack([frame.rgb for frame in frames]), torch.stack([frame.depth_code for frame in frames])


# frames


@pytest.mark.parametrize(
    ("samples", "frames"),
    [
        (640, 1),
        (640 + 319, 1),
        (640 + 321, 2),
        (7 * 640, 7),
        (7 * 640 + 319, 7),
        (7 * 640 - 319, 7),
        (321, 1),
    ],
)
def test_there_are_25_frames_a_second(pipeline, samples, frames):
    made = list(talk(pipeline, speech=sound(samples), num_inference_steps=1))
    assert len(made) == frames == round(25 * samples / 16000)
    for frame in made:
        assert frame.rgb.shape == (3, SIDE_PX, SIDE_PX)
        assert frame.depth_code.shape == (SIDE_PX, SIDE_PX)
        assert 0 <= frame.rgb.min() < frame.rgb.max() <= 1
        assert -1 <= frame.depth_code.min() < frame.depth_code.max() <= 1
        assert frame.depth_m is None


def test_metres_are_the_codes_of_a_range(pipeline):
    frame = next(talk(pipeline, near_m=0.4, far_m=0.9))
    assert torch.equal(frame.depth_m, DepthRange(near_m=0.4, far_m=0.9).decode(frame.depth_code))


def test_the_portrait_the_speech_and_the_noise_count(pipeline):
    frames_rgb, _ = stacked(talk(pipeline))
    again, _ = stacked(talk(pipeline))
    assert torch.equal(frames_rgb, again)
    for other in (
        talk(pipeline, seed=1),
        talk(pipeline, reference=rgb(seed=1)),
        talk(pipeline, speech=sound(2 * CHUNK * FRAME, seed=1)),
    ):
        assert (stacked(other)[0] - frames_rgb).abs().max() > 1e-4


def test_in_half_precision_frames_are_still_floats():
    pipeline = video_pipeline().to(torch.bfloat16)
    pictures, depth = stacked(talk(pipeline, speech_scale=2.0))
    assert pictures.dtype == depth.dtype == torch.float32
    assert pictures.isfinite().all()
    assert depth.isfinite().all()


def test_two_clips_at_once_do_not_disturb_each_other(pipeline):
    alone = [stacked(talk(pipeline, seed=seed, num_inference_steps=seed + 1))[0] for seed in range(2)]
    clips = [talk(pipeline, seed=seed, num_inference_steps=seed + 1) for seed in range(2)]
    pairs = zip(*clips, strict=True)
    for index, pair in enumerate(pairs):
        for frame, expected in zip(pair, alone, strict=True):
            assert torch.equal(frame.rgb, expected[index])


# chunk after chunk


def test_frames_are_given_out_before_the_next_chunk_is_made(pipeline):
    """echomimic #139: all frames were held, and three minutes ran out of memory."""
    with watched(pipeline.denoiser) as calls, watched(pipeline.vae.decoder) as decoded:
        frames = talk(pipeline, 3 * CHUNK)
        assert len(calls) == 0
        next(frames)
        assert (len(calls), len(decoded)) == (STEPS, 2)
        list(islice(frames, CHUNK - 1))
        assert len(calls) == STEPS
        next(frames)
        assert len(calls) == 2 * STEPS
        assert len(list(frames)) == 2 * CHUNK - 1
    assert [latents.shape[2] for latents in calls.first] == [CHUNK] * 3 * STEPS


def test_the_last_chunk_is_as_long_as_what_is_left(pipeline):
    """hallo #41: frames of the last chunk were dropped."""
    with watched(pipeline.denoiser) as calls:
        list(talk(pipeline, CHUNK + 1))
    assert [latents.shape[2] for latents in calls.first] == [CHUNK] * STEPS + [1] * STEPS


def test_the_portrait_is_seen_once_and_motion_frames_once_a_chunk(pipeline):
    """hallo #28, #64: sampling took minutes a second; what does not change is computed once."""
    attention = pipeline.denoiser.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    with watched(pipeline.reference_net) as reference_calls, watched(attention.to_k) as projected:
        list(talk(pipeline, 3 * CHUNK))
    assert [len(latents) for latents in reference_calls.first] == [1, GIVEN, GIVEN, GIVEN]
    # the portrait's keys once, then those of a chunk's own frames at each step
    assert [len(tokens) for tokens in projected.first] == [1] + [CHUNK] * 3 * STEPS


@pytest.mark.parametrize(("given", "window"), [(4, 10), (4, 6), (2, 5)])
def test_motion_frames_are_the_last_clean_latents_before_the_chunk(monkeypatch, given, window):
    """Also where a chunk is shorter than they are. DiffSynth-Studio #1126: through the VAE they drift."""
    pipeline = video_pipeline(num_motion_frames=given, window_frames=window)
    clean = []
    monkeypatch.setattr(pipeline_video, "denoise", kept(pipeline_video.denoise, clean))
    chunks = 3
    with watched(pipeline.reference_net) as reference_calls:
        list(talk(pipeline, chunks * (window - given)))
    with torch.inference_mode():
        portrait = encode(pipeline.vae, rgb() * 2 - 1)
    history = [portrait.expand(given, -1, -1, -1)]
    history += [latents[0, :4].transpose(0, 1) for latents in clean]
    for chunk, motion in enumerate(reference_calls.first[1:]):
        assert torch.equal(motion, torch.cat(history[: chunk + 1])[-given:])
    assert len(reference_calls) == 1 + chunks == 1 + len(clean)


def test_frames_are_the_clean_latents_in_order(monkeypatch, pipeline):
    clean = []
    monkeypatch.setattr(pipeline_video, "denoise", kept(pipeline_video.denoise, clean))
    pictures, depth = stacked(talk(pipeline))
    with torch.inference_mode():
        rgb_latents, depth_latents = torch.cat(clean, dim=2)[0].transpose(0, 1).chunk(2, dim=1)
        expected = (decode(pipeline.vae, rgb_latents).clamp(-1, 1) + 1) / 2
        torch.testing.assert_close(pictures, expected, rtol=0, atol=1e-5)
        expected = from_picture(decode(pipeline.vae, depth_latents))
        torch.testing.assert_close(depth, expected, rtol=0, atol=1e-5)


def kept(function, results):
    def call(*arguments, **settings):
        results.append(function(*arguments, **settings))
        return results[-1]

    return call


# guidance


@pytest.mark.parametrize(
    ("reference_scale", "speech_scale", "each_step"),
    [(1, 1, 1), (2, 1, 2), (1, 2, 2), (0.5, 1, 2), (2, 3, 3), (2, 2, 2), (0, 1, 1), (1, 0, 1), (0, 0, 1)],
)
def test_each_scale_that_is_not_1_costs_a_call(pipeline, reference_scale, speech_scale, each_step):
    with watched(pipeline.denoiser) as calls:
        next(talk(pipeline, CHUNK, reference_scale=reference_scale, speech_scale=speech_scale))
    assert len(calls) == each_step * STEPS
    assert {len(latents) for latents in calls.first} == {1}


@pytest.mark.parametrize(
    ("scales", "conditions"),
    [
        ((1, 1), [(True, True)]),
        ((2, 1), [(False, True), (True, True)]),
        ((1, 2), [(True, False), (True, True)]),
        ((2, 3), [(False, False), (True, False), (True, True)]),
    ],
)
def test_only_what_is_guided_by_is_left_out(pipeline, scales, conditions):
    """Pairs: whether a call is conditioned on the portrait, and on the speech."""
    with watched(pipeline.denoiser) as calls:
        next(talk(pipeline, 1, num_inference_steps=1, reference_scale=scales[0], speech_scale=scales[1]))
    known = [settings["cross_attention_kwargs"] for settings in calls.settings]
    assert [("reference" in one, bool(one["speech"].tokens.any())) for one in known] == conditions


@pytest.mark.parametrize(
    ("reference_scale", "speech_scale", "hears"),
    [(1, 1, [True]), (2, 1, [True]), (1, 0, [False]), (2, 0, [False]), (1, 2, [False, True])],
)
def test_speech_is_read_only_where_a_call_hears_it(pipeline, reference_scale, speech_scale, hears):
    with watched(pipeline.speech_adapter) as read, watched(pipeline.denoiser) as calls:
        next(talk(pipeline, CHUNK, reference_scale=reference_scale, speech_scale=speech_scale))
    assert len(read) == len(hears)
    known = [settings["cross_attention_kwargs"]["speech"].tokens.any() for settings in calls.settings]
    assert sorted({bool(tokens) for tokens in known}) == hears


def test_offloading_is_refused(pipeline):
    """Keys of the reference are made outside of the denoiser's forward, where no hook brings its weights."""
    with pytest.raises(ValueError, match="model_cpu_offload_seq"):
        pipeline.enable_model_cpu_offload()


# saved


def test_a_saved_pipeline_makes_the_same(tmp_path: Path):
    pipeline = video_pipeline(num_motion_frames=2, window_frames=6)
    pipeline.save_pretrained(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}
    loaded = DiffusionPipeline.from_pretrained(tmp_path, local_files_only=True)
    assert type(loaded) is PortraitRGBDVideoPipeline
    config = loaded.config
    assert (config.window_frames, config.num_motion_frames, config.speech_frames) == (6, 2, 5)
    before, after = (stacked(talk(one, 6, reference_scale=2.0)) for one in (pipeline, loaded))
    for one, other in zip(before, after, strict=True):
        # loaded tensors lie elsewhere in a cache line, which costs the last bit
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


# wrong arguments


@pytest.mark.parametrize(
    "size", [UntrainedSize(layers=2, width=16), UntrainedSize(layers=1, width=8)], ids=str
)
def test_a_speech_network_of_another_size_is_refused(pipeline, size):
    parts = {**pipeline.components, "speech_network": untrained_network(size)}
    with pytest.raises(ValueError, match=rf"speech_network has {size.layers} layers x {size.width}.* 2 x 8"):
        PortraitRGBDVideoPipeline(**parts)


def spoilt(tensor, value):
    spoilt = tensor.clone()
    spoilt.view(-1)[3] = value
    return spoilt


WRONG = {
    "reference: shape": {"reference": rgb()[0]},
    "reference: 2 pictures": {"reference": rgb(2)},
    "reference: (15, 15)": {"reference": rgb(side=15)},
    "reference: torch.uint8": {"reference": (rgb() * 255).byte()},
    "reference: values": {"reference": spoilt(rgb(), 1.01)},
    "reference: values ": {"reference": spoilt(rgb(), math.nan)},
    "speech: torch.int16": {"speech": torch.zeros(FRAME, dtype=torch.int16)},
    "speech: torch.float32 of shape (1, 640)": {"speech": sound(FRAME)[None]},
    "speech: 0 samples": {"speech": sound(0)},
    "speech: 319 samples": {"speech": sound(319)},
    "speech: values": {"speech": spoilt(sound(FRAME), -1.01)},
    "speech: values ": {"speech": spoilt(sound(FRAME), math.nan)},
    "num_inference_steps is 0": {"num_inference_steps": 0},
    "num_inference_steps is 1001": {"num_inference_steps": 1001},
    "reference_scale is -1": {"reference_scale": -1.0},
    "speech_scale is nan": {"speech_scale": math.nan},
    "near_m and far_m: give both": {"near_m": 0.5},
    "near_m and far_m: depth range": {"near_m": 0.5, "far_m": 0.5},
}
"""How the message begins; spaces at its end aside."""


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_argument_is_named_before_a_frame_is_asked_for(pipeline, message):
    with (
        watched(pipeline.vae.encoder) as work,
        pytest.raises(ValueError) as caught,  # noqa: PT011  # the text is compared below
    ):
        talk(pipeline, **WRONG[message])
    assert str(caught.value).startswith(message.strip())
    assert not len(work)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"reference": Image.new("RGB", (16, 16))},
            r"reference: Image, need a torch\.Tensor \(B, 3, H, W\), floats in \[0, 1\]",
        ),
        ({"reference": None}, "reference: NoneType, need"),
        (
            {"speech": np.zeros(FRAME, np.float32)},
            r"speech: ndarray, need a torch\.Tensor \(S,\), floats in \[-1, 1\]",
        ),
    ],
)
def test_what_is_no_tensor_is_named(pipeline, arguments, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        talk(pipeline, **arguments)


def test_sound_is_cut_or_ends_in_silence(pipeline):
    """Whole frames: up to half a frame more is not heard, up to half a frame less is silence."""
    speech = sound(CHUNK * FRAME)
    frames_rgb, _ = stacked(talk(pipeline, speech=speech))
    longer, _ = stacked(talk(pipeline, speech=torch.cat([speech, sound(319, seed=1)])))
    assert torch.equal(frames_rgb, longer)
    silent = torch.cat([speech[:-300], torch.zeros(300)])
    shorter, _ = stacked(talk(pipeline, speech=speech[:-300]))
    assert torch.equal(stacked(talk(pipeline, speech=silent))[0], shorter)
