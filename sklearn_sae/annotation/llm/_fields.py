"""The fields of a reply, which is plain JSON data of either OpenAI protocol, Chat Completions or Responses.

Whatever a server left out or got wrong counts as missing.
"""

import math
import re
from itertools import accumulate

_THINKS = re.compile(r"<think(ing)?>", re.IGNORECASE)
_THOUGHT = re.compile(r"</think(ing)?>", re.IGNORECASE)
_TOKEN_NAMES = (("prompt", "input"), ("completion", "output"))  # in the one protocol and in the other


def reply_text(data):
    """Return what the model said in the reply `data`, "" if nothing."""
    texts = []
    for part in _parts(data):
        text = part.get("text", part.get("content"))
        if isinstance(text, list):  # some servers send a message as a list of parts
            text = "".join(piece["text"] for piece in _dicts(text) if _is_text(piece))
        if isinstance(text, str):
            texts.append(text)
    return "".join(texts).encode("utf-8", "replace").decode("utf-8")  # JSON can spell what no file can hold


def was_cut(data):
    """Return whether the reply ended at a length limit."""
    if not isinstance(data, dict):
        return False
    return data.get("status") == "incomplete" or _first(data.get("choices")).get("finish_reason") == "length"


def was_refused(data):
    """Return whether the model, or a filter before or behind it, would not answer for what the text says."""
    if not isinstance(data, dict):
        return False
    choice = _first(data.get("choices"))
    details = data.get("incomplete_details")
    reasons = [choice.get("finish_reason"), details.get("reason") if isinstance(details, dict) else None]
    if any(isinstance(reason, str) and reason.startswith("content_filter") for reason in reasons):
        return True
    message = choice.get("message")
    said = message.get("refusal") if isinstance(message, dict) else None
    items = [part for item in _dicts(data.get("output")) for part in _dicts(item.get("content"))]
    return (isinstance(said, str) and said != "") or any(part.get("type") == "refusal" for part in items)


def only_thought(data):
    """Return whether the model thought and came to no answer."""
    text = reply_text(data)
    if text.strip():
        return was_cut(data) and bool(_THINKS.search(text)) and not _THOUGHT.search(text)
    return was_cut(data) or has_thoughts(data)


def has_thoughts(data):
    """Return whether the model thought before it answered, if it did."""
    if not isinstance(data, dict):
        return False
    message = _first(data.get("choices")).get("message")
    message = message if isinstance(message, dict) else {}
    is_reasoned = any(item.get("type") == "reasoning" for item in _dicts(data.get("output")))
    is_reasoned = is_reasoned or any(message.get(name) for name in ("reasoning", "reasoning_content"))
    usage = data.get("usage") if isinstance(data.get("usage"), dict) else {}
    details = [usage.get(f"{name}_tokens_details") for name in _TOKEN_NAMES[1]]
    is_counted = any(isinstance(detail, dict) and detail.get("reasoning_tokens") for detail in details)
    return is_reasoned or is_counted or bool(_THINKS.search(reply_text(data)) or _THOUGHT.search(reply_text(data)))


def reply_tokens(data):
    """Return (prompt tokens, completion tokens) as the server counted them, 0 where it did not."""
    usage = data.get("usage") if isinstance(data, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    counts = [usage.get(f"{chat}_tokens", usage.get(f"{responses}_tokens")) for chat, responses in _TOKEN_NAMES]
    return tuple(count if isinstance(count, int) else 0 for count in counts)


def reply_logprobs(data):
    """Return one dict token -> log-probability for each token that the model said; [] if there are none.

    The token that it said comes first in each.
    """
    if isinstance(data, dict) and "choices" in data:
        owners = [_first(data["choices"]).get("logprobs")]
    else:
        owners = [{"content": part.get("logprobs")} for part in _parts(data)]
    rows = [row for owner in owners if isinstance(owner, dict) for row in _dicts(owner.get("content"))]
    tokens = [[row, *_dicts(row.get("top_logprobs"))] for row in rows]
    return [
        {entry["token"]: float(entry["logprob"]) for entry in entries if _is_logprob(entry)}
        for entries in tokens
        if _is_logprob(entries[0])
    ]


def yes_probability(logprobs):
    """Return P(yes) / (P(yes) + P(no)) at the first token that says either; None if none does.

    If none does, it is the one at the first token, as far as the model might have said both there.

    Parameters
    ----------
    logprobs : list of dict
        As `reply_logprobs` returns them. Spellings (case, spaces, quotes) are summed.
    """
    said = [next(iter(tokens)) for tokens in logprobs]
    thoughts = list(_THOUGHT.finditer("".join(said)))
    first = thoughts[-1].end() if thoughts else 0  # characters to pass over
    starts = accumulate(map(len, said), initial=0)
    for start, word, tokens in zip(starts, said, logprobs, strict=False):
        if start >= first and _spelled(word) in ("yes", "no"):
            yes, no = _masses(tokens)
            return yes / (yes + no) if yes + no > 0 else None
    if first or not logprobs or _THINKS.search("".join(said)):
        return None
    yes, no = _masses(logprobs[0])
    return yes / (yes + no) if yes > 0 and no > 0 else None


def _masses(tokens):
    """Return the probabilities of yes and of no."""
    mass = {"yes": 0.0, "no": 0.0}
    for token, logprob in tokens.items():
        if _spelled(token) in mass:
            mass[_spelled(token)] += math.exp(min(logprob, 0.0))
    return mass["yes"], mass["no"]


def _spelled(token):
    return token.strip(" \t\r\n\"'*_.,`▁Ġ").lower()


def _parts(data):
    """Return the parts of the reply that hold the model's words."""
    if not isinstance(data, dict):
        return []
    if "choices" in data:
        message = _first(data["choices"]).get("message")
        return [message] if isinstance(message, dict) else []
    messages = [item for item in _dicts(data.get("output")) if item.get("type") == "message"]
    return [part for message in messages for part in _dicts(message.get("content")) if _is_text(part)]


def _is_text(part):
    return part.get("type") in ("text", "output_text") and isinstance(part.get("text"), str)


def _is_logprob(entry):
    logprob = entry.get("logprob")
    return isinstance(entry.get("token"), str) and isinstance(logprob, (int, float)) and not math.isnan(logprob)


def _dicts(values):
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _first(values):
    return values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else {}


class NoLogprobsError(ValueError):
    """The server gave no token log-probabilities."""

    def __init__(self):
        super().__init__(
            'The server gave no token log-probabilities, which output="probability" needs; '
            'pass output="binary", or a model and api that give them.'
        )
