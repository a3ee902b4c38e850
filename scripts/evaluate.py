"""Isaac Lab's habit: `python scripts/evaluate.py ...` is `apprentice evaluate ...`."""

import sys

from apprentice.cli import main

main(["evaluate", *sys.argv[1:]])
