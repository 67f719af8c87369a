"""The progress bar that every stage shows when `verbose=True`."""

from tqdm.auto import tqdm


class _Bar(tqdm):
    monitor_interval = 0  # no thread that outlives the work; `miniters=1` keeps a slow bar going without it


def progress(iterable=None, *, desc, verbose, total=None, initial=0, unit="it"):
    """Return a tqdm bar over `iterable`; silent, but otherwise the same, unless `verbose`."""
    return _Bar(
        iterable, desc=desc, total=total, initial=initial, unit=unit, disable=not verbose, leave=True, miniters=1
    )
