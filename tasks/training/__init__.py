"""Training on a dataset version, stage by stage, in one folder."""
