"""The visible facial skin: the triangles and pixels that it covers, and its depth map."""
