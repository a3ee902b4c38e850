"""Isaac Lab's habit: `python scripts/train.py ...` is `apprentice train ...`."""

import sys

from apprentice.cli import main

main(["train", *sys.argv[1:]])
