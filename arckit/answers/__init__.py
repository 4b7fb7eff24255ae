"""From candidate grids to votes, attempts, a submission and its score: numpy and json only, no torch."""
