"""Verbs: side effects on disk, decoders and detectors around calls of the pure core."""
