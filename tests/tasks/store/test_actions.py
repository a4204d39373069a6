from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.reasons import Reason
from tasks.store.actions import Action, find_action, read_action, record_action
from tasks.store.blobs import Store


def make_action(store: Store, *, focal_px: float = 1100.0, **fields: object) -> Action:
    crop = store.put_bytes(b"crop")
    common = {
        "stage": "crop",
        "recipe": "0" * 64,
        "inputs": {"video": "1" * 64},
        "given": {"focal_px": focal_px},
        "outputs": {"crop": crop},
        "values": {"frames": 75, "crop_transform": [0.1, 0.0, -3.5]},
        "wall_s": 1.25,
    }
    return Action.model_validate(common | fields)


def test_a_recorded_action_is_found_as_it_was(store: Store) -> None:
    action = make_action(store)
    assert find_action(store, action.key) is None
    key = record_action(store, action)
    assert key == action.key
    assert find_action(store, key) == action


def test_a_rejection_is_an_outcome(store: Store) -> None:
    action = make_action(store, outputs={}, values={}, reason=Reason.NO_FACE, detail="no face in 100 frames")
    found = find_action(store, record_action(store, action))
    assert found is not None
    assert (found.reason, found.detail) == (Reason.NO_FACE, "no face in 100 frames")


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.CRASHED])
def test_what_may_be_the_machines_fault_is_believed_at_the_second_attempt(
    store: Store, reason: Reason
) -> None:
    with pytest.raises(ValueError, match="try again"):
        record_action(store, make_action(store, outputs={}, reason=reason))
    twice = make_action(store, outputs={}, reason=reason, attempts=2)
    assert find_action(store, record_action(store, twice)) == twice


def test_no_path_time_or_fact_is_in_the_key(store: Store) -> None:
    assert make_action(store).key == make_action(store, wall_s=99.0, cpu_s=1.0, attempts=2).key
    assert make_action(store).key != make_action(store, focal_px=1100.5).key
    assert make_action(store).key != make_action(store, inputs={"video": "2" * 64}).key
    assert make_action(store).key != make_action(store, inputs={"crop": "1" * 64}).key


def test_a_missing_or_short_blob_makes_it_unfinished(store: Store) -> None:
    action = make_action(store)
    key = record_action(store, action)
    path = store.blob_path(action.outputs["crop"].sha256)
    path.chmod(0o644)
    path.write_bytes(b"cro")
    assert find_action(store, key) is None
    path.unlink()
    assert find_action(store, key) is None
    assert read_action(store, key) == action


def test_every_damage_to_a_record_makes_it_unfinished(store: Store) -> None:
    key = record_action(store, make_action(store))
    path = store.root / "actions" / f"{key}.json"
    text = path.read_bytes()
    damaged = [text[:length] for length in range(0, len(text) - 1, 5)]
    damaged += [
        text[:place] + bytes([text[place] ^ 4]) + text[place + 1 :] for place in range(0, len(text) - 1, 3)
    ]
    for version in damaged:
        path.write_bytes(version)
        assert find_action(store, key) is None
    path.write_bytes(text)
    assert find_action(store, key) is not None


def test_a_record_under_anothers_name_is_not_believed(store: Store) -> None:
    mine, other = make_action(store), make_action(store, focal_px=900.0)
    record_action(store, mine)
    shutil.copyfile(store.root / "actions" / f"{mine.key}.json", store.root / "actions" / f"{other.key}.json")
    assert find_action(store, other.key) is None


def test_a_forged_record_without_its_checksum_is_not_believed(store: Store) -> None:
    key = record_action(store, make_action(store))
    path = store.root / "actions" / f"{key}.json"
    forged = json.loads(path.read_bytes())
    forged["values"] = {"frames": 1}
    path.write_text(json.dumps(forged))
    assert find_action(store, key) is None


def test_builders_at_once_do_no_harm(store: Store) -> None:
    def work(attempt: int) -> bool:
        action = make_action(store, wall_s=float(attempt))
        return find_action(store, record_action(store, action)) is not None

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(64)))
    assert list((store.root / "tmp").iterdir()) == []
