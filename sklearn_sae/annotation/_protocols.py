"""Request bodies of, and replies from, the two OpenAI protocols: Chat Completions and Responses.

Replies are plain JSON here, and whatever a server left out or got wrong reads as "nothing there".
"""

import json
import math
import re
from collections.abc import Mapping
from itertools import accumulate
from urllib.parse import urlsplit

PATHS = {"chat": "/chat/completions", "responses": "/responses"}

_TOKEN_NAMES = (("prompt", "input"), ("completion", "output"))  # in the one protocol and in the other
_TOP_LOGPROBS = 10
_OWNED = ("model", "messages", "instructions", "input", "response_format", "logprobs", "include", "stream", "n")


def choose_api(api, base_url):
    """Return "chat" or "responses".

    "auto" is Responses for OpenAI itself, which recommends it and keeps its newest models to it, and Chat
    Completions everywhere else, since every compatible server speaks that.
    """
    if api != "auto":
        return api
    host = urlsplit(base_url).hostname
    return "responses" if host == "openai.com" or host.endswith(".openai.com") else "chat"


def check_params(params, name):
    """Refuse parameters that cannot go into a request body, or would change what a request is.

    Parameters
    ----------
    params : mapping of str to JSON value, or None
        As `request_body` takes them.
    name : str
        What to call them in an error.

    Raises
    ------
    TypeError
        If `params` is neither a mapping nor None.
    ValueError
        If a key is no str or belongs to the engine, or a value is none that JSON can hold.
    """
    if params is None:
        return
    if not isinstance(params, Mapping):
        raise TypeError(f"{name} must be a mapping of request parameters, or None; got {type(params).__name__}.")
    for key, value in params.items():
        if not isinstance(key, str):
            raise ValueError(f"{name} must have str as keys; got {key!r}.")
        if key in _OWNED:
            raise ValueError(f"{name} cannot set {key!r}, which the annotator sets itself; leave it out.")
        if key == "text" and (not isinstance(value, Mapping) or "format" in value):
            raise ValueError(f"{name} can set 'text' only to a mapping without 'format', which is set where needed.")
        try:
            json.dumps({key: value}, allow_nan=False, ensure_ascii=False, sort_keys=True).encode("utf-8")
        except (TypeError, ValueError, RecursionError):
            raise ValueError(f"{name} has a value under {key!r} that JSON cannot hold.") from None


def request_body(api, prompt, *, model, n_answers=None, labels=None, logprobs=False, params=None):
    """Return the JSON body of a request.

    No temperature and no token limit unless `params` has them: reasoning models refuse the first and spend
    the second on thoughts.

    Parameters
    ----------
    api : {"chat", "responses"}
    prompt : Prompt
    model : str
    n_answers : int or None, default=None
        Ask the server to hold the reply to a JSON object with this many numbered answers.
    labels : tuple of str or None, default=None
        The answers to hold it to; None: yes and no.
    logprobs : bool, default=False
    params : mapping or None, default=None
        What the user adds, as `check_params` lets it pass.
    """
    params = dict(params or {})
    schema = None
    if n_answers is not None:
        schema = {"name": "answers", "strict": True, "schema": _schema(n_answers, labels or ("yes", "no"))}
    if api == "chat":
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        body = {"model": model, "messages": messages}
        if schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        return body | params
    # The provider need not keep what it was asked. Some servers stream unless told not to.
    body = {"model": model, "instructions": prompt.system, "input": prompt.user, "store": False, "stream": False}
    if schema is not None:
        body["text"] = {**params.pop("text", {}), "format": {"type": "json_schema", **schema}}
    if logprobs:
        body |= {"include": ["message.output_text.logprobs"], "top_logprobs": _TOP_LOGPROBS}
    return body | params


def _schema(n_answers, labels):
    numbers = [str(i + 1) for i in range(n_answers)]
    answer = {"type": "string", "enum": list(labels)}
    properties = dict.fromkeys(numbers, answer)
    return {"type": "object", "properties": properties, "required": numbers, "additionalProperties": False}


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

    Parameters
    ----------
    logprobs : list of dict
        As `reply_logprobs` returns them. Spellings (case, spaces, quotes) are summed.
    """
    said = [next(iter(tokens)) for tokens in logprobs]
    thoughts = list(re.finditer(r"</think(ing)?>", "".join(said), re.IGNORECASE))
    first = thoughts[-1].end() if thoughts else 0  # characters to pass over
    starts = accumulate(map(len, said), initial=0)
    for start, word, tokens in zip(starts, said, logprobs, strict=False):
        if start >= first and _spelled(word) in ("yes", "no"):
            mass = {"yes": 0.0, "no": 0.0}
            for token, logprob in tokens.items():
                if _spelled(token) in mass:
                    mass[_spelled(token)] += math.exp(min(logprob, 0.0))
            total = mass["yes"] + mass["no"]
            return mass["yes"] / total if total > 0 else None
    return None


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
