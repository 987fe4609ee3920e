"""`python -m octomil_conformance`. It imports nothing from the current folder."""

import os
import sys

here = ("", os.getcwd())
sys.path[:] = [entry for entry in sys.path if entry not in here]

from octomil_conformance.cli import main

raise SystemExit(main())
