"""The command line as a module: ``python -m sklearn_sae``."""

from sklearn_sae.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
