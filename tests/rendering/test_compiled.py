import os
import subprocess
import sys
from pathlib import Path

SOURCE = """
from rendering.compiled import compiled

@compiled
def double(x):
    return 2 * x
"""


def run(folder: Path, **environment: str) -> str:
    """Import the module from a folder where no cache can be kept beside it; prints double(21)."""
    (folder / "doubling.py").write_text(SOURCE)
    (folder / "__pycache__").write_text("in the way, as on a read-only disk")
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import doubling; print(doubling.double(21))"
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "NUMBA_CACHE_DIR")}
    kept.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout or done.stderr


def test_the_users_cache_is_used_where_the_install_is_read_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "install").mkdir()
    assert run(tmp_path / "install", HOME=str(home)) == "42\n"
    assert list(home.rglob("*.nbi"))


def test_it_compiles_where_nothing_can_be_written(tmp_path: Path) -> None:
    assert run(tmp_path, HOME="/dev/null") == "42\n"
