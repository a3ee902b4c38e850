"""`python -m apprentice` is the `apprentice` command."""

from apprentice.cli import main

main()
