"""Diffusers pipelines that sample pictures and talking video from saved networks."""
