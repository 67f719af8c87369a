"""What is being done, on standard error."""

import sys


def say(arguments, step):
    """Print a line for a step that begins, if progress is to be shown."""
    if arguments.verbose:
        print(step, file=sys.stderr, flush=True)
