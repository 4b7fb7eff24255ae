"""A submission out of weights, before the deadline."""
