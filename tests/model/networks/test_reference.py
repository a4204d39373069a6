"""The bugs that users of the peers met most often, as properties that hold here."""

from __future__ import annotations

import pytest
import torch

from model.networks.denoiser import joint_denoiser, reference_net, unused_tail
from model.networks.reference import (
    Reference,
    install_reference_attention,
    reference_features,
    reference_keys,
)
from tests.model.tiny_networks import inputs, tiny_unet


@pytest.fixture
def networks():
    unet = tiny_unet()
    return (
        install_reference_attention(reference_net(unet)),
        install_reference_attention(joint_denoiser(unet)),
    )


def gradients(networks, batches, *, keep=None, checkpoint=False):
    """Gradients of the mean loss over all samples, the batches accumulated."""
    net, denoiser = networks
    total = sum(len(batch[0]) for batch in batches)
    for network in networks:
        network.zero_grad()
        network.train()
        network.enable_gradient_checkpointing() if checkpoint else network.disable_gradient_checkpointing()
    for latents, level, prompt, picture in batches:
        features = reference_features(net, picture, prompt)
        out = denoiser(
            latents,
            level,
            prompt,
            cross_attention_kwargs={"reference": Reference(features=features, keep=keep)},
        ).sample
        (out.square().mean() * len(latents) / total).backward()
    return {
        f"{index}.{name}": parameter.grad.clone()
        for index, network in enumerate(networks)
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


def batch(size=2):
    latents, level, prompt = inputs(8, size)
    picture = torch.randn(size, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    return latents, level, prompt, picture


def test_the_denoiser_reads_the_reference(networks):
    latents, level, prompt, picture = batch()
    features = reference_features(networks[0], picture, prompt)
    with_it, without = (
        networks[1](latents, level, prompt, cross_attention_kwargs={"reference": reference}).sample
        for reference in (Reference(features=features), None)
    )
    assert (with_it - without).abs().max() > 1e-3


def test_accumulating_two_batches_equals_one_of_both(networks):
    """Moore-AnimateAnyone #92, #104, #122: a mutable bank breaks gradient accumulation."""
    whole = batch()
    halves = [tuple(tensor[index : index + 1] for tensor in whole) for index in (0, 1)]
    one, two = gradients(networks, [whole]), gradients(networks, halves)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)


def test_checkpointing_changes_no_gradient(networks):
    """Moore-AnimateAnyone #50, #80, #126: checkpointing wrote the bank twice."""
    plain, recomputed = gradients(networks, [batch()]), gradients(networks, [batch()], checkpoint=True)
    assert plain.keys() == recomputed.keys()
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


def test_validation_in_the_middle_leaves_the_next_step_bit_identical(networks):
    """Moore-AnimateAnyone #54: building a validation pipeline re-hooked the training networks."""
    undisturbed = gradients(networks, [batch()])
    with torch.no_grad():
        latents, level, prompt, picture = batch(4)
        features = reference_features(networks[0], picture, prompt)
        keys = reference_keys(networks[1], features)
        networks[1](latents, level, prompt, cross_attention_kwargs={"reference": Reference(keys=keys)})
    after = gradients(networks, [batch()])
    assert all(torch.equal(undisturbed[name], after[name]) for name in undisturbed)


def test_all_but_the_named_tail_gets_a_gradient(networks):
    found = gradients(networks, [batch()])
    names = {f"0.{name}" for name, _ in networks[0].named_parameters()}
    assert names - found.keys() == {f"0.{name}" for name in unused_tail(networks[0])}


@torch.no_grad()
def test_keys_once_a_clip_equal_features_every_call(networks):
    latents, level, prompt, picture = batch()
    features = reference_features(networks[0], picture, prompt)
    references = (
        Reference(features=features),
        Reference(keys=reference_keys(networks[1], features)),
    )
    first, second = (
        networks[1](latents, level, prompt, cross_attention_kwargs={"reference": reference}).sample
        for reference in references
    )
    assert torch.equal(first, second)


@torch.no_grad()
def test_dropout_is_per_sample(networks):
    latents, level, prompt, picture = batch()
    features = reference_features(networks[0], picture, prompt)
    keep = torch.tensor([True, False])

    def run(reference):
        return networks[1](latents, level, prompt, cross_attention_kwargs={"reference": reference}).sample

    mixed = run(Reference(features=features, keep=keep))
    torch.testing.assert_close(mixed[0], run(Reference(features=features))[0])
    torch.testing.assert_close(mixed[1], run(None)[1])


@torch.no_grad()
def test_samples_without_stand_before_those_of_the_reference(networks):
    latents, level, prompt, picture = batch()
    keys = reference_keys(networks[1], reference_features(networks[0], picture, prompt))

    def run(times, reference):
        return networks[1](
            torch.cat([latents] * times),
            torch.cat([level] * times),
            prompt[:1],
            cross_attention_kwargs={"reference": reference},
        ).sample

    without, with_it = run(2, Reference(keys=keys, without=len(latents))).chunk(2)
    torch.testing.assert_close(without, run(1, None), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(with_it, run(1, Reference(keys=keys)), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_dtype_is_kept(networks):
    """Hallo cast features to float16 whatever the run's dtype."""
    features = reference_features(networks[0], batch()[3], batch()[2])
    assert {tokens.dtype for tokens in features.values()} == {torch.float32}
