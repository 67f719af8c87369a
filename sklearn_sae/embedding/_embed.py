"""Embed each distinct text once: what is stored is looked up, the rest is embedded and stored batch by batch."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.store import digest, open_store

_LOOK_UP = 4096  # vectors read at once: the cache is never in memory as a whole


class Embedder(NamedTuple):
    """One way to embed."""

    identity: str | None  # all that a vector depends on beside its text; None: not to be cached
    # (batches of texts, on_batch) -> how many texts were cut; calls on_batch(i, vectors) as batch i arrives
    run: Callable
    batch_size: int
    max_bytes: float = np.inf  # of UTF-8 in a batch, where each text has
    extra_bytes: int = 0  # that `run` puts before it
    batches_per_turn: int = 32  # then another process may have its turn


def embed_texts(texts, embedder, *, truncate_dim, cache_dir, verbose):
    """Return the first `truncate_dim` numbers of the vector of each text, shape (len(texts), dim), float32.

    Raises
    ------
    ValueError
        If the model gives something other than one finite vector of one length a text, or fewer
        numbers than `truncate_dim`.
    OSError
        If the cache cannot be used.
    """
    index = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    distinct = list(index)
    vectors = dim = None  # (len(distinct), truncate_dim or dim), made when the first vector tells dim
    n_cut = 0

    def keep(some, arrived):
        nonlocal vectors, dim
        if vectors is None:
            dim = arrived.shape[1]
            if truncate_dim is not None and truncate_dim > dim:
                raise ValueError(f"truncate_dim={truncate_dim} is larger than the {dim} dimensions of the model.")
            vectors = np.empty((len(distinct), truncate_dim or dim), dtype=np.float32)
        if arrived.shape[1] != dim:
            raise ValueError(
                f"The model gave vectors of length {dim} and {arrived.shape[1]}; they must be of one length."
            )
        vectors[some] = arrived[:, :truncate_dim]

    cached = embedder.identity is not None
    with open_store(cache_dir if cached else None, "embeddings") as store:
        keys = [digest("embedding", embedder.identity or "", text) for text in distinct]

        def look_up(some):
            """Keep what is stored and return what is not."""
            stored = store.get(keys[i] for i in some)
            here = [i for i in some if keys[i] in stored]
            if here:
                keep(here, _decode([stored[keys[i]] for i in here], store.path))
            return [i for i in some if keys[i] not in stored]

        def embed(some):
            batches = _batches(some, distinct, embedder)

            def on_batch(b, arrived):
                arrived = _check(arrived, batches[b], lambda i: texts.index(distinct[i]))
                keep(batches[b], arrived)
                store.put((keys[i], row.tobytes()) for i, row in zip(batches[b], arrived.astype("<f4"), strict=True))
                bar.update(len(batches[b]))

            return embedder.run([[distinct[i] for i in batch] for batch in batches], on_batch)

        everything = range(len(distinct))
        missing = [i for start in everything[::_LOOK_UP] for i in look_up(everything[start : start + _LOOK_UP])]
        missing.sort(key=lambda i: len(distinct[i]), reverse=True)  # texts of like length pad each other least
        per_turn = embedder.batches_per_turn * embedder.batch_size
        with progress(desc="Embedding", total=len(missing), unit="text", verbose=verbose) as bar:
            for start in range(0, len(missing), per_turn):
                turn = missing[start : start + per_turn]
                with store.turn(digest(embedder.identity or "").hex()[:16]):
                    left = look_up(turn)  # another process may have embedded some since
                    bar.update(len(turn) - len(left))
                    n_cut += embed(left)
    if n_cut:
        warnings.warn(
            f"{n_cut} of {len(distinct)} texts are longer than the model takes and were cut at the end.", stacklevel=5
        )
    return vectors[[index[text] for text in texts]]


def _batches(some, texts, embedder):
    batches, batch, n_bytes = [], [], 0
    for i in some:
        n = embedder.extra_bytes + len(texts[i].encode())
        if batch and (len(batch) == embedder.batch_size or n_bytes + n > embedder.max_bytes):
            batches.append(batch)
            batch, n_bytes = [], 0
        batch.append(i)
        n_bytes += n
    return [*batches, batch] if batch else batches


def _decode(values, path):
    if len(set(map(len, values))) > 1 or len(values[0]) % 4 or not values[0]:
        raise OSError(f"The cache file {path} holds a damaged vector; move it away, or pass another cache_dir.")
    return np.frombuffer(b"".join(values), dtype="<f4").reshape(len(values), -1)


def _check(vectors, batch, row_of):
    what = f"{type(vectors).__name__} of {vectors.dtype}" if hasattr(vectors, "dtype") else type(vectors).__name__
    try:
        vectors = np.asarray(vectors).astype(np.float32, casting="same_kind", copy=False)
    except (TypeError, ValueError, RuntimeError):  # RuntimeError: a tensor that requires grad
        raise ValueError(
            f"The model gave a {what} that is no array of numbers for {len(batch)} texts; it must be a NumPy array, "
            f"or lists, of shape ({len(batch)}, dim)."
        ) from None
    if vectors.ndim != 2 or len(vectors) != len(batch) or vectors.shape[1] == 0:
        raise ValueError(
            f"The model gave an array of shape {vectors.shape} for {len(batch)} texts; it must be ({len(batch)}, dim)."
        )
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise ValueError(f"The model gave NaN or infinity for the text in row {row_of(batch[bad.argmax()])}.")
    return vectors
