from __future__ import annotations

import hashlib
import io
import json
import random
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.samples.manifest import ManifestRow
from tasks.store.rows import manifest_bytes, manifest_schema, merkle_root, read_manifest, row_bytes

FIGURES = st.none() | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.builds(
    ManifestRow,
    clip_id=st.text("0123456789abcdef", min_size=16, max_size=16),
    kind=st.sampled_from(["wild", "studio"]),
    source_name=st.text(),
    subject_id=st.text(),
    split=st.sampled_from(["train", "val", "test"]),
    status=st.sampled_from(["published", "quarantined"]),
    detail=st.none() | st.text(),
    frames=st.none() | st.integers(0, 2**62),
    focal_px=FIGURES,
    focal_observable=st.none() | st.booleans(),
    crop_transform=st.none() | st.tuples(*[st.floats(-1e9, 1e9)] * 9),
    blobs=st.dictionaries(
        st.sampled_from(["crop", "depth", "mask"]), st.text("0123456789abcdef"), max_size=3
    ),
)


def make_row(number: int = 0, **fields: object) -> ManifestRow:
    common = {
        "clip_id": f"{number:016x}",
        "kind": "wild",
        "source_name": f"talk {number}.mp4",
        "subject_id": f"subject {number}",
        "split": "train",
        "status": "published",
        "focal_px": 1100.1 + number,
        "crop_transform": (0.1, 0.0, 1e-7) * 3,
        "blobs": {"depth": "d" * 64, "crop": "c" * 64},
    }
    return ManifestRow.model_validate(common | fields)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROWS, max_size=4, unique_by=lambda row: row.clip_id))
def test_rows_survive_parquet_to_the_bit(rows: list[ManifestRow]) -> None:
    read = read_manifest(manifest_bytes(rows))
    assert read == sorted(rows, key=lambda row: row.clip_id)
    assert merkle_root(read) == merkle_root(rows)


def test_the_root_is_the_merkle_tree_of_the_sorted_rows() -> None:
    rows = [make_row(number) for number in range(5)]

    def leaf(row: ManifestRow) -> bytes:
        kept = {name: value for name, value in json.loads(row.model_dump_json()).items() if value is not None}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(b"\0" + text.encode()).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    a, b, c, d, e = map(leaf, rows)
    assert merkle_root(rows) == node(node(node(a, b), node(c, d)), e).hex()
    assert merkle_root(rows[:1]) == a.hex()
    assert merkle_root([]) == hashlib.sha256(b"").hexdigest()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.randoms())
def test_the_order_of_rows_does_not_matter(count: int, shuffler: random.Random) -> None:
    rows = [make_row(number) for number in range(count)]
    shuffled = shuffler.sample(rows, count)
    assert merkle_root(shuffled) == merkle_root(rows)
    assert manifest_bytes(shuffled) == manifest_bytes(rows)


@pytest.mark.parametrize(
    "change",
    [
        {"focal_px": 1100.1000000000001},
        {"split": "val"},
        {"blobs": {"depth": "d" * 64}},
        {"source_name": "talk 0.mp4 "},
        {"has_audio": True},
        {"frames": 0},
    ],
)
def test_every_change_of_a_row_changes_the_root(change: dict[str, object]) -> None:
    assert merkle_root([make_row(**change)]) != merkle_root([make_row()])


def test_a_clip_has_one_row() -> None:
    with pytest.raises(ValueError, match="two rows"):
        merkle_root([make_row(1), make_row(2), make_row(1, frames=3)])


def test_fields_that_are_none_are_not_hashed() -> None:
    assert b"null" not in row_bytes(make_row())


@pytest.mark.parametrize(
    "name", ["a\0b", "\n", "-rf *.mp4", "%d.mp4", "<script>", "\u202egnp.mp4", "\U0001f600"]
)
def test_hostile_names_are_data(name: str) -> None:
    row = make_row(source_name=name)
    assert read_manifest(manifest_bytes([row])) == [row]


def test_a_name_that_is_no_utf8_is_escaped() -> None:
    row = make_row(source_name="caf\udce9.mp4")
    (read,) = read_manifest(manifest_bytes([row]))
    assert read.source_name == "caf\\udce9.mp4"
    assert merkle_root([read]) == merkle_root([row])


def test_every_field_is_a_column() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(manifest_bytes([make_row()])))
    assert table.schema.names == list(ManifestRow.model_fields)
    assert table.schema.equals(manifest_schema())


def test_an_empty_version_has_the_same_columns() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(manifest_bytes([])))
    assert table.schema.equals(manifest_schema())
    assert read_manifest(manifest_bytes([])) == []


def test_hugging_face_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="Hugging Face's reader is not installed")
    path = tmp_path / "manifest.parquet"
    path.write_bytes(manifest_bytes([make_row(number) for number in range(3)]))
    rows = datasets.load_dataset("parquet", data_files=str(path), cache_dir=str(tmp_path / "cache"))["train"]
    assert rows["focal_px"][:] == [1100.1, 1101.1, 1102.1]
    assert rows[0]["crop_transform"] == [0.1, 0.0, 1e-7] * 3
    assert {"role": "depth", "sha256": "d" * 64} in rows[0]["blobs"]
