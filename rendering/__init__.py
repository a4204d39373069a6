"""Geometry: camera, meshes, face models, their fit to a clip, and rasterizers.

Functions take arrays and return arrays; random numbers come from a seed that the caller passes. Nothing here
opens a file, reads the clock or writes a log. Two things outlive a call: numba keeps compiled machine code on
disk (compiled.py), and the builtin head is kept in memory once it has been generated (builtin/head.py).
"""
