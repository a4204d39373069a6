from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.store.blobs import Store
from tasks.store.splits import SplitSettings, assign_splits, previous_splits
from tasks.store.versions import entry_path, read_version
from tests.small_build import build

SETTINGS = SplitSettings(val_share=0.1, test_share=0.2)
SUBJECTS = [f"subject {number}" for number in range(5000)]


def test_shares_are_as_asked() -> None:
    counts = Counter(assign_splits(SUBJECTS, previous={}, settings=SETTINGS).values())
    assert counts["val"] == pytest.approx(500, abs=75)
    assert counts["test"] == pytest.approx(1000, abs=100)


@settings(max_examples=30)
@given(st.lists(st.text(), max_size=8), st.lists(st.text(), max_size=8))
def test_a_subject_never_moves(first: list[str], later: list[str]) -> None:
    before = assign_splits(first, previous={}, settings=SETTINGS)
    other = SplitSettings(val_share=0.5, test_share=0.5, salt="another")
    after = assign_splits(later, previous=before, settings=other)
    assert set(after) == {*first, *later}
    assert all(after[subject] == before[subject] for subject in first)


@settings(max_examples=30)
@given(st.permutations(SUBJECTS[:50]))
def test_neither_order_nor_company_matters(subjects: list[str]) -> None:
    alone = {
        subject: assign_splits([subject], previous={}, settings=SETTINGS)[subject] for subject in subjects
    }
    assert assign_splits(subjects, previous={}, settings=SETTINGS) == alone


def test_the_draw_is_fixed_for_good() -> None:
    drawn = assign_splits(SUBJECTS[:12], previous={}, settings=SplitSettings(val_share=0.3, test_share=0.3))
    assert "".join(split[1] for split in drawn.values()) == "araraareerrr"


def test_extreme_shares() -> None:
    for split, shares in [("train", (0, 0)), ("val", (1, 0)), ("test", (0, 1))]:
        settings = SplitSettings(val_share=shares[0], test_share=shares[1])
        assert set(assign_splits(SUBJECTS, previous={}, settings=settings).values()) == {split}
    with pytest.raises(ValueError, match="more than 1"):
        SplitSettings(val_share=0.6, test_share=0.6)


def test_subjects_of_all_earlier_versions_are_remembered(store: Store) -> None:
    assert previous_splits(store, "small") == {}
    build(store)
    build(store, clips={"d" * 16: "dora"})
    assert set(previous_splits(store, "small")) == {"anna", "bert", "carl", "dora"}


def test_a_damaged_lock_file_forgets_no_subject(store: Store) -> None:
    build(store)
    build(store, clips={"d" * 16: "dora"})
    kept = previous_splits(store, "small")
    (read_version(store, "small").folder / "dataset.lock.json").write_text("{}")
    assert previous_splits(store, "small") == kept


def test_a_damaged_list_of_versions_is_an_error(store: Store) -> None:
    build(store)
    entry_path(store, "small", number=1).write_text("{}")
    with pytest.raises(Exception, match=r"000001\.json is damaged"):
        previous_splits(store, "small")
