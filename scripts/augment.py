"""Isaac Lab's habit: `python scripts/augment.py ...` is `apprentice augment ...`."""

import sys

from apprentice.cli import main

main(["augment", *sys.argv[1:]])
