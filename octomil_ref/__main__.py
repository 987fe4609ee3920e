"""`python -m octomil_ref` is `octomil-ref`."""

from octomil_ref.cli import main

if __name__ == "__main__":
    main()
