"""One of two gloo processes: `python -m tests.model.trained_by_two RANK PORT FOLDER`, results in FOLDER."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

rank, port, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
os.environ.update(
    RANK=rank,
    LOCAL_RANK=rank,
    WORLD_SIZE="2",
    LOCAL_WORLD_SIZE="2",
    MASTER_ADDR="127.0.0.1",
    MASTER_PORT=port,
    ACCELERATE_USE_CPU="true",
)

import torch  # noqa: E402  # accelerate reads the environment
from safetensors.torch import save_file  # noqa: E402

from model.training.loss_log import NotFiniteError  # noqa: E402
from model.training.trainer import train  # noqa: E402
from tests.model.toy_training import (  # noqa: E402
    Notes,
    PortraitSamples,
    PortraitStep,
    ToySamples,
    ToyStep,
    toy_order,
    toy_settings,
)


def keep(name: str, **chosen) -> None:
    """Train the portrait networks; what all end with, and what the first was shown."""
    step, callback = PortraitStep(), Notes()
    changes = {"steps": 2, "log_every": 1, "warmup_steps": 0, "learning_rate": 1e-4}
    settings = toy_settings(**{**changes, **chosen})
    run = {"data": PortraitSamples(), "order": toy_order(), "settings": settings, "folder": folder / name}
    train(step, callback=callback, **run)
    save_file(step.state_dict(), folder / f"{name}-{rank}.safetensors")
    (folder / f"{name}-{rank}.json").write_text(json.dumps(callback.losses))


keep("none")
keep("gradients", sharding="gradients", accumulation=2, validate_every=1)
keep("bf16", sharding="gradients", mixed_precision="bf16", gradient_checkpointing=True)
# interrupted and resumed
keep("resumed", sharding="gradients", accumulation=2, steps=1)
keep("resumed", sharding="gradients", accumulation=2, steps=2)

stopped = {}
try:
    # clip 3 meets one process alone, but all must stop
    run = {"data": ToySamples(bad=3), "order": toy_order(), "settings": toy_settings(steps=20)}
    train(ToyStep(), folder=folder / "bad", callback=Notes(), **run)
except NotFiniteError as error:
    stopped["bad"] = str(error)
try:
    odd = toy_settings(global_batch=3)
    run = {"data": ToySamples(), "order": toy_order(), "settings": odd}
    train(ToyStep(), folder=folder / "odd", callback=Notes(), **run)
except ValueError as error:
    stopped["odd"] = str(error)
(folder / f"stopped-{rank}.json").write_text(json.dumps(stopped))
torch.distributed.destroy_process_group()
