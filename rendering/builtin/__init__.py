"""The builtin head: a human head written down as anatomical measures, without any scanned data."""
