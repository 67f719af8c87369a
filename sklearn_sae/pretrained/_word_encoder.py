"""From texts to the active neurons of their words, each text computed once."""

import hashlib
import json

import numpy as np
from scipy import sparse

from sklearn_sae.pretrained._word_reader import TEXTS_AT_ONCE, StoredStates
from sklearn_sae.pretrained._word_store import activations_from_bytes, activations_to_bytes, split_codes
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.store import fill, open_store


class WordEncoder:
    """A reader and the autoencoder that is trained on its states.

    Parameters
    ----------
    sae : TopKSAETransformer
    scale : ndarray of shape (width,)
        What the states are divided by.
    reader : WordReader
    cache_dir : "auto", path-like or None
        Where activations are kept.
    keeps : bool
        Whether the states of texts that are read are kept too.
    """

    def __init__(self, sae, scale, reader, *, cache_dir, keeps):
        self._sae, self._scale, self._reader, self._keeps = sae, scale, reader, keeps
        self._identity = self._find_identity()
        self._cache_dir = None if self._identity is None else cache_dir

    def activations(self, texts, stored=None, *, verbose=False):
        """Yield the `WordActivations` of each text, in their order.

        They are kept in a store, but where states are kept: from these they are soon computed again, and a search would
        leave those of each of its candidates.

        Parameters
        ----------
        texts : Texts
        stored : StoredStates or None, default=None
            Where the states of the texts are, or are to be kept.
        verbose : bool, default=False

        Raises
        ------
        OSError
            If the store cannot be used, or is damaged.
        """
        if self._keeps:
            yield from self._of_kept_states(texts, stored, verbose)
            return
        with open_store(self._cache_dir, "word_activations", model=self._reader.name) as store:
            keys = texts.keys("word activations", self._identity or "")
            self._compute_missing(store, keys, texts, stored, verbose)
            for start in range(0, len(keys), TEXTS_AT_ONCE):
                some = keys[start : start + TEXTS_AT_ONCE]
                values = store.get(set(some))
                if len(values) < len(set(some)):
                    raise OSError(f"The cache file {store.path} was damaged and lost activations just now; run again.")
                for key, spans in zip(some, texts.spans[start : start + TEXTS_AT_ONCE], strict=True):
                    yield activations_from_bytes(values[key], len(spans), self._sae.n_components_, store.path)

    def _of_kept_states(self, texts, stored, verbose):
        if stored is None:
            with open_store(self._cache_dir, "states", model=self._reader.name) as store:
                yield from self._of_kept_states(texts, StoredStates(store, self._reader, verbose=verbose), verbose)
            return
        stored.read(texts)
        for start in range(0, len(texts.texts), TEXTS_AT_ONCE):
            some = texts.at(range(start, min(start + TEXTS_AT_ONCE, len(texts.texts))))
            yield from self._encode(stored.of(some))

    def _compute_missing(self, store, keys, texts, stored, verbose):
        row_of = {key: row for row, key in reversed(list(enumerate(keys)))}  # the first row of each
        order = sorted(row_of, key=lambda key: len(texts.texts[row_of[key]]), reverse=True)
        n_missing = len(order) - len(store.stored(order))
        with progress(desc="encoding", total=n_missing, unit="text", verbose=verbose and n_missing > 0) as bar:

            def compute(missing):
                rows = [row_of[key] for key in missing]
                for places, states in self._states(texts.at(rows), stored, row_of=lambda i: rows[i]):
                    found = self._encode(states)
                    store.put((missing[i], activations_to_bytes(one)) for i, one in zip(places, found, strict=True))
                    bar.update(len(places))

            fill(store, order, compute, chunk_size=TEXTS_AT_ONCE)

    def _states(self, texts, stored, *, row_of):
        """Yield (places, their `WordStates`), from the store where the states are there, and else by reading."""
        if stored is not None:
            stored.read(texts, row_of=row_of)
            yield range(len(texts.texts)), stored.of(texts)
        else:
            at = self._reader.layers.index(self._reader.layer)
            for places, found in self._reader.read(texts, row_of=row_of):
                yield places, [states[at] for states in found]

    def _encode(self, states):
        rows = np.concatenate([one.states for one in states])
        shape = 0, self._sae.n_components_
        codes = self._sae.transform(rows / self._scale) if len(rows) else sparse.csr_array(shape, dtype=np.float32)
        return split_codes(codes, [one.is_read for one in states])

    def _find_identity(self):
        """Return a str of all that activations depend on beside the text; None if that cannot be known."""
        sae = self._sae
        arrays = (self._scale, sae.encoder_weight_, sae.encoder_bias_, sae.components_, sae.bias_)
        hashed = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()
        of_states = self._reader.identity(self._reader.layer)
        return (
            None if of_states is None else json.dumps([hashed, sae.k_, float(sae.threshold_), sae.encoder, of_states])
        )
