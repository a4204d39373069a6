"""Training: the stages as records, one trainer for all of them, checkpoints, and memory planning."""
