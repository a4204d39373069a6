"""What is learnt: networks, samples, training, pipelines and metrics (pure)."""
