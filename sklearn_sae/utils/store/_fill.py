"""The loop that fills a store: claim what is missing, compute it, store it, wait for what others compute."""

import time

_POLL = 0.05  # seconds between two looks at the store while other processes compute all that is missing
_POLL_PER_KEY = 1e-4  # seconds more for each missing key, because a look at many keys takes time


def fill(store, keys, compute, *, chunk_size=None, on_progress=None):
    """Compute those of `keys` that are not stored, together with other processes.

    A key that another live process has claimed is waited for, and computed here if that process does not store it. No
    claim is held during a wait, so two processes never wait for each other.

    Parameters
    ----------
    store : Store or MemoryStore
    keys : iterable of bytes
    compute : callable
        Takes a list of keys, in the order of `keys`, and puts their values into `store`. It is given each key at most
        once, so a key that it does not store stays missing.
    chunk_size : int or None, default=None
        The number of keys that are claimed, computed and released at once, so that other processes find free keys
        meanwhile. `keys` are cut into chunks of this length, stored or not, and what is missing of a chunk is
        computed at once. None makes all keys one chunk.
    on_progress : callable or None, default=None
        Is called with each set of keys that were found in the store, where they were before or where another process
        has put them. Each of `keys` is either in one of these sets or given to `compute`.
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
                    claims.release()  # including what failed, because other processes wait for it
                stored = store.stored(set(chunk) - claimed)
                if stored and on_progress is not None:
                    on_progress(stored)
                missing -= claimed | stored
            if missing:
                time.sleep(_POLL + _POLL_PER_KEY * len(missing))
