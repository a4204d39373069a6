"""Light on surfaces: diffuse shading by spherical harmonics."""
