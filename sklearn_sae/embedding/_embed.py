"""The vector of each distinct text, computed once: what is missing in the store is put there batch by batch."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.store import digest, fill, open_store

_MANY_THE_SAME = 0.05  # a smaller share of texts differ in a way that many models overlook, such as case
_LOOK_UP = 4096  # vectors taken from the store at once, so that it is never in memory as a whole


class Embedder(NamedTuple):
    """One way to embed.

    Parameters
    ----------
    identity : str or None
        All that a vector depends on beside its text. None: vectors are not stored.
    name : str or None
        What the model is called, to say what a store holds.
    run : callable
        Takes a list of batches, which are lists of texts, and a callable `on_batch`; calls ``on_batch(i, vectors)``
        when the vectors of batch i arrive, in any order; and returns how many texts were cut.
    batch_size : int
        The most texts in a batch.
    max_bytes : float, default=inf
        The most bytes of UTF-8 in a batch.
    extra_bytes : int, default=0
        The bytes that `run` adds to each text.
    batches_per_chunk : int, default=32
        The batches that a process claims and gives to `run` at once.
    n_tokens : callable or None, default=None
        Returns how many tokens of a text the model reads, or None.
    close : callable
        Ends what `run` has started.
    """

    identity: str | None
    name: str | None
    run: Callable
    batch_size: int
    max_bytes: float = np.inf
    extra_bytes: int = 0
    batches_per_chunk: int = 32
    n_tokens: Callable | None = None
    close: Callable = lambda: None


class _Vectors:
    """The result: an array that is made when the first vectors arrive, because they tell its width."""

    def __init__(self, n_rows, truncate_dim):
        self.array = None  # (n_rows, truncate_dim or dim)
        self._n_rows = n_rows
        self._truncate_dim = truncate_dim
        self._dim = None

    def put(self, rows, vectors):
        dim = vectors.shape[1]
        if self.array is None:
            if self._truncate_dim is not None and self._truncate_dim > dim:
                raise ValueError(f"truncate_dim={self._truncate_dim} is larger than the {dim} dimensions of the model.")
            self._dim = dim
            self.array = np.empty((self._n_rows, self._truncate_dim or dim), dtype=np.float32)
        if dim != self._dim:
            raise ValueError(f"The model gave vectors of length {self._dim} and {dim}; they must be of one length.")
        self.array[rows] = vectors[:, : self._truncate_dim]


def embed_texts(texts, embedder, *, truncate_dim, cache_dir, verbose):
    """Return the vectors of `texts`, a float32 array of shape (len(texts), dim).

    Parameters
    ----------
    texts : list of str
    embedder : Embedder
    truncate_dim : int or None
        How many numbers of each vector are returned. None: all.
    cache_dir : "auto", path-like or None
        As `open_store`; None stores nothing.
    verbose : bool

    Raises
    ------
    ValueError
        If the model gives something other than one finite vector of one length a text, or fewer numbers than
        `truncate_dim`.
    OSError
        If the store cannot be used.

    Warns
    -----
    UserWarning
        If texts that were not yet stored were cut.
    """
    first = {}  # from each distinct text to its first row
    for row, text in enumerate(texts):
        first.setdefault(text, row)
    vectors = _Vectors(len(texts), truncate_dim)
    # The rows are sorted because texts of like length pad each other least.
    rows = sorted(first.values(), key=lambda row: len(texts[row]), reverse=True)
    if cache_dir is None or embedder.identity is None:
        n_cut = _embed_uncached(rows, texts, embedder, vectors, verbose)
    else:
        n_cut = _embed_cached(rows, texts, embedder, vectors, cache_dir, verbose)
    _warn_of_cuts(n_cut, vectors.array[rows], embedder)
    copies = [row for row, text in enumerate(texts) if first[text] != row]
    vectors.array[copies] = vectors.array[[first[texts[row]] for row in copies]]
    return vectors.array


def _warn_of_cuts(n_cut, vectors, embedder):
    """Say how many of the distinct texts were cut, and how many are therefore the same to the model."""
    n_texts = len(vectors)
    n_same = n_texts - len({vector.tobytes() for vector in vectors})
    parts = []
    if n_cut:
        are = "is" if n_cut == 1 else "are"
        parts.append(f"{n_cut:,} of {n_texts:,} texts {are} longer than the model takes and cut at the end")
    if n_same > _MANY_THE_SAME * n_texts and (n_cut or embedder.n_tokens is not None):
        parts.append(f"{n_same:,} of {n_texts:,} different texts have the same vector as another")
    if parts and embedder.n_tokens is not None:
        n_tokens = embedder.n_tokens()
        parts.append(f"it reads {n_tokens} tokens of a text; a larger max_seq_length or a ChunkTransformer reads more")
    if parts:
        warn("; ".join(parts) + ".")


def _embed_uncached(rows, texts, embedder, vectors, verbose):
    """Embed the texts of `rows` into `vectors` and return how many were cut."""
    size = embedder.batches_per_chunk * embedder.batch_size
    with progress(desc="Embedding", total=len(rows), unit="text", verbose=verbose) as bar:

        def keep(batch, arrived):
            vectors.put(batch, arrived)
            bar.update(len(batch))

        return sum(_embed(rows[start : start + size], texts, embedder, keep) for start in range(0, len(rows), size))


def _embed_cached(rows, texts, embedder, vectors, cache_dir, verbose):
    """Put the vectors of `rows` into `vectors`, from the store or the model, and return how many texts were cut now."""
    row_of = {digest("embedding", embedder.identity, texts[row]): row for row in rows}
    key_of = {row: key for key, row in row_of.items()}
    n_cut = 0
    with open_store(cache_dir, "embeddings", model=embedder.name) as store:
        missing = _look_up(store, row_of, row_of, vectors)
        with progress(desc="Embedding", total=len(missing), unit="text", verbose=verbose) as bar:

            def keep(batch, arrived):
                vectors.put(batch, arrived)
                values = (vector.tobytes() for vector in arrived.astype("<f4"))
                store.put(zip([key_of[row] for row in batch], values, strict=True))
                bar.update(len(batch))

            def compute(keys):
                nonlocal n_cut
                n_cut += _embed([row_of[key] for key in keys], texts, embedder, keep)

            def on_progress(found):
                if _look_up(store, found, row_of, vectors):
                    raise OSError(f"The cache file {store.path} was damaged and lost vectors just now; run again.")
                bar.update(len(found))

            size = embedder.batches_per_chunk * embedder.batch_size
            fill(store, missing, compute, chunk_size=size, on_progress=on_progress)
    return n_cut


def _look_up(store, keys, row_of, vectors):
    """Put the stored vectors of `keys` into `vectors` and return the keys that are not stored."""
    keys, missing = list(keys), []
    for start in range(0, len(keys), _LOOK_UP):
        some = keys[start : start + _LOOK_UP]
        stored = store.get(some)
        if stored:
            vectors.put([row_of[key] for key in stored], _from_bytes(list(stored.values()), store.path))
        missing += [key for key in some if key not in stored]
    return missing


def _embed(rows, texts, embedder, keep):
    """Embed the texts of `rows`, call `keep` with (rows, vectors) of each batch, and return how many texts were cut."""
    batches = _batches(rows, texts, embedder)

    def on_batch(b, arrived):
        keep(batches[b], _check(arrived, batches[b]))

    return embedder.run([[texts[row] for row in batch] for batch in batches], on_batch)


def _batches(rows, texts, embedder):
    batches, batch, n_bytes = [], [], 0
    for row in rows:
        n = embedder.extra_bytes + len(texts[row].encode())
        if batch and (len(batch) == embedder.batch_size or n_bytes + n > embedder.max_bytes):
            batches.append(batch)
            batch, n_bytes = [], 0
        batch.append(row)
        n_bytes += n
    return [*batches, batch] if batch else batches


def _from_bytes(values, path):
    if len(set(map(len, values))) > 1 or len(values[0]) % 4 or not values[0]:
        raise OSError(f"The cache file {path} holds a damaged vector; move it away, or pass another cache_dir.")
    return np.frombuffer(b"".join(values), dtype="<f4").reshape(len(values), -1)


def _check(vectors, batch):
    what = f"{type(vectors).__name__} of {vectors.dtype}" if hasattr(vectors, "dtype") else type(vectors).__name__
    try:
        vectors = np.asarray(vectors).astype(np.float32, casting="same_kind", copy=False)
    except (TypeError, ValueError, RuntimeError):  # a tensor that requires grad raises a RuntimeError
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
        raise ValueError(f"The model gave NaN or infinity for the text in row {batch[bad.argmax()]}.")
    return vectors
