"""The plan's arithmetic: bytes of a parameter, samples that fit, what is chosen and what is told."""

from __future__ import annotations

import pytest

from model.training.memory_plan import CUDA_GB, GB, MemoryPlan, PlanRow, lines, plan_rows, recommended
from model.training.stage_memory import Activations, StageMemory

BILLION = StageMemory(
    networks={"denoiser": 10**9},
    trained=10**9,
    activations={
        (False, False): Activations(step=0, sample=4 * GB),
        (False, True): Activations(step=0, sample=GB),
        (True, False): Activations(step=2 * GB, sample=2 * GB),
        (True, True): Activations(step=0, sample=GB // 2),
    },
)
Rows = dict[tuple[str, bool], PlanRow]


def rows(size_gb: int = 24, *, gpus: int = 1, average: bool = False) -> Rows:
    found = plan_rows(BILLION, gpus=gpus, sizes_gb=(size_gb,), global_batch=8, average=average)
    return {(row.recipe, row.recomputes): row for row in found}


def test_bytes_of_a_trained_parameter() -> None:
    found = rows()
    # weights 4, gradients 4, AdamW 8; autocast's copies 2; 8 bits are 2; CUDA takes one GB
    assert found["fp32, AdamW", False].fixed_gb == 17
    assert found["bf16, AdamW", True].fixed_gb == 19
    assert found["bf16, 8-bit AdamW", True].fixed_gb == 13
    assert ("bf16, AdamW shared out", True) not in found
    assert rows(average=True)["fp32, AdamW", False].optimizer_gb == 12


def test_bytes_of_a_trained_parameter_on_four_gpus() -> None:
    # DistributedDataParallel sums in buffers as large as the gradients
    assert rows(gpus=4)["fp32, AdamW", False].gradients_gb == 8
    # 16 over four, gathered weights 2 and their gradients 2
    assert rows(gpus=4)["bf16, AdamW shared out", True].fixed_gb == 9
    assert rows(gpus=4, average=True)["bf16, AdamW shared out", True].fixed_gb == 10


def test_what_is_said_to_fit_does_and_a_larger_even_cut_would_not() -> None:
    """Moore-AnimateAnyone #49, #113: what was said to be enough memory was not."""
    for size_gb in (8, 17, 20, 24, 80):
        for row in rows(size_gb).values():
            assert row.fixed_gb == row.weights_gb + row.gradients_gb + row.optimizer_gb + CUDA_GB
            cut = row.samples[size_gb]
            assert cut in (0, 1, 2, 4, 8)
            assert cut == 0 or row.fixed_gb + cut * row.sample_gb <= size_gb
            assert cut == 8 or row.fixed_gb + max(2 * cut, 1) * row.sample_gb > size_gb * (1 - 1e-9)


def test_first_choice_is_the_fastest_that_fits() -> None:
    def best(size_gb: int, gpus: int = 1) -> tuple[str, bool] | None:
        row = recommended(list(rows(size_gb, gpus=gpus).values()), size_gb)
        return row and (row.recipe, row.recomputes)

    assert best(80) == ("bf16, AdamW", False)
    assert best(20) == ("bf16, 8-bit AdamW", False)
    assert best(14) == ("bf16, 8-bit AdamW", True)
    assert best(14, gpus=4) == ("bf16, AdamW shared out", False)
    assert best(8) is None


@pytest.mark.parametrize(
    ("size_gb", "told"), [(8, "8 GB: nothing fits"), (24, "24 GB: mixed_precision=bf16")]
)
def test_table_says_what_fits(size_gb: int, told: str) -> None:
    found = tuple(rows(size_gb).values())
    chosen = {size_gb: None if size_gb == 8 else {"mixed_precision": "bf16"}}
    plan = MemoryPlan(
        networks=BILLION.networks, trained=BILLION.trained, global_batch=8, gpus=1, rows=found, chosen=chosen
    )
    table = list(lines("joint", plan))
    assert table[0] == "joint: denoiser 1,000,000,000 parameters, of which 1,000,000,000 train"
    assert table[-1].strip() == told
    assert all(
        line.endswith(" no") == (row.samples[size_gb] == 0)
        for line, row in zip(table[3:], found, strict=False)
    )
