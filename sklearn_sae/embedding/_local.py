"""Embedders on this machine: a sentence-transformers model, or a callable."""

import json
import os
import threading
from contextlib import contextmanager
from functools import lru_cache

from sklearn_sae.embedding._embed import Embedder
from sklearn_sae.embedding._pool import Pool
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils._hub import load_model
from sklearn_sae.utils._minilm import minilm_folder
from sklearn_sae.utils.store import path_fingerprint

_MARKS = 4  # tokens that a model adds at the beginning and the end, at the most
_in_use = threading.Lock()  # because tokenizers refuse to be used by two threads at once


def callable_embedder(model, *, prompt, batch_size):
    """Return the `Embedder` of a callable. Its vectors are stored if it has a str attribute `cache_key`."""
    cache_key = getattr(model, "cache_key", None)
    identity = json.dumps(["callable", cache_key, prompt]) if isinstance(cache_key, str) else None

    def run(batches, on_batch):
        for b, texts in enumerate(batches):
            on_batch(b, model([(prompt or "") + text for text in texts]))
        return 0

    return Embedder(identity, cache_key, run, batch_size)


def sentence_transformers_embedder(model, *, prompt, batch_size, device, verbose, **options):
    """Return the `Embedder` of a sentence-transformers model, which is loaded when a text is first embedded.

    Parameters
    ----------
    model : str
    prompt : str or None
    batch_size : int
    device : str or list of str
        A list: a process for each runs the model, until the `Embedder` is closed.
    verbose : bool
    **options : object
        `max_seq_length`, `model_kwargs`, `revision` and `trust_remote_code` of `EmbeddingTransformer`.
    """
    fingerprint = path_fingerprint(model) if os.path.isdir(model) else None
    given = {name: value for name, value in options.items() if value not in (None, False, {})}
    pool = Pool(device) if isinstance(device, list) else None
    load_on = "cpu" if pool else device  # because the processes of a pool get the model from the CPU

    def load():
        with _progress_bars(verbose):
            return _load(model, fingerprint, load_on, _Options(given))

    def run(batches, on_batch):
        n_cut = 0
        for b, texts in enumerate(batches):
            with _in_use:
                loaded = load()
                n_cut += _count_cut(loaded, texts, prompt)
                vectors = loaded.encode(texts, prompt=prompt, batch_size=len(texts), show_progress_bar=False)
            on_batch(b, vectors)
        return n_cut

    def run_in_pool(batches, on_batch):
        with _in_use:
            texts = [text for batch in batches for text in batch]
            loaded = load()
            n_cut = _count_cut(loaded, texts, prompt)
            vectors = pool.encode(loaded, texts, batch_size, prompt=prompt, show_progress_bar=False)
        start = 0
        for b, batch in enumerate(batches):
            on_batch(b, vectors[start : start + len(batch)])
            start += len(batch)
        return n_cut

    identity = [
        "sentence-transformers",
        fingerprint or model,
        prompt,
        *([repr(sorted(given.items()))] if given else []),
    ]
    embedder = Embedder(json.dumps(identity), model, run, batch_size, n_tokens=lambda: load().max_seq_length)
    if pool is None:
        return embedder
    n_batches = embedder.batches_per_chunk * len(device)  # because devices wait for each other after each chunk
    return embedder._replace(run=run_in_pool, batches_per_chunk=n_batches, close=pool.close)


def _count_cut(loaded, texts, prompt):
    """Return how many of some texts have more tokens than the model reads."""
    limit = loaded.max_seq_length
    if limit is None:
        return 0
    prompt = loaded.prompts.get(loaded.default_prompt_name, "") if prompt is None else prompt
    # A token has at least one character, so only these may be too long.
    long = [prompt + text for text in texts if len(prompt) + len(text) + _MARKS > limit]
    if not long or not callable(loaded.tokenizer):
        return 0
    tokens = loaded.tokenizer(long, truncation=False, verbose=False)["input_ids"]
    return sum(len(some) > limit for some in tokens)


class _Options:
    """Options of a model, equal if they are written the same, so that a loaded model can be kept by them."""

    def __init__(self, given):
        self.given = given
        self._written = repr(sorted(given.items()))

    def __eq__(self, other):
        return self._written == other._written

    def __hash__(self):
        return hash(self._written)


@contextmanager
def _progress_bars(verbose):
    """Hide the progress bars of the code that loads a model, unless `verbose`."""
    from transformers.utils import logging

    hide = not verbose and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()


@lru_cache(maxsize=1)  # so that a process loads a model once and not at every transform
def _load(model, fingerprint, device, options):
    from sentence_transformers import SentenceTransformer

    options = dict(options.given)
    max_seq_length = options.pop("max_seq_length", None)
    device = None if device == "auto" else str(check_device(device))

    def load(name, **more):
        loaded = SentenceTransformer(name, device=device, **options, **more)
        if max_seq_length is not None:
            loaded.max_seq_length = max_seq_length
        return loaded

    if os.path.exists(model):
        try:
            return load(model, local_files_only=True)
        except Exception as error:
            raise ValueError(f"The path {model!r} holds no sentence-transformers model that loads.") from error
    packaged = minilm_folder(model) if "revision" not in options else None
    if packaged is not None:
        return load(packaged, local_files_only=True)
    names = [model] if "/" in model else [f"sentence-transformers/{model}", model]
    return load_model(load, model, what=f"The model {model!r}", names=names)
