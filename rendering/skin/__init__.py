"""The visible facial skin: which triangles and pixels it covers, and its depth map."""
