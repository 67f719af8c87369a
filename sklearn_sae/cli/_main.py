"""The commands and the exit status."""

import importlib
import os
import sys
import warnings

from sklearn_sae.cli._arguments import make_parser
from sklearn_sae.cli._options import in_options


def main(argv=None):
    """Run the command line; return the exit status."""
    arguments = make_parser().parse_args(argv)
    arguments.asks = False
    if hasattr(sys.stdout, "reconfigure"):  # a notebook has another kind of output
        sys.stdout.reconfigure(errors="backslashreplace")  # for terminals that lack a character
    arguments.verbose |= sys.stderr.isatty()
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"Note: {in_options(str(message))}", file=sys.stderr)
        try:
            # Loaded here, because what the commands import takes seconds, and a wrong argument none.
            importlib.import_module(f"sklearn_sae.cli._{arguments.command}").run(arguments)
            sys.stdout.flush()
        except BrokenPipeError:  # A reader such as `head` has closed the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
            print(f"sklearn-sae: {in_options(str(error))}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            paid = "; answers already paid for are in the cache" if arguments.asks else ""
            print(f"sklearn-sae: interrupted{paid}", file=sys.stderr)
            return 130
    return 0
