"""What is published, listed, shown and read by training follows from the table of roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import dag, roles
from tasks.roles import BY_NAME, PUBLISHED, ROLES, read_for
from tasks.store.show_clip import show_clip
from tests.conftest import RealBuild


def test_names_and_files_are_unique() -> None:
    assert len(BY_NAME) == len(ROLES)
    shown = [role.shown_as for role in ROLES if role.shown_as]
    assert len(set(shown)) == len(shown)


def test_what_training_reads_and_what_is_shown_is_published() -> None:
    assert all(role.published for role in ROLES if role.read_for or role.shown_as)
    assert read_for("pictures") == ("crop", "depth", "mask")
    assert dag.ENCODING.nodes[0].takes == read_for("pictures")


def test_every_role_is_used_by_the_dag() -> None:
    chains = (dag.WILD, dag.STUDIO, dag.ENCODING)
    used = {role for chain in chains for node in chain for role in (*node.takes, *node.may_take, *node.gives)}
    assert used == set(BY_NAME)


def test_a_version_holds_the_published_roles_and_no_other(real_build: RealBuild) -> None:
    held = {role for row in real_build.rows.values() for role in row.blobs}
    assert held == set(PUBLISHED)


def test_show_clip_writes_the_file_of_every_role(real_build: RealBuild, tmp_path: Path) -> None:
    for row in real_build.rows.values():
        if row.status == "published":
            out = tmp_path / row.clip_id
            files = show_clip(real_build.store, real_build.settings.name, row.clip_id, out)
            assert set(files) == {BY_NAME[role].shown_as for role in row.blobs} | {"clip.json"}


def test_check_roles_names_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"role 'depht' is not in tasks/roles\.py; it has \['audio'"):
        roles.check_roles(["depth", "depht"])
