"""The states of the words of texts: what a reader makes of each word where it stands."""

from typing import NamedTuple

import numpy as np

from sklearn_sae.pretrained._reader import check_finite, kept_states
from sklearn_sae.pretrained._tokens import tokenize_texts, words_of_tokens


class WordStates(NamedTuple):
    """The states of the words of one text that count and of which the reader has a token."""

    is_read: np.ndarray  # (n_counted,) bool: whether the reader has a token of each word that counts
    states: np.ndarray  # (n_words, width) float16: the state of each word that is read, its norm the root of the width


def ends_unread(is_read):
    """Return whether the reader has no token of a text's last word that counts, as where the text was cut."""
    return len(is_read) > 0 and not is_read[-1]


def read_words(texts, spans, reader, *, prepend_bos, max_length, overlap, batch_size, row_of=lambda i: i):
    """Yield, as texts are done, (their places, for each of them a list with the `WordStates` of each layer).

    The state of a word is the mean over its tokens. The longest texts come first, because texts of like length pad each
    other least.

    Parameters
    ----------
    texts : list of str
    spans : list of ndarray of shape (n_counted, 2)
        Where the words stand in each text that count.
    reader : Reader
        A reader of several layers.
    prepend_bos, max_length, overlap, row_of
        As of `tokenize_texts`.
    batch_size : int
        The number of windows that are read at once.
    """
    windows = tokenize_texts(
        texts,
        reader.tokenizer,
        chat_template=None,
        prepend_bos=prepend_bos,
        max_length=max_length,
        overlap=overlap,
        is_causal=reader.is_causal,
        row_of=row_of,
    )
    order = sorted(range(len(texts)), key=lambda i: sum(len(window.ids) for window in windows[i]), reverse=True)
    for places in _batches(order, [len(some) for some in windows], batch_size):
        yield places, _read(reader, [windows[i] for i in places], [spans[i] for i in places], batch_size)


def _batches(order, n_windows, batch_size):
    batch, n = [], 0
    for i in order:
        if batch and n + n_windows[i] > batch_size:
            yield batch
            batch, n = [], 0
        batch.append(i)
        n += n_windows[i]
    if batch:
        yield batch


def _read(reader, windows, spans, batch_size):
    """Return for each text a list with its `WordStates` in each layer."""
    import torch

    runs = [window for some in windows for window in some]
    runs = [kept_states(reader, runs[start : start + batch_size]) for start in range(0, len(runs), batch_size)]
    word_of_token, is_read, start = [], [], 0
    for some, words in zip(windows, spans, strict=True):
        tokens = np.concatenate([window.spans[window.kept] for window in some])
        places = words_of_tokens(tokens, words)
        word_of_token.append(np.where(places >= 0, places + start, -1))
        is_read.append(np.isin(np.arange(len(words)), places))
        start += len(words)
    word_of_token = np.concatenate(word_of_token)
    means = [_means(torch.cat(states), word_of_token) for states in zip(*runs, strict=True)]
    ends = np.cumsum([some.sum() for some in is_read])[:-1]
    parts = [np.split(states, ends) for states in means]
    return [
        [WordStates(read, of_layer) for of_layer in of_text]
        for read, of_text in zip(is_read, zip(*parts, strict=True), strict=True)
    ]


def _means(states, word_of_token):
    """Return the mean state of each word that has a token, with the root of the width as its norm, float16."""
    import torch

    tokens = np.flatnonzero(word_of_token >= 0)
    tokens = tokens[np.argsort(word_of_token[tokens], kind="stable")]
    if not len(tokens):  # which torch does not reduce
        return np.zeros((0, states.shape[1]), np.float16)
    _, n_tokens = np.unique(word_of_token[tokens], return_counts=True)
    states = states[torch.from_numpy(tokens).to(states.device)].float()
    check_finite(states)
    means = torch.segment_reduce(states, "mean", lengths=torch.from_numpy(n_tokens).to(states.device))
    norms = means.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return (means * (means.shape[1] ** 0.5 / norms)).half().cpu().numpy()
