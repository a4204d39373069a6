"""The image pipeline: what is given comes back, what is made costs what it should, wrong arguments."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch.nn import functional

from model.pipelines.pipeline_image import PortraitRGBDPipeline
from model.samples.depth_code import DepthRange
from tests.model.tiny_pipelines import SIDE_PX, codes, image_pipeline, rgb, seeded, watched

STEPS = 3


@pytest.fixture(scope="module")
def pipeline() -> PortraitRGBDPipeline:
    return image_pipeline()


@pytest.fixture(scope="module")
def joint() -> PortraitRGBDPipeline:
    return image_pipeline(inpaint=False)


def half() -> torch.Tensor:
    """Makes the left half, (1, H, W)."""
    mask = torch.zeros(1, SIDE_PX, SIDE_PX)
    mask[:, :, : SIDE_PX // 2] = 1
    return mask


def sampled(pipeline, *arguments, seed=0, **settings):
    return pipeline(*arguments, num_inference_steps=STEPS, generator=seeded(seed), **settings)


def differs(one, other):
    """Everywhere: no pixel of what is made is what was given."""
    return bool((one != other).all())


# what is given, what is made


def test_rgb_and_depth_are_made_together(joint):
    made = sampled(joint, samples=2)
    assert made.rgb.shape == (2, 3, SIDE_PX, SIDE_PX)
    assert made.depth_code.shape == (2, SIDE_PX, SIDE_PX)
    assert made.rgb.dtype == made.depth_code.dtype == torch.float32
    assert 0 <= made.rgb.min() < made.rgb.max() <= 1
    assert -1 <= made.depth_code.min() < made.depth_code.max() <= 1
    assert made.depth_m is None


def test_the_reference_is_seen(joint):
    one, other, nobody = (sampled(joint, reference).rgb for reference in (rgb(), rgb(seed=1), None))
    assert (one - other).abs().max() > 1e-4
    assert (one - nobody).abs().max() > 1e-4


def test_image_to_depth(pipeline):
    image = rgb(2)
    made = sampled(pipeline, image=image)
    assert torch.equal(made.rgb, image)
    other = sampled(pipeline, image=rgb(2, seed=1))
    assert (made.depth_code - other.depth_code).abs().max() > 1e-4


def test_depth_to_image(pipeline):
    depth = codes(2)
    made = sampled(pipeline, depth=depth)
    assert torch.equal(made.depth_code, depth)
    assert (made.rgb - sampled(pipeline, depth=codes(2, seed=1)).rgb).abs().max() > 1e-4


def test_only_what_the_masks_say_is_made(pipeline):
    image, depth, mask = rgb(), codes(), half()
    made = sampled(pipeline, rgb(), image=image, depth=depth, mask_rgb=mask, mask_depth=1 - mask)
    kept = mask[0] == 0
    assert torch.equal(made.rgb[..., kept], image[..., kept])
    assert differs(made.rgb[..., ~kept], image[..., ~kept])
    assert torch.equal(made.depth_code[..., ~kept], depth[..., ~kept])
    assert differs(made.depth_code[..., kept], depth[..., kept])


def test_where_all_is_given_all_comes_back(pipeline):
    image, depth = rgb(), codes()
    made = sampled(pipeline, image=image, depth=depth)
    assert torch.equal(made.rgb, image)
    assert torch.equal(made.depth_code, depth)


def test_a_mask_of_ones_is_no_image(pipeline):
    whole = torch.ones(1, SIDE_PX, SIDE_PX)
    made = sampled(pipeline, image=rgb(), mask_rgb=whole)
    alone = sampled(pipeline)
    torch.testing.assert_close(made.rgb, alone.rgb, rtol=0, atol=1e-6)
    torch.testing.assert_close(sampled(pipeline, mask_rgb=whole).rgb, alone.rgb, rtol=0, atol=1e-6)


def test_a_touched_latent_is_made_and_the_denoiser_reads_its_layout(pipeline):
    """Masks, then masked latents; one masked pixel masks the latent that it lies in."""
    mask = torch.zeros(1, SIDE_PX, SIDE_PX)
    mask[0, 5, 2] = 0.01
    with watched(pipeline.denoiser) as calls:
        sampled(pipeline, image=rgb(), mask_rgb=mask)
    known = calls.first[0][0, 8:]
    assert known.shape == (10, 8, 8)
    assert known[0].nonzero().tolist() == [[2, 1]]
    assert (known[1] == 1).all()  # all depth is made
    assert (known[2:6] == 0).all(dim=0).nonzero().tolist() == [[2, 1]]
    assert (known[6:] == 0).all()


def test_in_half_precision_what_is_given_is_still_exact():
    pipeline = image_pipeline().to(torch.bfloat16)
    image = rgb()
    made = sampled(pipeline, rgb(), image=image, mask_rgb=half(), near_m=0.5, far_m=0.9)
    assert made.rgb.dtype == made.depth_code.dtype == made.depth_m.dtype == torch.float32
    kept = half()[0] == 0
    assert torch.equal(made.rgb[..., kept], image[..., kept])
    assert made.depth_code.isfinite().all()


def test_other_sizes_than_the_trained_one(pipeline):
    image = torch.rand(1, 3, 24, 32, generator=seeded())
    assert sampled(pipeline, image=image).depth_code.shape == (1, 24, 32)


def test_metres_are_the_codes_of_a_range(pipeline):
    made = sampled(pipeline, near_m=0.4, far_m=0.9)
    depth_range = DepthRange(near_m=0.4, far_m=0.9)
    assert torch.equal(made.depth_m, depth_range.decode(made.depth_code))


# repeatable


def test_the_same_generator_makes_the_same_bits(pipeline):
    first, again = (sampled(pipeline, rgb(), image=rgb(seed=1), guidance_scale=2.0) for _ in range(2))
    assert torch.equal(first.depth_code, again.depth_code)
    other = sampled(pipeline, rgb(), image=rgb(seed=1), guidance_scale=2.0, seed=1)
    assert not torch.equal(first.depth_code, other.depth_code)


def test_a_sample_of_a_batch_is_the_sample_made_alone(pipeline):
    reference, image, depth = rgb(3), rgb(3, seed=1), codes(3)
    masks = torch.cat([half(), 1 - half(), torch.zeros_like(half())])

    def made(*, samples):
        return pipeline(
            reference[samples],
            image=image[samples],
            depth=depth[samples],
            mask_rgb=masks[samples],
            mask_depth=half(),
            generator=[seeded(seed) for seed in range(3)[samples]],
            num_inference_steps=STEPS,
            guidance_scale=1.5,
        )

    together = made(samples=slice(None))
    for index in range(3):
        alone = made(samples=slice(index, index + 1))
        torch.testing.assert_close(together.rgb[index], alone.rgb[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(together.depth_code[index], alone.depth_code[0], rtol=0, atol=1e-5)


# what it costs


@pytest.mark.parametrize(("scale", "times"), [(1.0, 1), (2.0, 2), (0.0, 1)])
def test_guidance_is_one_call_and_only_its_scales_are_paid_for(pipeline, scale, times):
    with watched(pipeline.denoiser) as calls, watched(pipeline.reference_net) as reference_calls:
        sampled(pipeline, rgb(2), image=rgb(2), guidance_scale=scale)
    assert len(calls) == STEPS
    assert {len(latents) for latents in calls.first} == {times * 2}
    assert len(reference_calls) == (scale != 0)


def test_guidance_attends_to_no_reference_in_vain(pipeline, monkeypatch):
    """The peers let both halves of a doubled batch read the reference and throw one of them away."""

    def work(scale):
        """Pairs of a query and a key in the denoiser."""
        pairs = []

        def attend(query, key, value):
            pairs.append(query[..., 0].numel() * key.shape[-2])
            return functional.scaled_dot_product_attention(query, key, value)

        attention = SimpleNamespace(scaled_dot_product_attention=attend)
        with monkeypatch.context() as patch:
            hook = pipeline.denoiser.register_forward_pre_hook(
                lambda *_: patch.setattr("model.networks.reference.functional", attention)
            )
            pipeline(rgb(2), num_inference_steps=1, generator=seeded(), guidance_scale=scale)
            hook.remove()
        return sum(pairs)

    assert work(0.0) > 0
    assert work(2.0) == work(0.0) + work(1.0)


def test_without_a_reference_the_reference_net_rests(pipeline):
    with watched(pipeline.denoiser) as calls, watched(pipeline.reference_net) as reference_calls:
        sampled(pipeline)
    assert (len(calls), len(reference_calls)) == (STEPS, 0)


def test_guidance_goes_beyond_what_the_reference_says(pipeline):
    """One step: e_0 + w (e_1 - e_0) is a line, and so are the latents."""
    made = {}
    for scale in (0.0, 1.0, 3.0):
        with watched(pipeline.vae.decoder) as decoded:
            pipeline(rgb(), num_inference_steps=1, generator=seeded(), guidance_scale=scale)
        made[scale] = torch.cat(decoded.first)
    assert (made[1.0] - made[0.0]).abs().max() > 1e-3
    torch.testing.assert_close(
        made[3.0] - made[0.0], 3 * (made[1.0] - made[0.0]), rtol=1e-3, atol=1e-3 * made[0.0].abs().max()
    )


def test_offloading_is_refused(pipeline):
    """Keys of the reference are made outside of the denoiser's forward, where no hook brings its weights."""
    with pytest.raises(ValueError, match="model_cpu_offload_seq"):
        pipeline.enable_model_cpu_offload()


# saved


def test_a_saved_pipeline_makes_the_same(pipeline, tmp_path: Path):
    pipeline.save_pretrained(tmp_path)
    weights = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert weights == {".json", ".safetensors"}
    loaded = DiffusionPipeline.from_pretrained(tmp_path, local_files_only=True)
    assert type(loaded) is PortraitRGBDPipeline
    loaded.set_progress_bar_config(disable=True)
    before, after = (sampled(one, rgb(), image=rgb(seed=1), guidance_scale=2.0) for one in (pipeline, loaded))
    # loaded tensors lie elsewhere in a cache line, which costs the last bit
    torch.testing.assert_close(before.depth_code, after.depth_code, rtol=0, atol=1e-5)
    torch.testing.assert_close(before.rgb, after.rgb, rtol=0, atol=1e-5)


# wrong arguments


def spoilt(tensor, value):
    spoilt = tensor.clone()
    spoilt.view(-1)[3] = value
    return spoilt


ONES = torch.ones(1, SIDE_PX, SIDE_PX)
WRONG = {
    "mask_rgb: it has zeros": {"mask_rgb": half()},
    "mask_depth: it has zeros": {"mask_depth": half(), "image": rgb()},
    "reference: shape": {"reference": rgb()[0]},
    "image: shape": {"image": torch.rand(1, 4, SIDE_PX, SIDE_PX)},
    "image: shape ": {"image": rgb()[:0]},
    "depth: shape": {"depth": codes()[:, None]},
    "mask_rgb: shape": {"image": rgb(), "mask_rgb": half()[0]},
    "image: 15, 15": {"image": rgb(side=15)},
    "depth: 15, 16": {"depth": codes()[:, 1:]},
    "image: torch.uint8": {"image": (rgb() * 255).byte()},
    "mask_rgb: torch.bool": {"image": rgb(), "mask_rgb": half().bool()},
    "image: 12, 12": {"reference": rgb(), "image": rgb(side=12)},
    "depth: 16, 16": {"image": rgb(side=12), "depth": codes()},
    "mask_rgb: 12, 12": {"image": rgb(), "mask_rgb": torch.ones(1, 12, 12)},
    "reference: values": {"reference": spoilt(rgb(), -0.01)},
    "reference: values ": {"reference": spoilt(rgb(), math.nan)},
    "image: values": {"image": spoilt(rgb(), 1.01)},
    "image: values ": {"image": spoilt(rgb(), math.inf)},
    "depth: values": {"depth": spoilt(codes(), 1.01)},
    "depth: values ": {"depth": spoilt(codes(), math.nan)},
    "mask_rgb: values": {"image": rgb(), "mask_rgb": ONES * 255},
    "mask_depth: values": {"depth": codes(), "mask_depth": spoilt(half(), math.nan)},
    "image: 2 samples": {"reference": rgb(3), "image": rgb(2)},
    "mask_rgb: 2 samples": {"image": rgb(3), "mask_rgb": half().expand(2, -1, -1)},
    "samples is 0": {"samples": 0},
    "samples is 0 ": {"samples": 0, "reference": rgb()},
    "samples is 4": {"samples": 4, "reference": rgb()},
    "num_inference_steps is 0": {"num_inference_steps": 0},
    "num_inference_steps is 1001": {"num_inference_steps": 1001},
    "guidance_scale is -1": {"reference": rgb(), "guidance_scale": -1.0},
    "guidance_scale is nan": {"reference": rgb(), "guidance_scale": math.nan},
    "guidance_scale is inf": {"reference": rgb(), "guidance_scale": math.inf},
    "guidance_scale is 2.0, and there is no reference": {"guidance_scale": 2.0},
    "generator: 2": {"reference": rgb(3), "generator": [seeded(), seeded()]},
    "near_m and far_m: give both": {"near_m": 0.5},
    "near_m and far_m: give both ": {"far_m": 0.5},
    "near_m and far_m: depth range": {"near_m": 0.9, "far_m": 0.5},
    "near_m and far_m: depth range ": {"near_m": 0.5, "far_m": math.nan},
}
"""How the message begins; brackets and spaces aside."""


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_argument_is_named_before_any_work(pipeline, message):
    with (
        watched(pipeline.vae.encoder) as work,
        pytest.raises(ValueError) as caught,  # noqa: PT011  # the text is compared below
    ):
        pipeline(**WRONG[message])
    assert str(caught.value).replace("(", "").startswith(message.strip())
    assert not len(work)


@pytest.mark.parametrize("name", ["reference", "image", "depth", "mask_rgb", "mask_depth"])
@pytest.mark.parametrize("value", [Image.new("RGB", (16, 16)), np.zeros((1, 16, 16), np.float32), [rgb()]])
def test_what_is_no_tensor_is_named(pipeline, name, value):
    kind = type(value).__name__
    with pytest.raises(TypeError, match=rf"^{name}: {kind}, need a torch\.Tensor \(B, .*H, W\), floats in"):
        pipeline(**{"image": rgb(), "depth": codes(), name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("image", rgb()), ("depth", codes()), ("mask_rgb", ONES), ("mask_depth", ONES)],
)
def test_the_joint_stages_pipeline_takes_nothing_given(joint, name, value):
    with pytest.raises(ValueError, match=f"^{name}: this denoiser .* load the pipeline of the inpaint stage"):
        joint(**{name: value})


def test_a_mask_alone_says_the_size(pipeline):
    assert sampled(pipeline, mask_rgb=torch.ones(1, 24, 24)).rgb.shape == (1, 3, 24, 24)
