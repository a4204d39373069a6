"""Applications of a trained model: what they share is the loader of saved pipelines."""
