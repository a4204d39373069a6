"""Light on surfaces: diffuse shading with spherical harmonics."""
