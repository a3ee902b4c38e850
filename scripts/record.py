"""Isaac Lab's habit: `python scripts/record.py ...` is `apprentice record ...`."""

import sys

from apprentice.cli import main

main(["record", *sys.argv[1:]])
