"""The DAG is sound, is what the stages do, and is what the flow and the documentation show."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatch

import pytest

from flows.build_dataset import build_dataset
from tasks import dag
from tasks.chain import Chain, Node
from tasks.dataset.settings import StageSettings
from tasks.report.dag_page import CHAINS, DOCS, DRAWING, TABLE, drawing, insert, table
from tasks.stage import load_stage
from tasks.store.actions import read_action
from tasks.store.versions import read_provenance, read_version
from tests.conftest import RealBuild

NODES = [node for chain in CHAINS for node in chain]


@pytest.mark.parametrize("node", [*NODES, dag.BUILTIN_FACE_MODEL], ids=lambda node: node.dotted)
def test_a_node_names_a_stage_of_its_own_name(node: Node) -> None:
    assert load_stage(node.dotted).name == node.name


def test_every_stage_of_a_build_has_settings_of_its_own_type() -> None:
    settings = StageSettings().by_name()
    assert list(settings) == [node.name for node in dag.data_stages() if node.name in settings]
    for node in dag.data_stages():
        assert type(settings[node.name]) is load_stage(node.dotted).settings_type


def test_a_chain_whose_input_nothing_gives_is_an_error() -> None:
    nodes = [node for node in dag.WILD if node.name != "crop"]
    with pytest.raises(
        ValueError, match=r"chain wild: stage fit takes 'crop', which no source, model or earlier"
    ):
        Chain("wild", given=dag.WILD.given, nodes=tuple(nodes))


def test_a_role_that_the_table_lacks_is_an_error() -> None:
    typo = replace(dag.WILD.nodes[0], gives=("vidoe",))
    with pytest.raises(ValueError, match=r"role 'vidoe' is not in tasks/roles\.py"):
        Chain("wild", given=dag.WILD.given, nodes=(typo,))


@pytest.mark.parametrize("chain", [dag.WILD, dag.STUDIO], ids=lambda chain: chain.kind)
def test_a_reader_of_the_flow_sees_the_chain(chain: Chain) -> None:
    text = re.sub(r"\s+", " ", build_dataset.fn.__doc__ or "")
    assert f"{chain.kind}: {' -> '.join(['scan', *chain.names, 'publish'])} " in text + " "


def test_the_stages_read_and_wrote_what_the_dag_says(real_build: RealBuild) -> None:
    store = real_build.store
    version = read_version(store, real_build.settings.name)
    kinds = {row.clip_id: row.kind for row in version.rows}
    chains = {chain.kind: {node.name: node for node in chain} for chain in (dag.WILD, dag.STUDIO)}
    ran = set()
    for clip_id, steps in read_provenance(store, version.lock).actions.items():
        for name, key in steps:
            node, action = chains[kinds[clip_id]][name], read_action(store, key)
            assert action is not None
            inputs = {role.rsplit("/", 1)[0] if node.per_video else role for role in action.inputs}
            declared = (*node.takes, *node.may_take)
            assert all(any(fnmatch(role, one) for one in declared) for role in inputs), name
            assert set(action.outputs) <= set(node.gives), name
            ran.add((kinds[clip_id], name))
    assert ran >= {(kind, name) for kind, nodes in chains.items() for name in nodes if name != "pack"}


def test_the_documentation_shows_the_dag() -> None:
    page = (DOCS / "stages.md").read_text()
    assert insert(page, TABLE, table()) == page, "run python -m tasks.report.dag_page"
    assert DRAWING.read_text() == drawing(), "run python -m tasks.report.dag_page"
    assert all(f">{node.name}</text>" in drawing() for node in NODES)


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        insert("# A page", TABLE, table())
