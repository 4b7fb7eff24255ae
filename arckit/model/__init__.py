"""The Tiny Recursive Model, its rows and its losses: torch, no processes, and no files but a release."""
