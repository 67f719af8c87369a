"""A reader and a published SAE together: from texts to the active latents of their tokens."""

import hashlib
import json
import os
import threading

import numpy as np

from sklearn_sae.pretrained._load import load_sparse_encoder
from sklearn_sae.pretrained._pooling import pool
from sklearn_sae.pretrained._reader import Reader, check_finite, check_model_kwargs, kept_states
from sklearn_sae.pretrained._sparse_encoder import TorchEncoder
from sklearn_sae.pretrained._tokens import tokenize_texts
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils.store import path_fingerprint

# The fields of a `SparseEncoder` on which activations do not depend.
_OF_NO_EFFECT = ("model_name", "source", "neuronpedia_id", "labels_file")


class Engine:
    """An SAE's encoder and its reader, which is loaded when a text is first read.

    Parameters
    ----------
    encoder : SparseEncoder
    model : str, path-like or PreTrainedModel
    sae_device : str
        Where the SAE runs. "auto": where the reader's states are.
    **options
        Parameters of the `Reader`.
    """

    def __init__(self, encoder, model, *, sae_device, **options):
        self.encoder = encoder
        self._sae_device = sae_device
        self.model = model
        self._options = options
        self._lock = threading.Lock()
        self._reader = self._torch_encoder = self._identity = None

    @property
    def reader(self):
        """The `Reader`, which is loaded once and must fit the SAE."""
        with self._lock:
            if self._reader is None:
                encoder = self.encoder
                if self._sae_device != "auto":
                    check_device(self._sae_device, name="sae_device")
                reader = Reader(
                    self.model, layer=encoder.layer, site=encoder.site, center=encoder.center, **self._options
                )
                if reader.width != encoder.weight.shape[1]:
                    raise ValueError(
                        f"The SAE {encoder.source} takes states of width {encoder.weight.shape[1]}, but the reader "
                        f"gives states of width {reader.width}; pass the model that the SAE was trained on."
                    )
                self._reader = reader
            return self._reader

    @property
    def identity(self):
        """A str of all parts of the SAE on which activations depend."""
        with self._lock:
            if self._identity is None:
                facts = {name: value for name, value in self.encoder._asdict().items() if name not in _OF_NO_EFFECT}
                arrays = {name: _hash(value) for name, value in facts.items() if isinstance(value, np.ndarray)}
                self._identity = json.dumps(facts | arrays)
            return self._identity

    def tokenize(self, texts, *, max_length, **options):
        """Return the windows of each text, a list of lists of `Window`."""
        reader = self.reader
        if max_length is not None and max_length > reader.context:
            raise ValueError(f"max_length={max_length} is more than the {reader.context} tokens that the reader takes.")
        return tokenize_texts(
            texts,
            reader.tokenizer,
            prepend_bos=self.encoder.prepend_bos,
            max_length=max_length or reader.context,
            is_causal=reader.is_causal,
            **options,
        )

    def pooled(self, windows, batch_size):
        """Yield, as texts are done, (their places in `windows`, their `Pooled`), the longest texts first.

        Parameters
        ----------
        windows : list of list of Window
            As `tokenize` returns them.
        batch_size : int
            The number of windows that are read at once.
        """
        order = sorted(range(len(windows)), key=lambda i: len(windows[i][0].ids), reverse=True)
        n_tokens = [sum(int(window.kept.sum()) for window in windows[i]) for i in order]
        n_done, carried = 0, None  # `carried` holds the entries of a text of which some windows are still to come
        for ranks, tokens, latents, values, n_next in self._batches([windows[i] for i in order], batch_size):
            entries = ranks[tokens], latents, values
            if carried is not None:
                entries = [np.concatenate(parts) for parts in zip(carried, entries, strict=True)]
            if n_next > n_done:
                cut = np.searchsorted(entries[0], n_next)
                texts, *active = (part[:cut] for part in entries)
                yield order[n_done:n_next], pool(texts - n_done, *active, n_tokens[n_done:n_next])
                entries, n_done = [part[cut:] for part in entries], n_next
            carried = entries

    def activations(self, windows, latent, batch_size):
        """Return the activations of `latent` on the kept tokens, an array for each text."""
        parts = []
        for ranks, tokens, latents, values, _ in self._batches(windows, batch_size):
            column = np.zeros(len(ranks), dtype=np.float32)
            column[tokens[latents == latent]] = values[latents == latent]
            parts.append(column)
        ends = np.cumsum([sum(int(window.kept.sum()) for window in some) for some in windows])
        return np.split(np.concatenate(parts), ends[:-1])

    def _batches(self, windows, batch_size):
        """Yield for each batch the texts of its kept tokens, their active entries, and how many texts are done.

        The entries are three arrays: the token's place among the batch's kept tokens, in ascending order; the latent;
        and its activation.
        """
        runs = [(i, window) for i, some in enumerate(windows) for window in some]
        for start in range(0, len(runs), batch_size):
            batch = runs[start : start + batch_size]
            n_kept = [int(window.kept.sum()) for _, window in batch]
            n_done = runs[start + batch_size][0] if start + batch_size < len(runs) else len(windows)
            yield np.repeat([i for i, _ in batch], n_kept), *self._active([window for _, window in batch]), n_done

    def _active(self, windows):
        (states,) = kept_states(self.reader, windows)
        check_finite(states)  # because no latent would be active
        if self._torch_encoder is None:
            device = states.device if self._sae_device == "auto" else self._sae_device
            self._torch_encoder = TorchEncoder(self.encoder, device)
        return [entries.cpu().numpy() for entries in self._torch_encoder(states)]


def load_engine(sae, model, *, activation_scale, sae_device, model_kwargs, **options):
    """Load an SAE and return its `Engine`.

    Parameters
    ----------
    sae, activation_scale
        Parameters of `load_sparse_encoder`.
    model : str, path-like, PreTrainedModel or None
        The reader. None: the one that the SAE names.
    sae_device : str
        A parameter of the `Engine`.
    model_kwargs : dict
        More parameters of the `Reader`, for `from_pretrained`.
    **options
        Parameters of the `Reader`.

    Raises
    ------
    ValueError
        If `model_kwargs` holds what has a parameter of its own, or the SAE does not name its reader.
    TypeError, ValueError, OSError, ImportError
        As `load_sparse_encoder`.
    """
    check_model_kwargs(model_kwargs)
    encoder = load_sparse_encoder(sae, activation_scale=activation_scale)
    model = encoder.model_name if model is None else model
    if model is None:
        raise ValueError(f"The SAE {encoder.source} does not name its reader; pass model.")
    return Engine(encoder, model, sae_device=sae_device, **options, **model_kwargs)


def reader_identity(model, tokenizer):
    """Return a str of all parts of a reader and its tokenizer on which activations depend.

    A model on the hub is expected not to change under its name. All weights of a loaded model are hashed, because they
    may have changed since it was loaded. None is returned if they are not in memory.
    """
    parts = []
    if isinstance(model, str | os.PathLike):
        parts.append(path_identity(model))
    else:
        hashed = hashlib.sha256(model.config.to_json_string().encode())
        parts.append(path_identity(model.config._name_or_path) if tokenizer is None else "")
        for name, tensor in model.state_dict().items():
            if tensor.is_meta:
                return None
            hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            hashed.update(_bytes(tensor))
        parts.append(hashed.hexdigest())
    if getattr(tokenizer, "is_fast", False):
        special = tokenizer.bos_token_id, tokenizer.eos_token_id
        backend = json.loads(tokenizer.backend_tokenizer.to_str())
        backend |= {"truncation": None, "padding": None}  # because each use of the tokenizer sets them anew
        parts += [backend, tokenizer.chat_template, special]
    return json.dumps(parts)


def reader_name(model):
    """Return what a reader is called, to say what a store holds."""
    return os.fspath(model) if isinstance(model, str | os.PathLike) else model.config._name_or_path or "a loaded model"


def path_identity(name):
    """Return a str that changes when the file or folder `name` does; a name on the hub is returned as it is."""
    name = os.path.expanduser(os.fspath(name))
    return path_fingerprint(name) if os.path.exists(name) else name


def _bytes(tensor):
    import torch

    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def _hash(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
