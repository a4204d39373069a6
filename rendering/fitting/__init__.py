"""Fitting a face model to a clip: robust Gauss-Newton over all frames, on landmarks and then brightness."""
