"""Synthetic people before a camera: what they do, how they look, and the ground truth."""
