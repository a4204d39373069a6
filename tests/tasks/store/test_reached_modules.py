from __future__ import annotations

import pytest

from tasks.dag import data_stages
from tasks.store.reached_modules import reached_modules


def test_imports_of_imports_and_inside_functions_are_found():
    reached = reached_modules("tasks.stages.render_depth")
    assert {"tasks.stages.render_depth", "tasks.media.ffmpeg_tool", "rendering.camera"} <= set(reached)
    assert "rendering.rasterizers.numba_backend" in reached  # imported inside rasterize()


@pytest.mark.parametrize("module", [node.dotted for node in data_stages()])
def test_every_stage_reaches_itself_and_nothing_that_decides_where_or_when_it_runs(module):
    reached = reached_modules(module)
    assert module in reached
    assert not [name for name in reached if name.startswith(("tasks.engine", "tasks.dataset.", "flows"))]


def test_modules_of_others_are_not_ours():
    assert reached_modules("numpy.linalg") == []
