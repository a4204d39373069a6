from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel

from model.networks.denoiser import joint_denoiser
from model.networks.reference import install_reference_attention
from model.networks.speech_adapter import Speech, SpeechAdapter
from tests.model.tiny_networks import inputs, tiny_unet

LAYERS, WIDTH, WINDOW = 2, 8, 5


@pytest.fixture
def denoiser():
    return install_reference_attention(joint_denoiser(tiny_unet()))


@pytest.fixture
def adapter(denoiser):
    torch.manual_seed(1)
    return SpeechAdapter.for_denoiser(denoiser, layers=LAYERS, layer_width=WIDTH, hidden_width=16, tokens=4)


def windows(samples=2, frames=1):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(samples, frames, WINDOW, LAYERS, WIDTH, generator=generator)


def train_a_little(adapter):
    """Weights as after some steps: the output projections are no longer zero."""
    for attention in adapter.attentions.values():
        torch.nn.init.normal_(attention.to_out[0].weight)
        torch.nn.init.normal_(attention.to_out[0].bias)
    return adapter


def run(denoiser, adapter, *, keep=None):
    speech = Speech(adapter=adapter, tokens=adapter(windows(), keep))
    return denoiser(*inputs(8), cross_attention_kwargs={"speech": speech}).sample


@torch.no_grad()
def test_at_step_0_speech_changes_nothing(denoiser, adapter):
    assert torch.equal(run(denoiser, adapter), denoiser(*inputs(8)).sample)


@torch.no_grad()
def test_a_trained_adapter_is_heard(denoiser, adapter):
    changed = run(denoiser, train_a_little(adapter)) - denoiser(*inputs(8)).sample
    assert changed.abs().max() > 1e-2


def test_it_sits_beside_every_cross_attention_to_the_prompt(denoiser, adapter):
    sites = [name for name, _ in denoiser.named_modules() if name.endswith("attn2")]
    assert len(adapter.attentions) == len(sites) > 0
    assert set(adapter.config.sites) == set(sites)


@torch.no_grad()
def test_tokens_are_per_frame(adapter):
    speech = windows(frames=3)
    tokens = adapter(speech)
    assert tokens.shape == (2, 3, 4, 16)
    torch.testing.assert_close(tokens[:, 1], adapter(speech[:, 1:2])[:, 0])


@torch.no_grad()
def test_dropout_is_per_sample_and_zeroes_the_tokens(denoiser, adapter):
    train_a_little(adapter)
    keep = torch.tensor([True, False])
    assert not adapter(windows(), keep)[1].any()
    mixed = run(denoiser, adapter, keep=keep)
    torch.testing.assert_close(mixed[0], run(denoiser, adapter)[0])
    torch.testing.assert_close(mixed[1], run(denoiser, adapter, keep=~keep & False)[1])
    assert (mixed[1] - run(denoiser, adapter)[1]).abs().max() > 1e-2


def test_every_weight_learns_and_checkpointing_changes_no_gradient(denoiser, adapter):
    train_a_little(adapter)
    found = []
    for checkpoint in (False, True):
        denoiser.enable_gradient_checkpointing() if checkpoint else denoiser.disable_gradient_checkpointing()
        adapter.zero_grad()
        run(denoiser, adapter).square().mean().backward()
        found.append({name: parameter.grad.clone() for name, parameter in adapter.named_parameters()})
    plain, recomputed = found
    assert all(gradient.any() for gradient in plain.values())
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


@torch.no_grad()
def test_it_is_a_component_of_its_own(denoiser, adapter, tmp_path):
    train_a_little(adapter).save_pretrained(tmp_path)
    loaded = SpeechAdapter.from_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["diffusion_pytorch_model.safetensors"]
    assert torch.equal(run(denoiser, loaded), run(denoiser, adapter))


def test_real_size_without_weights():
    with torch.device("meta"):
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        adapter = SpeechAdapter.for_denoiser(unet)
    assert len(adapter.attentions) == 16
    assert adapter.projection[0].in_features == 46_080
    parts = (adapter.attentions, adapter.projection)
    counts = [sum(parameter.numel() for parameter in part.parameters()) for part in parts]
    assert [round(count / 1e6, 1) for count in counts] == [44.0, 36.5]
