from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from model.networks.denoiser import (
    INPAINT_LAYOUT,
    JOINT_LAYOUT,
    check_layout,
    inpaint_denoiser,
    joint_denoiser,
    reference_net,
    unused_tail,
)
from tests.model.tiny_networks import inputs, tiny_unet


@torch.no_grad()
def test_at_step_0_rgb_equals_the_original_and_depth_equals_rgb():
    unet = tiny_unet()
    latents, level, prompt = inputs(8)
    original = unet(latents[:, :4], level, prompt).sample
    joint = joint_denoiser(unet)(latents, level, prompt).sample
    assert torch.equal(joint[:, :4], original)
    assert torch.equal(joint[:, 4:], original)


@torch.no_grad()
def test_ten_more_input_channels_change_nothing_at_step_0():
    joint = joint_denoiser(tiny_unet())
    latents, level, prompt = inputs(18)
    expected = joint(latents[:, :8], level, prompt).sample
    assert torch.equal(inpaint_denoiser(joint)(latents, level, prompt).sample, expected)


def test_surgery_leaves_its_argument_alone():
    unet = tiny_unet()
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    joint_denoiser(unet).conv_in.weight.data.fill_(7.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())


def test_surgery_on_the_wrong_unet_names_the_channels():
    with pytest.raises(ValueError, match="18 input channels, need 8"):
        inpaint_denoiser(inpaint_denoiser(joint_denoiser(tiny_unet())))


def test_the_layout_survives_saving_and_is_checked(tmp_path):
    inpaint_denoiser(joint_denoiser(tiny_unet())).save_pretrained(tmp_path)
    loaded = UNet2DConditionModel.from_pretrained(tmp_path)
    check_layout(loaded, INPAINT_LAYOUT)
    with pytest.raises(ValueError, match="need \\('z_rgb', 'z_depth'\\)"):
        check_layout(loaded, JOINT_LAYOUT)


def real_unet() -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


def test_real_sizes_without_weights():
    unet = real_unet()
    joint = joint_denoiser(unet)
    counts = [
        sum(parameter.numel() for parameter in network.parameters())
        for network in (unet, joint, inpaint_denoiser(joint))
    ]
    assert [round(count / 1e6, 3) for count in counts] == [859.521, 859.544, 859.573]


def test_the_reference_nets_unused_tail_is_24_tensors_and_frozen():
    network = reference_net(real_unet())
    tail = unused_tail(network)
    assert len(tail) == 24
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert sorted(frozen) == sorted(tail)
