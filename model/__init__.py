"""What is learnt: networks, samples, training, pipelines and metrics.

Arrays go in and arrays come out. Two modules know files: model.training.checkpoint writes checkpoints,
because the trainer alone knows when its state is complete, and model.networks.pretrained reads weights.
"""
