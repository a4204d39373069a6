"""Training: one step module a stage, one trainer for all of them, checkpoints, and memory planning."""
