"""Isaac Lab's habit: `python scripts/annotate.py ...` is `apprentice annotate ...`."""

import sys

from apprentice.cli import main

main(["annotate", *sys.argv[1:]])
