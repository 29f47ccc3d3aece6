"""Weights, average and moments shared out over processes."""
