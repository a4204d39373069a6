from __future__ import annotations

import hashlib
import importlib.metadata
from pathlib import Path

import pytest

import tasks.stage
from tasks.store.fingerprints import fingerprints, module_digests


def test_distributions_and_ffmpeg_have_versions() -> None:
    found = fingerprints(("numpy", "ffmpeg"))
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert len(found["ffmpeg"]) > 3
    assert list(found) == ["ffmpeg", "numpy"]


def test_a_tool_that_is_not_installed_is_named() -> None:
    with pytest.raises(importlib.metadata.PackageNotFoundError, match="no-such-tool"):
        fingerprints(("no-such-tool",))


def test_modules_are_digested_byte_for_byte() -> None:
    text = Path(tasks.stage.__file__).read_bytes()
    assert module_digests(("tasks.stage",)) == {"tasks.stage": hashlib.sha256(text).hexdigest()}


def test_a_package_is_refused_because_its_modules_would_be_missed() -> None:
    with pytest.raises(ValueError, match=r"tasks\.store is a package"):
        module_digests(("tasks.store",))


def test_a_module_that_does_not_exist_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"tasks\.gone"):
        module_digests(("tasks.gone",))
