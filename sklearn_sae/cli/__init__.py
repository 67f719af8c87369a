"""The command line: arguments and files in, `discover` between, a table out."""

from sklearn_sae.cli._main import main

__all__ = ["main"]
