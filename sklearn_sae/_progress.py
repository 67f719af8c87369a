"""The progress bar that every stage shows when `verbose=True`."""

from tqdm.auto import tqdm


def progress(iterable=None, *, desc, verbose, total=None, unit="it"):
    """Return a tqdm bar over `iterable`; silent, but otherwise the same, unless `verbose`."""
    return tqdm(iterable, desc=desc, total=total, unit=unit, disable=not verbose, leave=True)
