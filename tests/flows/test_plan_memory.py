"""plan-memory: no weights, no GPU; one table a stage on standard error, the same figures as its result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import model.training.stage_memory
from flows.plan_memory import PlanMemorySettings, plan_memory
from model.networks.build_networks import UNetSize
from model.training.memory_plan import CUDA_GB
from model.training.profiles import small
from model.training.stage_memory import Activations


@pytest.fixture
def profile(tmp_path: Path) -> str:
    """Small networks, smaller still."""
    size = UNetSize(widths=(32, 64), attention_levels=(1,), head_width=32, prompt_width=16, side=8)
    path = tmp_path / "tiny.json"
    path.write_text(small().model_copy(update={"networks": size}).model_dump_json())
    return str(path)


def test_table_adds_up_and_is_the_result(profile: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = plan_memory.fn(PlanMemorySettings(profile=profile, stage="joint", gpus=2, sizes_gb=(1, 24)))
    assert told.exit_code == 0
    (plan,) = json.loads(told.model_dump_json())["stages"].values()
    out, err = capsys.readouterr()
    table = [line for line in err.splitlines() if "AdamW" in line]
    assert (out, len(table)) == ("", len(plan["rows"]))
    for line, row in zip(table, plan["rows"], strict=True):
        *figures, none, all_of_them = line.split()[-7:]
        weights, gradients, optimizer, fixed, sample = map(float, figures)
        assert fixed == pytest.approx(weights + gradients + optimizer + CUDA_GB, abs=1e-9)
        assert [weights, sample] == [row["weights_gb"], row["sample_gb"]]
        # CUDA alone takes the first GPU; the second holds its half of 16 samples
        assert (none, all_of_them, row["samples"]) == ("no", "8", {"1": 0, "24": 8})
    assert "1 GB: nothing fits" in err
    assert plan["chosen"]["1"] is None
    assert plan["chosen"]["24"] == {
        "mixed_precision": "bf16",
        "gradient_checkpointing": "false",
        "accumulation": "1",
    }


@pytest.fixture
def counted_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Activations of the paper's joint stage take seconds to count."""
    sample = Activations(step=0, sample=2_500_000_000)
    monkeypatch.setattr(model.training.stage_memory, "_activations", lambda *_, **__: sample)


def test_paper_has_stable_diffusions_parameters(
    counted_before: None, capsys: pytest.CaptureFixture[str]
) -> None:
    told = plan_memory.fn(PlanMemorySettings(stage="joint"))
    plan = told.stages["joint"]
    # 859,520,964 of the public UNet, and four more channels in and out
    assert plan.networks == {"denoiser": 859_544_008, "reference_net": 859_520_964}
    assert plan.trained < 1_719_064_972
    err = capsys.readouterr().err
    assert "denoiser 859,544,008" in err
    full = next(row for row in plan.rows if row.recipe == "bf16, AdamW")
    # 18 bytes of a trained parameter are more than 24 GB: that recipe does not fit, and says so
    assert full.fixed_gb > 18e-9 * plan.trained > 24
    assert full.samples[24] == 0 < full.samples[48]


def test_a_batch_of_one_stays_on_one_of_four_gpus(counted_before: None, profile: str) -> None:
    stages = plan_memory.fn(PlanMemorySettings(profile=profile, gpus=4)).stages
    assert {stage: (plan.gpus, plan.global_batch) for stage, plan in stages.items()} == {
        "joint": (4, 16),
        "inpaint": (4, 16),
        "motion": (1, 1),
    }
    assert "bf16, AdamW shared out" in {row.recipe for row in stages["joint"].rows}
    assert "bf16, AdamW shared out" not in {row.recipe for row in stages["motion"].rows}
