"""`python -m octomil_conformance`. The folder it is called in has no say in what gets imported."""

import os
import sys

here = ("", os.getcwd())
sys.path[:] = [entry for entry in sys.path if entry not in here]

from octomil_conformance.cli import main

raise SystemExit(main())
