"""The networks, made from stock diffusers and transformers classes by pure surgery."""
