"""Rasterizers: rasterize.py is the one function in front of the backends."""
