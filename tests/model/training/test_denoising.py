"""What holds for the steps of all stages, and the bugs that users of the peers met in theirs."""

from __future__ import annotations

import pytest
import torch

from model.networks.reference import Reference, reference_features, reference_keys
from model.training.denoising import LossSettings
from model.training.masks import MaskSettings
from model.training.sample_noise import noise_levels
from tests.model.tiny_steps import (
    KEEP_ALL,
    pairs,
    take,
    tiny_inpaint_step,
    tiny_joint_step,
    tiny_motion_step,
    windows,
)

SEEDS = [11, 12, 13]
HALF = LossSettings(reference_dropout=0.5, speech_dropout=0.5, motion_dropout=0.5)
MAKERS = {
    "joint": lambda loss: (tiny_joint_step(loss=loss), pairs),
    "inpaint": lambda loss: (tiny_inpaint_step(loss=loss, masks=MaskSettings()), pairs),
    "motion": lambda loss: (tiny_motion_step(loss=loss), windows),
}
all_stages = pytest.mark.parametrize("stage", MAKERS)


def gradients(step, *batches):
    """Of all that trains, of the mean loss over all samples; the batches are accumulated."""
    step.zero_grad()
    samples = sum(len(batch["seed"]) for batch in batches)
    for batch in batches:
        (step(batch).total * len(batch["seed"]) / samples).backward()
    return {name: held.grad.clone() for name, held in step.named_parameters() if held.grad is not None}


def checkpointed(step):
    for network in step.networks().values():
        if network._supports_gradient_checkpointing:
            network.enable_gradient_checkpointing()
    return step


def close(one, other, **limits):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], msg=name, **limits)


@all_stages
@torch.no_grad()
def test_a_samples_loss_is_its_own(stage):
    """Its neighbours and its place in the batch do not matter; the batch's loss is the samples' mean.

    hallo #164: a mean over the batch came before what should have been weighted sample by sample.
    """
    step, batch = MAKERS[stage](HALF)
    whole = step(batch(SEEDS))
    turned = step(take(batch(SEEDS), [2, 0, 1]))
    alone = [step(batch([seed])) for seed in SEEDS]
    assert len(sum(whole.parts.values()).unique()) == len(SEEDS)
    for name, part in whole.parts.items():
        torch.testing.assert_close(turned.parts[name], part[[2, 0, 1]])
        torch.testing.assert_close(torch.cat([loss.parts[name] for loss in alone]), part)
    torch.testing.assert_close(torch.stack([loss.total for loss in alone]).mean(), whole.total)
    assert torch.equal(whole.level, noise_levels(torch.tensor(SEEDS)))


@all_stages
@torch.no_grad()
def test_the_same_seed_is_the_same_loss_and_another_is_another(stage):
    step, batch = MAKERS[stage](HALF)
    data = batch(SEEDS)
    first, again = step(data), step(data)
    assert torch.equal(first.total, again.total)
    other = step({**data, "seed": data["seed"] + 1})
    assert not torch.equal(first.total, other.total)


@all_stages
def test_accumulating_two_batches_equals_one_of_both(stage):
    """Moore-AnimateAnyone #92, #104, #122, hallo #211: a bank that fills up breaks accumulation."""
    step, batch = MAKERS[stage](HALF)
    data = batch(SEEDS)
    whole = gradients(step, data)
    close(whole, gradients(step, take(data, [0]), take(data, [1, 2])), rtol=1e-3, atol=1e-6)


@all_stages
def test_checkpointing_changes_no_gradient(stage):
    """Moore-AnimateAnyone #50, #80, #126: recomputing wrote the bank again."""
    step, batch = MAKERS[stage](HALF)
    plain = gradients(step, batch(SEEDS))
    recomputed = gradients(checkpointed(step), batch(SEEDS))
    assert plain.keys() == recomputed.keys()
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)


@all_stages
def test_a_validation_in_the_middle_leaves_the_next_step_as_it_was(stage):
    """Moore-AnimateAnyone #54: a validation pipeline put its own hooks into the training networks."""
    step, batch = MAKERS[stage](HALF)
    undisturbed = gradients(step, batch(SEEDS))
    step.eval()
    with torch.no_grad():
        step(batch([91, 92]))
        shown = step.networks()
        features = reference_features(shown["reference_net"], batch([93])["reference"], step.prompt())
        keys = reference_keys(shown["denoiser"], features)
        frames = (1, 4) if stage == "motion" else (1,)
        channels = shown["denoiser"].config.in_channels
        shown["denoiser"](
            torch.randn(1, channels, *frames[1:], 8, 8),
            torch.tensor([500]),
            step.prompt(),
            cross_attention_kwargs={"reference": Reference(keys=keys)},
        )
    step.train()
    after = gradients(step, batch(SEEDS))
    assert all(torch.equal(undisturbed[name], after[name]) for name in undisturbed)


@all_stages
@pytest.mark.parametrize("dropout", [0.0, 1.0])
def test_what_trains_gets_a_gradient_and_nothing_else(stage, dropout):
    """Also where a batch drops every condition: a process without a gradient keeps the others waiting."""
    every = LossSettings(reference_dropout=dropout, speech_dropout=dropout, motion_dropout=dropout)
    step, batch = MAKERS[stage](every)
    trained = {name for name, held in step.named_parameters() if held.requires_grad}
    assert gradients(step, batch(SEEDS)).keys() == trained


@all_stages
def test_a_gradient_of_a_kept_condition_is_not_zero(stage):
    step, batch = MAKERS[stage](KEEP_ALL)
    silent = [name for name, gradient in gradients(step, batch(SEEDS)).items() if not gradient.any()]
    assert not silent
