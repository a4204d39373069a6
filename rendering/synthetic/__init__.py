"""Synthetic people in front of a camera: motion, voice, pictures, and the ground truth of their depth."""
