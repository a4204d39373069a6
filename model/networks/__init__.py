"""The networks: stock diffusers and transformers classes, extended by functions network -> network."""
