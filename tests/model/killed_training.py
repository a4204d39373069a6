"""A run that is killed while it writes its second checkpoint."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from model.training import checkpoint
from model.training.trainer import train
from tests.model.toy_training import Notes, ToySamples, ToyStep, toy_order, toy_settings

saved = checkpoint.save_file


def save_until_killed(tensors, path):
    saved(tensors, path)
    if "00000004" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)


checkpoint.save_file = save_until_killed
train(
    ToyStep(),
    data=ToySamples(),
    order=toy_order(),
    settings=toy_settings(),
    folder=Path(sys.argv[1]),
    callback=Notes(),
)
