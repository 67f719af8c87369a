"""Read each distinct text once: what is stored is looked up, the rest is read and stored batch by batch."""

import time

import numpy as np

from sklearn_sae.pretrained._pooling import Pooled, aggregate, stack
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.store import digest, open_store

_LOOK_UP = 1024  # documents taken from the store at once: it is never in memory as a whole
_POLL = 0.05  # seconds between two looks at what another process reads


def read_texts_once(texts, identity, read, *, aggregation, n_latents, chunk_size, cache_dir, verbose):
    """Return the pooled activations of `texts`, a CSR array of shape (len(texts), n_latents), float32.

    What is stored serves every aggregation. Several processes may read at once, each other texts.

    Parameters
    ----------
    texts : list of str
    identity : str
        All that the activations depend on beside a text.
    read : callable
        Takes a list of texts of like length and yields, batch by batch, (their places, their `Pooled`).
    aggregation : str
        One of `AGGREGATIONS`.
    n_latents : int
    chunk_size : int
        The most texts that `read` is given.
    cache_dir : "auto", path-like or None
        As `open_store`; None: what is read is kept in memory until the end of this call.
    verbose : bool

    Raises
    ------
    OSError
        If the store cannot be used or is damaged.
    """
    rows = [digest("activations", identity, text) for text in texts]
    of_key = dict(zip(rows, texts, strict=True))
    with open_store(cache_dir, "activations") as store:
        _read_missing(store, of_key, read, chunk_size, verbose)

        def stored_rows():
            for start in range(0, len(rows), _LOOK_UP):
                some = rows[start : start + _LOOK_UP]
                values = store.get(set(some))
                for key in some:
                    pooled = _decode(values[key], n_latents, store.path)
                    yield pooled.latents, aggregate(pooled, aggregation)

        return stack(stored_rows(), n_latents)


def _read_missing(store, of_key, read, chunk_size, verbose):
    # The longest first: texts of like length pad each other least, and what does not fit fails at once. Chunks are of
    # all texts, stored or not, so that after a kill the batches, and with them the last digits, are the same.
    ordered = sorted(of_key, key=lambda key: len(of_key[key]), reverse=True)
    missing = of_key.keys() - store.stored(ordered)
    with progress(desc="Reading", total=len(missing), unit="text", verbose=verbose) as bar, store.claims() as claims:
        while missing:
            for start in range(0, len(ordered), chunk_size):
                chunk = [key for key in ordered[start : start + chunk_size] if key in missing]
                free = claims.take(chunk)
                mine = [key for key in chunk if key in free]
                for places, pooled in read([of_key[key] for key in mine]) if mine else ():
                    store.put((mine[i], _encode(one)) for i, one in zip(places, pooled, strict=True))
                    bar.update(len(places))
                claims.release()
            missing -= store.stored(missing)  # what another process has not yet read, or was killed over, is left
            if missing:
                time.sleep(_POLL)


def _encode(pooled):
    columns = zip(pooled[:4], ("<i4", "<f4", "<f4", "<i4"), strict=True)
    return np.int32(pooled.n_tokens).astype("<i4").tobytes() + b"".join(c.astype(t).tobytes() for c, t in columns)


def _decode(value, n_latents, path):
    n = (len(value) - 4) // 16
    if len(value) == 4 + 16 * n:
        latents, maximum, total, count = (
            np.frombuffer(value, dtype=kind, count=n, offset=4 + 4 * n * i)
            for i, kind in enumerate(("<i4", "<f4", "<f4", "<i4"))
        )
        if n == 0 or (latents.min() >= 0 and latents.max() < n_latents):
            return Pooled(latents, maximum, total, count, int.from_bytes(value[:4], "little"))
    raise OSError(f"The cache file {path} holds damaged activations; move it away, or pass another cache_dir.")
