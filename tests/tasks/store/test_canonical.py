from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.store.canonical import canonical_json, digest_of, seal, unseal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50)
@given(VALUES)
def test_it_is_ascii_and_reads_back_to_the_same_value(value: object) -> None:
    text = canonical_json(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=6), VALUES, min_size=2), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, object], shuffler: random.Random) -> None:
    items = list(value.items())
    shuffler.shuffle(items)
    assert canonical_json(dict(items)) == canonical_json(value)


@settings(max_examples=50)
@given(VALUES, VALUES)
def test_different_values_have_different_digests(one: object, other: object) -> None:
    # repr tells 1 from 1.0 and True, and 0.0 from -0.0, as the canonical form does
    ordered = [repr(json.loads(json.dumps(value, sort_keys=True))) for value in (one, other)]
    assert (digest_of(one) == digest_of(other)) == (ordered[0] == ordered[1])


def test_the_text_is_fixed_for_good() -> None:
    value = {"b": [1, 1.0, -0.0, 1e-7, 0.1, 2**70], "a": {"ü": "\udcff\n", "": None}, "c": True}
    assert canonical_json(value) == (
        b'{"a":{"":null,"\\u00fc":"\\udcff\\n"},"b":[1,1.0,-0.0,1e-07,0.1,1180591620717411303424],"c":true}'
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, {1: "a"}, b"bytes", {"x": {"set"}}, [object()]])
def test_what_has_no_single_text_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="value"):
        canonical_json({"value": bad})


def test_every_flipped_bit_of_a_sealed_record_shows() -> None:
    record = {"key": "k", "figure": 1.25}
    text = seal(record)
    assert unseal(text) == record
    for position in range(8 * (len(text) - 1)):
        flipped = bytearray(text)
        flipped[position // 8] ^= 1 << position % 8
        assert unseal(bytes(flipped)) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"7", b'{"a":1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_record_is_none(text: bytes) -> None:
    assert unseal(text) is None


@given(st.integers(0, 200))
def test_a_torn_record_is_none(length: int) -> None:
    text = seal({"key": "k", "figure": 1.25})
    if length < len(text) - 1:
        assert unseal(text[:length]) is None
