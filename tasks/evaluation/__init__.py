"""Evaluation of a trained model on a dataset version: depth and samples, as JSON, CSV and one page."""
