"""Texts as tokens for the reader, and which of the tokens are the text's own."""

import threading
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

# This text is rendered to see what a chat template puts around a text, and whether it changes the text.
_PROBE = "\u00abA Probe & its 'own' <b>\"text\"</b>\n\n  of {{ two }} lines\u00bb"
_GUARD = "\ue000guard\ue000"

_in_use = threading.Lock()  # because tokenizers refuse to be used by two threads at once


class Window(NamedTuple):
    """The tokens that the reader reads at once: those of a whole text, or of a part of one.

    For a causal reader it ends with the last token of the text in it, because states then depend on nothing later. For
    an encoder it also has what the tokenizer or the template puts behind a text, such as [SEP].
    """

    ids: list  # (T,) of int: the text's tokens, between those that the tokenizer and the chat template put around them
    kept: np.ndarray  # (T,) bool: whether a token is pooled; each token of a text is kept in one of its windows
    spans: np.ndarray  # (T, 2) int64: start and end of each kept token in the text, in characters; of others 0, 0
    cut: bool = False  # whether the text goes on with tokens that are in no window


class Frame(NamedTuple):
    """What a chat template puts around a text."""

    before: str
    after: str
    strips: bool  # whether the template takes white space off both ends of the text


def tokenize_texts(
    texts,
    tokenizer,
    *,
    chat_template="auto",
    prepend_bos=None,
    max_length=None,
    overlap=None,
    is_causal=True,
    row_of=lambda i: i,
):
    """Return the windows of each text.

    Parameters
    ----------
    texts : list of str
    tokenizer : transformers.PreTrainedTokenizerFast
    chat_template : "auto", None, or str, default="auto"
        The Jinja template in which each text is rendered as a user's message. "auto": the tokenizer's own, if it has
        one. None: the text stands alone.
    prepend_bos : bool or None, default=None
        Whether a window begins with a BOS, which is not repeated where the template writes one itself. None leaves it
        to the tokenizer or the template. The EOS is used where the tokenizer has no BOS, as in TransformerLens.
    max_length : int or None, default=None
        The most tokens in a window, including special tokens and the template. None: no limit.
    overlap : int or None, default=None
        None cuts a text off at `max_length`. With a number, a longer text has several windows. Each begins with the
        BOS and the template and repeats the last `overlap` tokens of the window before. For a causal reader these are
        context that is not kept. For an encoder the first half of them is kept in the window before and the second
        half in the window after, so that each kept token has context on both sides; and its last window repeats more
        tokens, so that it is as long as the others.
    is_causal : bool, default=True
        Whether the reader is a causal one, or else an encoder.
    row_of : callable, default=lambda i: i
        Returns the number by which a message calls the row of text `i`.

    Returns
    -------
    windows : list of list of Window
        One list a text, of one window unless `overlap` is given.

    Raises
    ------
    ValueError
        If the tokenizer gives no offsets or no BOS can be had; the template refuses the role or changes the text;
        `max_length` leaves no room for the text; or a text has no token.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"The reader's tokenizer {type(tokenizer).__name__} is a slow one, which does not say where in the text a "
            "token stands; use a reader that comes with a tokenizer.json."
        )
    bos = _bos_id(tokenizer) if prepend_bos else None
    frame = find_frame(tokenizer, chat_template)
    bodies = [text.strip() for text in texts] if frame.strips else texts
    encoded = _tokenize_framed(bodies, tokenizer, frame, add_special_tokens=prepend_bos is None)
    windows = []
    for i, (text, body, (ids, offsets)) in enumerate(zip(texts, bodies, encoded, strict=True)):
        first, stop = _text_tokens(offsets, len(frame.before), len(body))
        if first == stop:
            raise ValueError(f"The text in row {row_of(i)} has no token for the reader; drop it.")
        spans = np.clip(offsets[first:stop] - len(frame.before), 0, len(body))
        if frame.strips:
            spans += len(text) - len(text.lstrip())
        head = ids[:first]
        if bos is not None and head[:1] != [bos]:  # only the head counts, because a text may begin with the same token
            head = [bos, *head]
        tail = [] if is_causal else ids[stop:]
        windows.append(_windows(head, ids[first:stop], tail, spans, max_length, overlap, is_causal))
    return windows


def words_of_tokens(spans, words):
    """Return for each token the word of which it has the most characters.

    The white space that tokens of some tokenizers begin with is thereby of no account.

    Parameters
    ----------
    spans : array of shape (n_tokens, 2)
        The start and end of each token in the text, in ascending order, as in `Window`.
    words : array of shape (n_words, 2)
        The start and end of each word in the text, in ascending order and without overlap.

    Returns
    -------
    places : array of shape (n_tokens,), int64
        The place of each token's word in `words`; -1 where a token has no character of a word.
    """
    spans, words = (np.asarray(some, dtype=np.int64).reshape(-1, 2) for some in (spans, words))
    first = np.searchsorted(words[:, 1], spans[:, 0], side="right")  # the first word that ends after the token starts
    stop = np.maximum(np.searchsorted(words[:, 0], spans[:, 1], side="left"), first)
    n_candidates = stop - first
    tokens = np.repeat(np.arange(len(spans)), n_candidates)
    candidates = np.arange(len(tokens)) - np.repeat(np.cumsum(n_candidates) - n_candidates - first, n_candidates)
    shared = np.minimum(words[candidates, 1], spans[tokens, 1]) - np.maximum(words[candidates, 0], spans[tokens, 0])
    order = np.lexsort((-candidates, shared))  # the greatest share last, and of equal ones the first word
    places = np.full(len(spans), -1)
    order = order[shared[order] > 0]
    places[tokens[order]] = candidates[order]
    return places


def pad(windows, tokenizer):
    """Return windows as one batch, padded on the tokenizer's padding side.

    Parameters
    ----------
    windows : list of Window
    tokenizer : transformers.PreTrainedTokenizerBase

    Returns
    -------
    ids, mask : Tensor of shape (B, T), int64
        T is the length of the longest window. The mask is 1 at tokens and 0 at padding, so the states at
        ``mask.bool()`` are those of the tokens of one window after the other.
    """
    import torch

    lengths = np.array([len(window.ids) for window in windows])[:, None]
    longest = lengths.max()
    places = np.arange(longest)
    is_token = places >= longest - lengths if tokenizer.padding_side == "left" else places < lengths
    # Padding is token 0, because every model has one; a tokenizer's own may be beyond the model's vocabulary.
    ids = np.zeros(is_token.shape, np.int64)
    ids[is_token] = np.fromiter(chain.from_iterable(window.ids for window in windows), np.int64)
    return torch.from_numpy(ids), torch.from_numpy(is_token.astype(np.int64))


def find_frame(tokenizer, chat_template="auto"):
    """Return what the chat template puts around a user's text, and whether it strips the text.

    Raises
    ------
    ValueError
        If the template refuses the role, or changes the text.
    """
    if chat_template is None or (chat_template == "auto" and not tokenizer.chat_template):
        return Frame("", "", False)
    template = None if chat_template == "auto" else chat_template
    parts = _render(tokenizer, template, _PROBE).split(_PROBE)
    if len(parts) == 2:
        padded = f" \n{_PROBE}\n "
        rendered = _render(tokenizer, template, padded)
        for inside, strips in ((padded, False), (_PROBE, True)):
            if rendered == inside.join(parts):
                return Frame(*parts, strips)
    raise ValueError(
        "The chat template changes the text that it is given, so that the text's tokens cannot be told from its own; "
        "pass chat_template=None, or a template that writes the text once and as it is."
    )


def _render(tokenizer, template, text):
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], chat_template=template, tokenize=False
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise ValueError(
            f"The chat template refuses a message of the role 'user' ({error}); pass chat_template=None, or a "
            "template that takes one."
        ) from None


def _bos_id(tokenizer):
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return token
    raise ValueError(
        "The reader is to get a BOS token before each text, and its tokenizer has neither a BOS nor an EOS token; pass "
        "as tokenizer one whose bos_token is set."
    )


def _tokenize_framed(bodies, tokenizer, frame, *, add_special_tokens):
    """Return the ids (a list) and offsets (T, 2) of each body in its frame.

    A control token that is written in a body is encoded as text.
    """
    if not (frame.before or frame.after):
        return _tokenize(bodies, tokenizer, add_special_tokens=add_special_tokens, split_special_tokens=True)
    # No special token is added, because a template writes all of them itself, as in transformers.
    rendered = [f"{frame.before}{body}{frame.after}" for body in bodies]
    encoded = _tokenize(rendered, tokenizer, add_special_tokens=False, split_special_tokens=False)
    control = _control_ids(tokenizer)
    rows = [
        row
        for row, (body, (ids, offsets)) in enumerate(zip(bodies, encoded, strict=True))
        if not control.isdisjoint(ids[slice(*_text_tokens(offsets, len(frame.before), len(body)))])
    ]
    if rows:
        guarded = _tokenize_guarded([bodies[row] for row in rows], tokenizer, frame)
        for row, pair in zip(rows, guarded, strict=True):
            encoded[row] = pair
    return encoded


def _tokenize(texts, tokenizer, *, add_special_tokens, split_special_tokens):
    with _in_use:
        encodings = tokenizer(
            list(texts),
            add_special_tokens=add_special_tokens,
            split_special_tokens=split_special_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,  # because `_windows` takes care of the length
        ).encodings
    return [_ids_and_offsets(encoding) for encoding in encodings]


def _ids_and_offsets(encoding):
    ids = encoding.ids
    offsets = np.fromiter(chain.from_iterable(encoding.offsets), np.int64, count=2 * len(ids))
    return ids, offsets.reshape(-1, 2)


def _control_ids(tokenizer):
    return {token_id for token_id, token in tokenizer.added_tokens_decoder.items() if token.special}


def _tokenize_guarded(bodies, tokenizer, frame):
    """Encode bodies in their frame so that control tokens of the frame, and no others, are encoded as such.

    A tokenizer encodes what is before a control token and what is after it separately. The frame up to its last control
    token before the body, and the frame from its first control token after the body, are therefore encoded by
    themselves. The text in between is encoded without any control token. A guard, which is a token that no text has,
    stands at each end where a part of the frame was taken off, because a tokenizer may treat the start of a text
    in another way.
    """
    import tokenizers

    guard = _GUARD
    while any(guard in body for body in bodies):
        guard += "\ue000"
    control = _control_ids(tokenizer)
    before_ids, before = _split_frame(tokenizer, frame.before, control, last=True)
    after_ids, after = _split_frame(tokenizer, frame.after, control, last=False)
    backend = tokenizers.Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.add_tokens([tokenizers.AddedToken(guard, normalized=False)])
    backend.encode_special_tokens = True
    left, right = guard if before_ids else "", guard if after_ids else ""
    texts = [f"{left}{before}{body}{after}{right}" for body in bodies]
    shift = len(frame.before) - len(before) - len(left)
    encoded = []
    for encoding in backend.encode_batch(texts, add_special_tokens=False):
        ids, offsets = _ids_and_offsets(encoding)
        inside = slice(len(left) > 0, len(ids) - (len(right) > 0))
        around = [np.zeros((len(some), 2), np.int64) for some in (before_ids, after_ids)]
        ids = [*before_ids, *ids[inside], *after_ids]
        encoded.append((ids, np.concatenate([around[0], offsets[inside] + shift, around[1]])))
    return encoded


def _split_frame(tokenizer, side, control, *, last):
    """Return the ids of `side` up to its last control token, or from its first, and the rest of `side` as text."""
    ids, offsets = _tokenize([side], tokenizer, add_special_tokens=False, split_special_tokens=False)[0]
    places = [place for place, token_id in enumerate(ids) if token_id in control]
    if not places:
        return [], side
    if last:
        return ids[: places[-1] + 1], side[offsets[places[-1], 1] :]
    return ids[places[0] :], side[: offsets[places[0], 0]]


def _text_tokens(offsets, start, length):
    """Return the first of the tokens that overlap a text's characters, and the one after the last."""
    overlaps = (offsets[:, 0] < start + length) & (offsets[:, 1] > start)
    places = np.flatnonzero(overlaps)
    return (places[0], places[-1] + 1) if len(places) else (0, 0)


def _windows(head, ids, tail, spans, max_length, overlap, is_causal):
    """Return the windows of the tokens `ids` of a text, each of which has the tokens `head` and `tail` around it."""
    n, n_around = len(ids), len(head) + len(tail)
    room = n if max_length is None else max_length - n_around
    if room <= (overlap or 0):
        raise ValueError(
            f"max_length={max_length} leaves no room for the text: {n_around} tokens stand "
            f"{'around' if tail else 'before'} it{f' and overlap={overlap}' if overlap else ''}; raise max_length."
        )
    if overlap is None:
        starts, bounds = [0], [0, room]
    elif is_causal:
        starts = range(0, max(n - overlap, 1), room - overlap)
        bounds = [0, *(start + overlap for start in starts[1:]), n]
    else:
        starts = [min(start, max(n - room, 0)) for start in range(0, max(n - overlap, 1), room - overlap)]
        # Half of what two windows share is kept in each.
        bounds = [0, *((a + room + b + 1) // 2 for a, b in pairwise(starts)), n]
    windows = []
    for start, (first, stop) in zip(starts, pairwise(bounds), strict=True):
        part = [*head, *ids[start : start + room], *tail]
        places = np.arange(len(part)) - len(head) + start  # of the window's tokens in the text
        kept = (places >= first) & (places < min(stop, n))
        own = np.zeros((len(part), 2), np.int64)
        own[kept] = spans[first:stop]
        windows.append(Window(part, kept, own, overlap is None and n > room))
    return windows
