"""The joint and the inpaint step: what goes in, what is compared, what trains."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from model.networks.denoiser import INPAINT_LAYOUT, LAYOUT_CHANNELS, joint_denoiser, unused_tail
from model.networks.noise_schedule import NoiseSettings, add_noise, loss_target, noise_schedule
from model.training.denoising import LossSettings
from model.training.image_step import InpaintStep, JointStep
from model.training.masks import MaskSettings, draw_masks
from model.training.sample_noise import kept, noise_levels, sample_noise
from tests.model.tiny_networks import tiny_unet
from tests.model.tiny_steps import KEEP_ALL, pairs, tiny_inpaint_step, tiny_joint_step

SEEDS = list(range(20, 28))
VELOCITY = NoiseSettings(prediction="v_prediction", zero_snr=True)
WHOLE = MaskSettings(regions=0)
REGIONS = MaskSettings(joint=0, image_to_depth=0, depth_to_image=0)
ONLY_JOINT = MaskSettings(image_to_depth=0, depth_to_image=0, regions=0)


@torch.no_grad()
def observed(step, batch):
    """The loss, and the input and the prediction of the denoiser."""
    seen = {}

    def look(_, given, options, prediction):
        seen.update(
            input=given[0], level=given[1], prediction=prediction.sample, **options["cross_attention_kwargs"]
        )

    hook = step.denoiser.register_forward_hook(look, with_kwargs=True)
    loss = step(batch)
    hook.remove()
    return loss, seen


def clean_latents(batch):
    return torch.cat([batch["rgb"], batch["depth"]], dim=1)


def drawn(batch):
    """Clean latents, noise and level, as a step must draw them."""
    clean = clean_latents(batch)
    return clean, sample_noise(batch["seed"], shape=tuple(clean.shape[1:])), noise_levels(batch["seed"])


def by_name(tensor):
    """The inpaint denoiser's input by the names of its layout."""
    sizes = [LAYOUT_CHANNELS[name] for name in INPAINT_LAYOUT]
    return dict(zip(INPAINT_LAYOUT, tensor.split(sizes, dim=1), strict=True))


@pytest.mark.parametrize("noise", [NoiseSettings(), VELOCITY])
def test_the_joint_loss_is_the_mean_square_error_of_noisy_latents(noise):
    """Paper eq. 3 to 5: noises of their own, one level, one mean over both."""
    batch = pairs(SEEDS)
    loss, seen = observed(tiny_joint_step(noise=noise), batch)
    schedule = noise_schedule(noise)
    assert torch.equal(seen["input"], add_noise(schedule, *drawn(batch)))
    assert torch.equal(seen["level"], loss.level)
    error = (seen["prediction"] - loss_target(schedule, *drawn(batch))).square()
    torch.testing.assert_close(loss.total, error.mean())
    torch.testing.assert_close(loss.parts["rgb"], error[:, :4].mean(dim=(1, 2, 3)))
    torch.testing.assert_close(loss.parts["depth"], error[:, 4:].mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("masks", [WHOLE, REGIONS])
def test_the_inpaint_denoiser_reads_masks_and_masked_latents_by_its_layout(masks):
    batch = pairs(SEEDS)
    _, seen = observed(tiny_inpaint_step(masks=masks), batch)
    given = by_name(seen["input"])
    mask_rgb, mask_depth = draw_masks(batch["seed"], (8, 8), settings=masks)
    assert torch.equal(given["mask_rgb"], mask_rgb)
    assert torch.equal(given["mask_depth"], mask_depth)
    nothing = torch.zeros(())
    assert torch.equal(given["masked_z_rgb"], torch.where(mask_rgb == 1, nothing, batch["rgb"]))
    assert torch.equal(given["masked_z_depth"], torch.where(mask_depth == 1, nothing, batch["depth"]))
    noisy = add_noise(noise_schedule(NoiseSettings()), *drawn(batch))
    assert torch.equal(torch.cat([given["z_rgb"], given["z_depth"]], dim=1), noisy)


@pytest.mark.parametrize("masks", [WHOLE, REGIONS])
@pytest.mark.parametrize("noise", [NoiseSettings(), VELOCITY])
def test_the_inpaint_loss_is_over_what_is_generated(masks, noise):
    """A sample's mean over its generated elements, however few they are."""
    batch = pairs(SEEDS)
    loss, seen = observed(tiny_inpaint_step(masks=masks, noise=noise), batch)
    error = (seen["prediction"] - loss_target(noise_schedule(noise), *drawn(batch))).square()
    rgb, depth = (mask == 1 for mask in draw_masks(batch["seed"], (8, 8), settings=masks))
    generated = torch.cat([rgb.expand(-1, 4, -1, -1), depth.expand(-1, 4, -1, -1)], dim=1)
    samples = torch.stack([own[where].mean() for own, where in zip(error, generated, strict=True)])
    torch.testing.assert_close(loss.total, samples.mean())
    for part, channels, mask in (("rgb", error[:, :4], rgb), ("depth", error[:, 4:], depth)):
        for own, where, found in zip(channels, mask, loss.parts[part], strict=True):
            wanted = own[where.expand(4, -1, -1)].mean() if where.any() else torch.zeros(())
            torch.testing.assert_close(found, wanted)


def test_a_joint_task_before_training_is_the_joint_stages_loss():
    """Inpainting starts where the joint stage ended."""
    batch = pairs(SEEDS)
    joint, inpaint = (step(batch) for step in (tiny_joint_step(), tiny_inpaint_step(masks=ONLY_JOINT)))
    torch.testing.assert_close(inpaint.total, joint.total)


@pytest.mark.parametrize("stage", ["joint", "inpaint"])
def test_a_dropped_reference_does_not_matter_and_a_kept_one_does(stage):
    """Moore-AnimateAnyone #31, #32, hallo2 #67: a module that silently was not there. The networks come
    here with stock attention, as they come from a folder.
    """
    loss = LossSettings(reference_dropout=0.5)
    step = tiny_joint_step(loss=loss) if stage == "joint" else tiny_inpaint_step(loss=loss, masks=WHOLE)
    batch = pairs(SEEDS)
    keep = kept(batch["seed"], "reference", dropout=0.5)
    assert 0 < keep.sum() < len(SEEDS)
    first, seen = observed(step, batch)
    other, _ = observed(step, {**batch, "reference": batch["reference"].roll(1, dims=0)})
    assert torch.equal(seen["reference"].keep, keep)
    parts = [sum(loss.parts.values()) for loss in (first, other)]
    assert torch.equal(parts[0][~keep], parts[1][~keep])
    assert ((parts[0] - parts[1])[keep].abs() > 1e-5).all()


def test_a_loaded_reference_nets_tail_is_frozen(tmp_path):
    """A saved network does not know what was frozen; DDP waits for what gets no gradient."""
    step = tiny_joint_step()
    step.reference_net.save_pretrained(tmp_path)
    loaded = UNet2DConditionModel.from_pretrained(tmp_path)
    assert all(held.requires_grad for held in loaded.parameters())
    JointStep(
        denoiser=step.denoiser,
        reference_net=loaded,
        prompt=step.prompt,
        schedule=noise_schedule(NoiseSettings()),
        loss=KEEP_ALL,
    )
    frozen = [name for name, held in loaded.named_parameters() if not held.requires_grad]
    assert frozen == [name for name, _ in loaded.named_parameters() if name in unused_tail(loaded)]
    assert frozen


def test_the_reference_net_can_stay_as_it_is_in_inpainting():
    step = tiny_inpaint_step(masks=WHOLE, train_reference_net=False)
    step(pairs(SEEDS)).total.backward()
    assert all(held.grad is None for held in step.reference_net.parameters())
    assert all(held.grad is not None for held in step.denoiser.parameters())


def test_a_denoiser_of_another_stage_is_refused():
    step = tiny_joint_step()
    networks = {"reference_net": step.reference_net, "prompt": step.prompt}
    rest = {"schedule": noise_schedule(NoiseSettings()), "loss": KEEP_ALL}
    with pytest.raises(ValueError, match=r"need .*'mask_rgb'"):
        InpaintStep(denoiser=step.denoiser, masks=WHOLE, **networks, **rest)
    with pytest.raises(ValueError, match=r"need \('z_rgb',\)"):
        JointStep(
            denoiser=step.denoiser,
            reference_net=joint_denoiser(tiny_unet()),
            prompt=step.prompt,
            **rest,
        )
