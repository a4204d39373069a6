"""Stopping a writer before any of its file operations, as kill -9 would."""

from __future__ import annotations

import os
from contextlib import contextmanager
from unittest.mock import patch

STEPS = ("rename", "mkdir", "unlink", "rmdir", "open")


class Stopped(BaseException):
    """Not an Exception: nothing may catch it and clean up."""


@contextmanager
def stopping_at(point, module):
    """Raise at the n-th operation; a file of tensors counts twice, not begun and half written."""
    calls = 0

    def count():
        nonlocal calls
        calls += 1
        if calls >= point:
            raise Stopped

    def counted(function):
        def called(*args, **options):
            count()
            return function(*args, **options)

        return called

    saved = module.save_file

    def save(tensors, path):
        count()
        saved(tensors, path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        count()
        path.write_bytes(whole)

    patches = [patch.object(os, name, counted(getattr(os, name))) for name in STEPS]
    # a killed process loses no writes: real syncing would only cost time
    patches.append(patch.object(os, "fsync", lambda _: count()))
    patches.append(patch.object(module, "save_file", save))
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
