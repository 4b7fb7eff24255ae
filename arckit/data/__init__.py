"""Grids, tasks, collections and views of tasks: numpy only."""
