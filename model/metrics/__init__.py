"""Metrics of depth and of samples, as plain functions on arrays, and depth estimators."""
