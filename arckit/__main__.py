"""`python -m arckit` is the `arckit` command."""

from arckit.cli import main

main()
