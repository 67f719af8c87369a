"""A language model that reads the words of texts, and what it has read in a store."""

import json
import os
import tempfile
from collections import Counter
from numbers import Integral

import numpy as np

from sklearn_sae.pretrained._engine import reader_identity, reader_name
from sklearn_sae.pretrained._reader import Reader, check_model_kwargs, count_layers
from sklearn_sae.pretrained._word_states import ends_unread, read_words
from sklearn_sae.pretrained._word_store import states_from_bytes, states_to_bytes
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.store import fill

LAYERS_RUN = 2 / 3  # of a model's layers; docs/reader.md says what was measured
LONGEST_WINDOW = 256  # tokens; longer windows cost more, and on reviews their states predict no better
_MANY_UNKNOWN = 0.05  # of the words, from which it is said that the reader cannot tell them apart
TEXTS_AT_ONCE = 256  # texts that are read from a store, or tokenized and sorted, together


def choose_layer(model, layer, others, model_kwargs):
    """Return `layer`, or for "auto" two in three of a model's layers. It and `others` must be among them.

    Raises
    ------
    ValueError
        If the model has no such layer, or cannot be a reader.
    """
    check_model_kwargs(model_kwargs)
    n_layers = count_layers(model, **model_kwargs)
    layer = max(1, round(LAYERS_RUN * n_layers)) if layer == "auto" else layer
    named = [(f"layer={layer}", layer), *((f"{number} in keep_states", number) for number in others)]
    for name, number in named:
        if not isinstance(number, Integral) or not 1 <= number <= n_layers:
            raise ValueError(f"{name} is beyond the model, which has {n_layers} layers; 1 is the first.")
    return layer


class WordReader:
    """A reader of one layer, or of several in one run, and how it reads.

    Parameters
    ----------
    model : str, path-like or PreTrainedModel
    layer : int
        How many of the layers are run; the last of them gives the states.
    layers : tuple of int
        Others, whose states are kept as well.
    batch_size, max_length, overlap
        As of `read_words`.
    tokenizer, device, dtype
        Parameters of the `Reader`.
    model_kwargs : dict
        More parameters of the `Reader`.
    """

    def __init__(self, model, *, layer, layers, batch_size, max_length, overlap, model_kwargs, **options):
        self.layer, self.layers = layer, tuple(sorted({layer, *layers}))
        self.reader = Reader(
            model, layers=[number - 1 for number in self.layers], site="resid_post", **options, **model_kwargs
        )
        context = self.reader.context
        if max_length is not None and max_length > context:
            raise ValueError(f"max_length={max_length} is more than the {context} tokens that the model takes.")
        self.prepend_bos = True if self.reader.is_causal else None
        max_length = max_length or min(context, LONGEST_WINDOW)
        self._how = {
            "max_length": max_length,
            "overlap": None if overlap is None else min(overlap, max_length // 2),
            "prepend_bos": self.prepend_bos,
        }
        self._batch_size = batch_size
        self._model, self._tokenizer, self._given = model, options["tokenizer"], [options["dtype"], repr(model_kwargs)]

    @property
    def width(self):
        """The number of columns of the states."""
        return self.reader.width

    @property
    def name(self):
        """What the model is called."""
        return reader_name(self._model)

    def identity(self, layer):
        """Return a str of all that the states of a layer depend on beside the text; None if that cannot be known."""
        model = reader_identity(self._model, self._tokenizer)
        return None if model is None else json.dumps([model, layer, *self._given, self._how])

    def read(self, texts, *, row_of=lambda i: i):
        """Yield (places, for each of them a list with the `WordStates` of each layer); `texts` is a `Texts`."""
        for start in range(0, len(texts.texts), TEXTS_AT_ONCE):
            some = texts.at(range(start, min(start + TEXTS_AT_ONCE, len(texts.texts))))
            found = read_words(
                some.texts,
                some.spans,
                self.reader,
                batch_size=self._batch_size,
                row_of=lambda i, start=start: row_of(start + i),
                **self._how,
            )
            for places, states in found:
                yield [start + i for i in places], states


class StoredStates:
    """The states of texts in a store, which are read where they are missing.

    Parameters
    ----------
    store : Store or MemoryStore
    reader : WordReader
        The states of each of its layers are put into the store.
    verbose : bool, default=False
    """

    def __init__(self, store, reader, *, verbose=False):
        self._store, self._reader, self._verbose = store, reader, verbose
        self._identities = {layer: reader.identity(layer) or "" for layer in reader.layers}

    @property
    def width(self):
        """The number of columns of the states."""
        return self._reader.width

    def keys(self, texts, layer=None):
        """Return the keys of texts in one layer: the reader's own, if none is given."""
        return texts.keys("states", self._identities[self._reader.layer if layer is None else layer])

    def read(self, texts, *, row_of=lambda i: i):
        """Read those of `texts` whose states are missing; `row_of` is as of `read_words`."""
        order = sorted(first_of_each(texts.texts), key=lambda i: len(texts.texts[i]), reverse=True)
        texts = texts.at(order)
        keys = {layer: self.keys(texts, layer) for layer in self._identities}
        place = {key: i for i, key in enumerate(self.keys(texts))}
        n_missing = len(place) - len(self._store.stored(place))
        with progress(desc="reading", total=n_missing, unit="text", verbose=self._verbose and n_missing > 0) as bar:

            def compute(missing):
                rows = [place[key] for key in missing]
                for places, found in self._reader.read(texts.at(rows), row_of=lambda i: row_of(order[rows[i]])):
                    # All that was read at once is put at once. After a kill the texts that are missing are then read in
                    # the same company, on which their last digits depend.
                    self._store.put(
                        (keys[layer][rows[i]], states_to_bytes(states))
                        for i, of_text in zip(places, found, strict=True)
                        for layer, states in zip(self._reader.layers, of_text, strict=True)
                    )
                    bar.update(len(places))

            fill(self._store, place, compute, chunk_size=TEXTS_AT_ONCE)

    def of(self, texts):
        """Return the `WordStates` of some texts, which have been read.

        Those that another process has dropped meanwhile are read again, and not stored.

        Raises
        ------
        OSError
            If one is damaged.
        """
        keys = self.keys(texts)
        values = self._store.get(set(keys))
        found = {
            key: states_from_bytes(values[key], len(spans), self._reader.width, self._store.path)
            for key, spans in zip(keys, texts.spans, strict=True)
            if key in values
        }
        lost = [i for i in first_of_each(keys) if keys[i] not in found]
        at = self._reader.layers.index(self._reader.layer)
        for places, read in self._reader.read(texts.at(lost)):
            found.update((keys[lost[i]], states[at]) for i, states in zip(places, read, strict=True))
        return [found[key] for key in keys]

    def forget(self, texts):
        """Drop the states of texts, in every layer."""
        for layer in self._identities:
            self._store.drop(set(self.keys(texts, layer)))
        self._store.shrink()


def check_known(texts, tokenizer):
    """Warn if a tokenizer knows no part of many of the words that count, and refuse texts of which it knows no word.

    Parameters
    ----------
    texts : Texts
    tokenizer : PreTrainedTokenizerFast

    Raises
    ------
    ValueError
        If it knows none of the words.
    """
    n_times = Counter(word for words in texts.words for word in words)
    unknown = _unknown(list(n_times), tokenizer)
    n_unknown = sum(n_times[word] for word in unknown)
    if n_unknown == 0 or n_unknown < _MANY_UNKNOWN * n_times.total():
        return
    largest = max(unknown, key=n_times.get)
    if n_unknown == n_times.total():
        raise ValueError(
            f"The model's tokenizer knows none of the words of the texts, such as {largest!r}, so that they are all "
            "the same to it; pass a model that was trained on such texts, or use another embedding."
        )
    warn(
        f"The model's tokenizer does not know {n_unknown:,} of {n_times.total():,} words of the texts, such as "
        f"{largest!r}, which are all the same to it; a model that was trained on such texts tells them apart."
    )


def _unknown(words, tokenizer):
    """Return those of some words that a tokenizer turns into nothing but its token for what is unknown."""
    unknown = tokenizer.unk_token_id
    if unknown is None or not words:
        return []
    ids = tokenizer(words, add_special_tokens=False, verbose=False)["input_ids"]
    # Some tokenizers put a token of a blank before each word.
    return [
        word
        for word, some in zip(words, ids, strict=True)
        if unknown in some and not any(tokenizer.decode([i]).strip() for i in some if i != unknown)
    ]


def first_of_each(values):
    """Return the places of some values without those at which an earlier one comes again."""
    first = {}
    for place, value in enumerate(values):
        first.setdefault(value, place)
    return list(first.values())


def gather(stored, texts, folder):
    """Return the states of all words of texts that are read, text by text, and what became of the texts.

    Parameters
    ----------
    stored : StoredStates
    texts : Texts
        They have been read, and have a word that counts.
    folder : path-like or None
        The states are mapped to a file in it, so that they need not be in memory. The file has no name, and so it is
        gone with the array, or the process. None: they are in memory.

    Returns
    -------
    states : memmap or ndarray of shape (n_words, width), float16
    text_of : ndarray of shape (n_words,), int64
        The place of each word's text.
    is_cut : ndarray of shape (n_texts,), bool
        Whether the last word of a text is not read.
    """
    shape = sum(map(len, texts.spans)), stored.width
    states = np.empty(shape, np.float16) if folder is None else _mapped(shape, folder)
    n_words, is_cut, end = [], [], 0
    for start in range(0, len(texts.texts), TEXTS_AT_ONCE):
        for one in stored.of(texts.at(range(start, min(start + TEXTS_AT_ONCE, len(texts.texts))))):
            states[end : end + len(one.states)] = one.states
            end += len(one.states)
            n_words.append(len(one.states))
            is_cut.append(ends_unread(one.is_read))
    return states[:end], np.repeat(np.arange(len(n_words)), n_words), np.array(is_cut)


def _mapped(shape, folder):
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            n_bytes = 2 * shape[0] * shape[1]
            try:
                os.posix_fallocate(file.fileno(), 0, n_bytes)  # because writing to a map of a full disk kills a process
            except OSError as error:
                raise OSError(
                    f"The states of {shape[0]:,} words need {n_bytes / 2**20:,.0f} MiB in {folder} ({error.strerror}); "
                    "free some space, pass another cache_dir, or lower max_tokens."
                ) from None
        return np.memmap(file, np.float16, "w+", shape=shape)
