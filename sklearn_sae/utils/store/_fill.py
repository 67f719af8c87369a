"""Fill a store: what is not stored is claimed, computed and put, by one process or several at once."""

import time

_POLL = 0.05  # seconds, while other processes compute all that is missing
_POLL_PER_KEY = 1e-4  # more, because a look at many keys takes time


def fill(store, keys, compute, *, chunk_size=None, on_progress=None):
    """See that every one of `keys` is stored or has been tried once.

    What another live process has claimed is waited for; what it does not store in the end is computed here. No claim
    is held while others are waited for, so two processes never wait for each other.

    Parameters
    ----------
    store : Store or MemoryStore
    keys : iterable of bytes
    compute : callable
        Takes a list of keys, in the order of `keys`, and puts what it gets for them into `store`. It is given each
        key at most once.
    chunk_size : int or None, default=None
        `keys` are cut into chunks of this length, and one chunk at a time is claimed, computed and released: other
        processes find work to do meanwhile. A chunk is computed without those of its keys that are stored or claimed.
        None: one chunk.
    on_progress : callable or None, default=None
        Is called with sets of keys that were found in the store, be it that they were there before or that another
        process stored them. Each of `keys` is in one of these sets or is given to `compute`, and never both.
    """
    keys = list(dict.fromkeys(keys))
    if not keys:
        return
    missing = set(keys)
    size = chunk_size or len(keys)
    with store.claims() as claims:
        while missing:
            for start in range(0, len(keys), size):
                chunk = [key for key in keys[start : start + size] if key in missing]
                claimed = claims.take(chunk)
                free = [key for key in chunk if key in claimed]
                if free:
                    compute(free)
                    claims.release()  # what failed too, because others wait for it
                stored = store.stored(set(chunk) - claimed)
                if stored and on_progress is not None:
                    on_progress(stored)
                missing -= claimed | stored
            if missing:
                time.sleep(_POLL + _POLL_PER_KEY * len(missing))
