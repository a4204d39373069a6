"""What is geometry: camera, meshes, face models, fitting and rasterizers (pure)."""
