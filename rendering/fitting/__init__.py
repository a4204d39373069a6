"""Fitting a face model to a clip: whole-clip robust Gauss-Newton on landmarks, then on image brightness."""
