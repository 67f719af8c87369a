"""Embedders on this machine: a sentence-transformers model, or a callable."""

import json
import os
import threading
from contextlib import contextmanager
from functools import lru_cache, partial

from sklearn_sae.embedding._embed import Embedder
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils._hub import load_model
from sklearn_sae.utils.store import path_fingerprint

_in_use = threading.Lock()  # because tokenizers refuse to be used by two threads at once


def callable_embedder(model, *, prompt, batch_size):
    """Return the `Embedder` of a callable. Its vectors are stored if it has a str attribute `cache_key`."""
    cache_key = getattr(model, "cache_key", None)
    identity = json.dumps(["callable", cache_key, prompt]) if isinstance(cache_key, str) else None

    def run(batches, on_batch):
        for b, texts in enumerate(batches):
            on_batch(b, model([(prompt or "") + text for text in texts]))
        return 0

    return Embedder(identity, run, batch_size)


def sentence_transformers_embedder(model, *, prompt, batch_size, device, verbose):
    """Return the `Embedder` of a sentence-transformers model, which is loaded when a text is first embedded."""
    fingerprint = path_fingerprint(model) if os.path.isdir(model) else None

    def run(batches, on_batch):
        for b, texts in enumerate(batches):
            with _in_use:
                with _progress_bars(verbose):
                    loaded = _load(model, fingerprint, device)
                vectors = loaded.encode(texts, prompt=prompt, batch_size=len(texts), show_progress_bar=False)
            on_batch(b, vectors)
        return 0

    return Embedder(json.dumps(["sentence-transformers", fingerprint or model, prompt]), run, batch_size)


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
def _load(model, fingerprint, device):
    from sentence_transformers import SentenceTransformer

    load = partial(SentenceTransformer, device=None if device == "auto" else str(check_device(device)))
    if os.path.exists(model):
        try:
            return load(model, local_files_only=True)
        except Exception as error:
            raise ValueError(f"The path {model!r} holds no sentence-transformers model that loads.") from error
    names = [model] if "/" in model else [f"sentence-transformers/{model}", model]
    return load_model(load, model, what=f"The model {model!r}", names=names)
