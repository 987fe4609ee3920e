"""`python -m octomil_ref` is `octomil-ref`."""

from octomil_ref.cli import main

main()
