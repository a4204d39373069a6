"""Seeds from words: the same text is the same seed, on every machine and in every release."""

from __future__ import annotations

import hashlib


def seed_of(text: str) -> int:
    """0 .. 2^63 - 1, which torch and numpy both take."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
