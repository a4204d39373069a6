"""The builtin head: a human head written down as anatomy, without any scanned data."""
