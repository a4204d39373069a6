"""The loop: resuming is exact, whatever cuts the batch up changes rounding only, and bad things stop it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from model.training import checkpoint
from model.training.loss_log import NotFiniteError
from model.training.trainer import train
from model.training.trainer_settings import TrainerSettings, learning_rate
from tests.model.broken_disk import Stopped, stopping_at
from tests.model.toy_training import (
    Notes,
    PortraitSamples,
    PortraitStep,
    ToySamples,
    ToyStep,
    toy_order,
    toy_settings,
)

ROOT = Path(__file__).resolve().parents[3]


def run(folder, *, step=None, callback=None, data=None, seed=0, facts=None, **changes):
    """Train the toy; returns its weights and what was shown."""
    step, callback = step or ToyStep(), callback or Notes()
    finished = train(
        step,
        data=data or ToySamples(),
        order=toy_order(seed),
        settings=toy_settings(**changes),
        folder=folder,
        callback=callback,
        facts=facts,
    )
    return finished, step.state_dict(), callback


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def assert_close(found, wanted, *, within=1e-5):
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=0, atol=within, msg=lambda text, name=name: name + text
        )


def test_it_learns_and_ends_with_the_average(tmp_path):
    start = ToyStep().state_dict()
    finished, weights, callback = run(
        tmp_path, steps=200, checkpoint_every=100, log_every=100, learning_rate=3e-2
    )
    assert callback.losses[200]["loss/total"] < 0.5 * callback.losses[100]["loss/total"]
    assert not torch.equal(weights["network.layers.0.weight"], start["network.layers.0.weight"])
    assert torch.equal(weights["network.frozen.weight"], start["network.frozen.weight"])
    average = load_file(finished.checkpoint / "average.safetensors")
    raw = load_file(finished.checkpoint / "weights.safetensors")
    assert average.keys() == raw.keys() == {name for name in start if "frozen" not in name}
    assert_equal({name: weights[name] for name in average}, average)
    assert not torch.equal(average["network.layers.0.weight"], raw["network.layers.0.weight"])


def test_losses_are_shown_per_part_and_quarter_of_the_noise_levels(tmp_path):
    _, _, callback = run(tmp_path, steps=40, log_every=40)
    shown = callback.losses[40]
    quarters = ["levels_0_to_249", "levels_250_to_499", "levels_500_to_749", "levels_750_to_999"]
    parts = [f"loss/{part}/{quarter}" for part in ("rgb", "depth") for quarter in quarters]
    others = ["loss/total", "loss/rgb", "loss/depth", "gradient_norm", "learning_rate"]
    assert sorted(shown) == sorted(parts + others)
    assert shown["loss/total"] == pytest.approx(shown["loss/rgb"] + shown["loss/depth"])


@pytest.mark.parametrize("stop_at", range(1, 6))
@pytest.mark.parametrize("accumulation", [1, 2])
def test_interrupted_and_resumed_is_never_interrupted(tmp_path, stop_at, accumulation):
    chosen = {"log_every": 1, "lr_schedule": "cosine", "accumulation": accumulation}
    whole, weights, callback = run(tmp_path / "whole", **chosen)
    first = Notes(stop_at=stop_at)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", callback=first, **chosen)
    # weights come from the checkpoint: the resumed run starts with others, where there is one
    again, resumed, second = run(tmp_path / "cut", step=ToyStep(seed=int(stop_at > 2)), **chosen)
    assert again.resumed_at == (stop_at - 1) // 2 * 2
    assert_equal(resumed, weights)
    assert content(again.checkpoint) == content(whole.checkpoint)
    assert first.losses | second.losses == callback.losses
    assert all(callback.losses[number] == shown for number, shown in first.losses.items())


def test_interrupted_with_8_bit_state_and_resumed_is_never_interrupted(tmp_path):
    """With 32 bits the weights would be others."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes (optional) is not installed")

    def step(seed=0):
        return ToyStep(seed=seed, width=2048)  # smaller tensors keep 32 bits

    eight = {"optimizer": "adamw_8bit"}
    whole, weights, _ = run(tmp_path / "whole", step=step(), **eight)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", step=step(), callback=Notes(stop_at=4), log_every=1, **eight)
    again, resumed, _ = run(tmp_path / "cut", step=step(seed=1), log_every=1, **eight)
    assert again.resumed_at == 2
    assert_equal(resumed, weights)
    state = load_file(whole.checkpoint / "optimizer.safetensors")
    assert torch.uint8 in {tensor.dtype for tensor in state.values()}
    assert load_file(again.checkpoint / "optimizer.safetensors").keys() == state.keys()
    _, others, _ = run(tmp_path / "others", step=step())
    assert any(not torch.equal(others[name], tensor) for name, tensor in weights.items())


def test_means_that_were_begun_before_the_interruption_are_finished_after_it(tmp_path):
    _, _, callback = run(tmp_path / "whole", log_every=5)
    run(tmp_path / "cut", steps=4, log_every=5)
    again, _, resumed = run(tmp_path / "cut", log_every=5)
    assert again.resumed_at == 4
    assert resumed.losses.keys() == callback.losses.keys()


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    finished, weights, _ = run(tmp_path)
    before = content(finished.checkpoint)
    again, same, callback = run(tmp_path, step=ToyStep(seed=1))
    assert (again.resumed_at, again.steps, again.checkpoint) == (6, 6, finished.checkpoint)
    assert callback.losses == {}
    assert_equal(same, weights)
    assert content(again.checkpoint) == before


def test_stopped_between_any_two_file_operations_it_ends_the_same(tmp_path):
    whole, weights, _ = run(tmp_path / "whole", steps=4, keep=1)
    point, stopped = 0, True
    while stopped:
        point += 1
        folder = tmp_path / str(point)
        try:
            with stopping_at(point, checkpoint):
                run(folder, steps=4, keep=1)
            stopped = False
        except Stopped:
            pass
        again, resumed, _ = run(folder, steps=4, keep=1)
        assert_equal(resumed, weights)
        assert content(again.checkpoint) == content(whole.checkpoint)
        assert [path.name for path in folder.iterdir()] == ["00000004"]
    assert point > 30


def test_killed_while_it_writes_it_ends_the_same(tmp_path):
    whole, weights, _ = run(tmp_path / "whole")
    killed = subprocess.run(
        [sys.executable, "-m", "tests.model.killed_training", str(tmp_path / "cut")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == [".unfinished-00000004", "00000002"]
    again, resumed, _ = run(tmp_path / "cut")
    assert again.resumed_at == 2
    assert_equal(resumed, weights)
    assert content(again.checkpoint) == content(whole.checkpoint)


def test_a_damaged_checkpoint_costs_only_its_own_steps(tmp_path, caplog):
    whole, weights, _ = run(tmp_path / "whole")
    run(tmp_path / "cut", steps=4)
    damaged = tmp_path / "cut" / "00000004" / "optimizer.safetensors"
    os.truncate(damaged, 10)
    again, resumed, _ = run(tmp_path / "cut")
    assert again.resumed_at == 2
    assert "00000004" in caplog.text
    assert_equal(resumed, weights)
    assert content(again.checkpoint) == content(whole.checkpoint)


def test_validation_sees_the_average_and_changes_nothing(tmp_path):
    _, weights, without = run(tmp_path / "a")
    finished, same, callback = run(tmp_path / "b", validate_every=1, keep=9, checkpoint_every=1)
    assert_equal(same, weights)
    assert callback.losses == without.losses
    assert set(callback.validated) == set(range(1, 7))
    for number, seen in callback.validated.items():
        folder = finished.checkpoint.parent / f"{number:08d}"
        assert torch.equal(seen, load_file(folder / "average.safetensors")["network.layers.0.weight"])


def test_accumulated_parts_are_one_batch(tmp_path):
    _, one, shown = run(tmp_path / "one", step=ToyStep(noise=0), log_every=1)
    _, four, same = run(tmp_path / "four", step=ToyStep(noise=0), log_every=1, accumulation=4)
    assert_close(four, one)
    for number, losses in shown.losses.items():
        for name in ("loss/rgb", "loss/depth", "gradient_norm"):
            assert same.losses[number][name] == pytest.approx(losses[name], rel=1e-4)


def test_loader_processes_change_nothing(tmp_path):
    _, weights, _ = run(tmp_path / "none", steps=3)
    _, loaded, _ = run(tmp_path / "one", steps=3, loader_workers=1)
    assert_equal(loaded, weights)


def portrait(folder, **changes):
    step, callback = PortraitStep(), Notes()
    chosen = {"steps": 2, "log_every": 1, "warmup_steps": 0, "learning_rate": 1e-4, "ema_decay": None}
    train(
        step,
        data=PortraitSamples(),
        order=toy_order(),
        settings=toy_settings(**{**chosen, **changes}),
        folder=folder,
        callback=callback,
    )
    return step.state_dict(), callback


def test_checkpointed_gradients_and_bf16_on_real_networks(tmp_path):
    plain, callback = portrait(tmp_path / "plain")
    thrifty, same = portrait(tmp_path / "thrifty", gradient_checkpointing=True)
    assert_equal(thrifty, plain)
    assert same.losses == callback.losses
    half, near = portrait(tmp_path / "half", mixed_precision="bf16")
    assert all(tensor.dtype == torch.float32 for tensor in half.values())
    assert near.losses != callback.losses
    assert near.losses[2]["loss/rgb"] == pytest.approx(callback.losses[2]["loss/rgb"], rel=0.02)


def test_a_sample_that_is_not_finite_stops_the_run_and_is_named(tmp_path):
    callback = Notes()
    with pytest.raises(NotFiniteError) as stop:
        run(tmp_path, data=ToySamples(bad=3), steps=20, checkpoint_every=1, log_every=1, callback=callback)
    order = toy_order()
    position = next(number for number in range(80) if order[number].clip == 3)
    number = position // 4 + 1
    text = str(stop.value)
    assert f"step {number}: loss 'depth' is nan for sample {position} (clip 3), noise level" in text
    assert max(callback.losses, default=0) == number - 1
    # nothing that was kept is touched: every checkpoint is finite
    for path in tmp_path.glob("*/*.safetensors"):
        assert all(tensor.isfinite().all() for tensor in load_file(path).values())


def test_a_gradient_that_is_not_finite_stops_the_run_and_is_named(tmp_path):
    class Steep(ToyStep):
        def forward(self, batch):
            loss = super().forward(batch)
            # finite, but not its slope: 0 / 0
            return replace(loss, total=loss.total + (self.network.layers[2].bias * 0).sum().sqrt())

    with pytest.raises(
        NotFiniteError, match=r"step 1: the gradient is not finite in network\.layers\.2\.bias"
    ):
        run(tmp_path, step=Steep())
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


def test_a_parameter_without_gradient_is_named(tmp_path):
    step = ToyStep()
    step.network.frozen_too = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"no gradient reached network\.frozen_too\.weight"):
        run(tmp_path, step=step)


CHANGES = {
    "learning_rate": {"learning_rate": 2e-2},
    "warmup_steps": {"warmup_steps": 0},
    "betas": {"betas": (0.9, 0.99)},
    "weight_decay": {"weight_decay": 0.0},
    "max_grad_norm": {"max_grad_norm": None},
    "ema_decay": {"ema_decay": None},
    "global_batch": {"global_batch": 8},
    "threads": {"threads": 2},
    "mixed_precision": {"mixed_precision": "bf16"},
    "lr_schedule": {"lr_schedule": "cosine"},
    "sample order": {"seed": 1},
    "root": {"facts": {"root": "other"}},
    "trained parameters": {"step": ToyStep(width=8)},
    "frozen weights": {"step": ToyStep(frozen_seed=7)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_resuming_with_other_settings_names_them(tmp_path, name):
    run(tmp_path, steps=2, facts={"root": "toy"})
    with pytest.raises(ValueError, match=f"{name} was ") as refused:
        run(tmp_path, **{"steps": 2, "facts": {"root": "toy"}, **CHANGES[name]})
    also = {"steps"} if name == "lr_schedule" else set()  # free with a constant rate only
    assert set(re.findall(r"([a-z_]+(?: [a-z]+)?) was ", str(refused.value).split(": ", 1)[1])) == {
        name,
        *also,
    }


def test_settings_that_change_nothing_learnt_may_change(tmp_path):
    run(tmp_path, steps=2)
    free = {
        "log_every": 1,
        "validate_every": 2,
        "keep": 1,
        "checkpoint_every": 1,
        "gradient_checkpointing": True,
    }
    finished, weights, _ = run(tmp_path, steps=4, **free)
    assert finished.resumed_at == 2
    assert_equal(weights, run(tmp_path / "other", steps=4)[1])


def test_another_cut_of_the_batch_goes_on_with_a_word(tmp_path, caplog):
    run(tmp_path, steps=2)
    finished, _, _ = run(tmp_path, steps=4, accumulation=2)
    assert finished.resumed_at == 2
    assert "accumulation was 1, is 2" in caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"warmup_steps": 6}, "warm-up"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"sharding": "gradients", "optimizer": "adamw_8bit"}, "adamw_8bit"),
        ({"sharding": "gradients", "mixed_precision": "fp16"}, "fp16"),
        ({"steps": 0}, "steps"),
        ({"learning_rate": float("nan")}, "learning_rate"),
    ],
)
def test_impossible_settings_are_refused(changes, told):
    with pytest.raises(ValidationError, match=told):
        toy_settings(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"accumulation": 3}, ValueError, "global_batch 4 cannot be cut into 1 processes x 3"),
        ({"sharding": "gradients"}, ValueError, "needs several processes"),
        ({"mixed_precision": "fp16"}, ValueError, "fp16"),
        ({"optimizer": "adamw_8bit"}, ModuleNotFoundError, "pip install bitsandbytes"),
    ],
)
def test_settings_that_do_not_fit_the_machine_stop_before_any_work(
    tmp_path, monkeypatch, changes, error, told
):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)  # as if it were not installed
    with pytest.raises(error, match=told):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_learning_rate():
    settings = TrainerSettings(
        steps=110, global_batch=1, learning_rate=2.0, warmup_steps=10, lr_schedule="cosine"
    )
    rates = [learning_rate(settings, number) for number in range(1, 111)]
    assert rates[:10] == pytest.approx([0.2 * number for number in range(1, 11)])
    assert rates[10] == 2.0
    assert rates[60] == pytest.approx(1.0)
    assert 0 < rates[-1] < 1e-3
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """What two gloo processes made of the portrait networks: a folder of weights and losses."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.model.trained_by_two"]
    started = [
        subprocess.Popen([*command, rank, port, str(folder)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for rank in "01"
    ]
    told = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    return folder


def made(folder, name, rank):
    losses = json.loads((folder / f"{name}-{rank}.json").read_text())
    return load_file(folder / f"{name}-{rank}.safetensors"), losses


@pytest.mark.parametrize("name", ["none", "gradients", "resumed"])
def test_two_processes_learn_what_one_does(tmp_path, by_two, name):
    alone, callback = portrait(tmp_path, ema_decay=0.9, steps=2)
    weights, losses = made(by_two, name, 0)
    assert_close(weights, alone, within=2e-5)
    assert_equal(made(by_two, name, 1)[0], weights)
    assert made(by_two, name, 1)[1] == {}
    for number, shown in losses.items():
        assert shown == pytest.approx(callback.losses[int(number)], rel=1e-4)
    first = set() if name == "resumed" else {"1"}
    assert losses.keys() == {"2"} | first


def test_resumed_with_shared_out_state_is_to_the_bit(by_two):
    assert_equal(made(by_two, "resumed", 0)[0], made(by_two, "gradients", 0)[0])
    whole, resumed = (content(by_two / name / "00000002") for name in ("gradients", "resumed"))
    assert resumed == whole


def test_shared_out_bf16_keeps_float32_weights(tmp_path, by_two):
    _, callback = portrait(tmp_path, ema_decay=0.9, mixed_precision="bf16")
    weights, losses = made(by_two, "bf16", 0)
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())
    assert losses["2"]["loss/rgb"] == pytest.approx(callback.losses[2]["loss/rgb"], rel=0.02)


def test_all_processes_stop_where_one_meets_a_sample_that_is_not_finite(by_two):
    first, second = (json.loads((by_two / f"stopped-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert "(clip 3)" in first["bad"]
    assert "global_batch 3 cannot be cut into 2 processes" in first["odd"]
