"""Diffusers pipelines that sample RGBD portraits and talking video from saved networks."""
