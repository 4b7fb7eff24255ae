"""Weights out of examples: optimisers, the loop, checkpoints, and the same loop at test time."""
