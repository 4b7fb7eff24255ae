"""A small set of original ARC-like tasks in Kaggle's layout: `make.py` draws them, the JSON is committed."""
