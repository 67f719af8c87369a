"""Embed on this machine: a sentence-transformers model, or a callable."""

import json
import os
import threading
from contextlib import contextmanager
from functools import lru_cache

from sklearn_sae.embedding._embed import Embedder
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils.store import path_fingerprint

_in_use = threading.Lock()  # tokenizers refuse to be used by two threads at once


def callable_embedder(model, *, prompt, batch_size):
    """Return the `Embedder` of a callable; cached if it has a str attribute `cache_key`."""
    cache_key = getattr(model, "cache_key", None)
    identity = json.dumps(["callable", cache_key, prompt]) if isinstance(cache_key, str) else None

    def run(batches, on_batch):
        for b, texts in enumerate(batches):
            on_batch(b, model([(prompt or "") + text for text in texts]))
        return 0

    return Embedder(identity, run, batch_size)


def sentence_transformers_embedder(model, *, prompt, batch_size, device, verbose):
    """Return the `Embedder` of a sentence-transformers model, which is loaded when there is something to embed."""
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
    """Leave the loading code's own progress bars on only if `verbose`."""
    from transformers.utils import logging

    hide = not verbose and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hide:
            logging.enable_progress_bar()


@lru_cache(maxsize=1)  # loaded once in a process, not at every transform
def _load(model, fingerprint, device):
    from huggingface_hub.errors import HFValidationError
    from sentence_transformers import SentenceTransformer

    device = None if device == "auto" else str(check_device(device))
    try:
        # Files that are here already are used as they are, without asking the network about them.
        return SentenceTransformer(model, device=device, local_files_only=True)
    except Exception as error:
        if os.path.exists(model):
            raise ValueError(f"The path {model!r} holds no sentence-transformers model that loads.") from error
        if not isinstance(error, (OSError, HFValidationError)):  # it is here, and something else is wrong
            raise
    _check_on_hub(model)
    try:
        return SentenceTransformer(model, device=device)
    except Exception as error:
        raise OSError(f"The model {model!r} could not be downloaded or loaded.") from error


def _check_on_hub(model):
    """Ask the hub once: the loading code itself retries for more than a minute when there is no network."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    names = [model] if "/" in model else [f"sentence-transformers/{model}", model]
    for name in names:
        try:
            HfApi().model_info(name, timeout=10)
            return
        except GatedRepoError:
            raise PermissionError(f"The model {model!r} needs an account that was granted access to it.") from None
        except (RepositoryNotFoundError, HFValidationError):
            continue
        except Exception as error:  # of whichever HTTP library the hub's client uses
            raise ConnectionError(
                f"The model {model!r} is not on this machine and the Hugging Face Hub cannot be reached "
                f"({type(error).__name__}); connect once to download it, or pass the path of a folder."
            ) from None
    raise ValueError(
        f"There is no model {model!r}: neither a folder here nor on the Hugging Face Hub; check model, "
        "or log in if it is private."
    )
