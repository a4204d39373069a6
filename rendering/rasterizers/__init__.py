"""Rasterizers: one function in front of every backend."""
