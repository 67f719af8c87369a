"""What it means that a server refuses a request: one table, from status, code and message to a decision and a sentence.

Servers say the same in many ways. Messages are looked at and never shown, because many quote the text or the key. Of
codes and names of parameters only those are shown that cannot be either.
"""

import json
import re
from enum import Enum, auto
from typing import NamedTuple

from sklearn_sae.utils.server._retry_after import LONGEST_PAUSE, in_words, retry_after

REFUSED = "refused by the provider for what a text says"
TOO_LONG = "too long for the model"
NOT_ALLOWED = "not allowed to the key"

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,59}")
_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)
_OF_TEXTS = ("messages", "input", "instructions", "prompt")
_NOT_PARAMETERS = {"model", *_OF_TEXTS}
_A_QUOTE = 12  # characters
_TRY_AGAIN = (408, 409, 425, 429)  # and 500 and more


class Decision(Enum):
    """What follows from a refusal."""

    RUN = auto()  # no request can do better: give up the run
    FIRST = auto()  # the same, unless another request is answered
    TEXT = auto()  # give up this text
    PART = auto()  # ask without a part of the request, or, if it is the user's, as FIRST
    WAIT = auto()  # ask again later, which the client does


class Refusal(NamedTuple):
    """What a refusal means."""

    decision: Decision
    reason: str  # in a few words, to count by
    error: Exception  # what to raise if the run is given up
    part: str | None = None  # the parameter that is refused, if it is known


class Place(NamedTuple):
    """Who was asked, for the sentences; what else a refusal means does not hang on it."""

    address: str = ""
    model: str = ""
    variable: str | None = None  # that holds the key; None: there was none
    proxy: str | None = None


class _Facts(NamedTuple):
    status: int
    codes: str
    message: str
    is_page: bool
    code: str  # what may be shown: a code, and the name of a parameter
    part: str | None


class _Row(NamedTuple):
    statuses: tuple
    decision: Decision
    kind: type
    sentence: str
    codes: str | None = None  # pattern; a row without patterns is for all with its status
    says: str | None = None
    reason: str | None = None
    needs: str | None = None  # a condition beside the patterns: "page", "no key", "part"


_NO_CREDIT = "The server at {address} says that the account has no credit left{code}."
_A_PAGE = (
    "A page came (HTTP {status}) and no answer of the server at {address}: a proxy or firewall{proxy} is in the way, "
    "or base_url is not that of the API."
)
_WRONG_KEY = "The server at {address} rejected the API key; check {variable}{code}."
_TABLE = [
    _Row(
        (400, 403, 422, 451),
        Decision.TEXT,
        ValueError,
        "The server at {address} refuses what the texts say{code}.",
        codes=r"content_?filter|content_policy|content_risk|invalid_prompt|data_?inspection_?failed|flagged_input"
        r"|responsibleai|moderation|prohibited_content|\b1301\b",
        says=r"content management policy|content filter|inappropriate content|content exists risk|usage (policy"
        r"|policies|guidelines)|considered high risk|requires moderation|不安全或敏感内容",
        reason=REFUSED,
    ),
    _Row(
        (400, 413, 422, 500),
        Decision.TEXT,
        ValueError,
        "The server at {address} refused a request to model {model!r} as too long{code}; shorten the texts.",
        codes=r"context_length|context_size|string_above_max_length|request_too_large",
        says=r"context.length|context size|too (long|large)|less than \d+ tokens|max\w* (number of )?tokens",
        reason=TOO_LONG,
    ),
    _Row(
        (400, 403, 429),
        Decision.RUN,
        PermissionError,
        _NO_CREDIT,
        codes=r"insufficient_(quota|balance|credit)|credit_balance|billing_(not_active|hard_limit)|arrearage"
        r"|exceeded_current_quota",
        says=r"credit balance is too low|insufficient balance|account is in arrears|not in good standing",
    ),
    _Row((402,), Decision.RUN, PermissionError, _NO_CREDIT),
    _Row(
        (400, 403, 451),
        Decision.RUN,
        PermissionError,
        "The server at {address} does not serve the country from which it is asked{code}.",
        codes=r"unsupported_country|unsupported_region",
        says=r"country, region|location is not supported|not (available|supported) in your (country|region)",
    ),
    _Row(
        (400, 401, 403, 404),
        Decision.RUN,
        PermissionError,
        "The server at {address} does this with model {model!r} for verified organizations only{code}; verify yours in "
        "the provider's settings, or choose another model.",
        says=r"organi[sz]ation must be verified",
    ),
    _Row(
        (401,),
        Decision.RUN,
        PermissionError,
        "The server at {address} knows no organization of the key in {variable}{code}; make a key in one.",
        says=r"must be a member of an organi[sz]ation",
    ),
    _Row(
        (401, 403),
        Decision.RUN,
        PermissionError,
        "The key in {variable} has no access to model {model!r} of the server at {address}{code}.",
        codes=r"model_not_found|model_not_allowed",
        says=r"(not|n't) have (access|permission) to (use )?(the |this )?\S*\s?model|access to (the |this )?model"
        r"|not allowed to (access|use) (the |this )?model",
    ),
    _Row(
        (401, 403),
        Decision.RUN,
        PermissionError,
        "The key in {variable} has not the permission to ask the server at {address}{code}; give it all permissions, "
        "or make another.",
        codes=r"insufficient_scope|missing_scope",
        says=r"insufficient permissions|missing scope",
        reason=NOT_ALLOWED,
    ),
    _Row((407,), Decision.RUN, PermissionError, "The proxy{proxy} before {address} wants a user name and password."),
    _Row((401,), Decision.RUN, PermissionError, _A_PAGE, needs="page"),
    _Row((403, 404, 405), Decision.FIRST, PermissionError, _A_PAGE, needs="page"),
    _Row(
        (401,),
        Decision.RUN,
        PermissionError,
        "The server at {address} wants an API key, and got none{code}: put it into an environment variable, and the "
        "variable's name into api_key_env. (OPENAI_API_KEY goes to OpenAI and to what OPENAI_BASE_URL names.)",
        needs="no key",
    ),
    _Row(
        (403,),
        Decision.FIRST,
        PermissionError,
        "The server at {address} refuses to answer without an API key{code}: put it into an environment variable, and "
        "the variable's name into api_key_env.",
        needs="no key",
    ),
    _Row((401,), Decision.RUN, PermissionError, _WRONG_KEY),
    _Row(
        (403,),
        Decision.FIRST,
        PermissionError,
        "The server at {address} rejected the API key; check {variable}, and what the key may do{code}.",
    ),
    _Row(
        (400,),
        Decision.RUN,
        PermissionError,
        _WRONG_KEY,
        codes=r"api_key_invalid|invalid_api_key",
        says=r"api key (not valid|is invalid|not found|expired)|(invalid|incorrect|missing) api[ -]key",
    ),
    _Row(
        (404,),
        Decision.PART,
        ValueError,
        "The server at {address} has nobody to answer a request with these parameters to model {model!r}{code}; leave "
        "some out.",
        says=r"no endpoints? found that|requested parameters",
    ),
    _Row(
        (400, 404, 422),
        Decision.RUN,
        ValueError,
        "The server at {address} has no model {model!r}, or not for this key; check the model's name{code}.",
        codes=r"model_not_found|deploymentnotfound|model_not_exist|invalid_model|unknown_model",
        says=r"model( name)? (\S+ )?(does )?not (exist|found)|pinned to|not a valid model|no models? loaded"
        r"|no endpoints? (found for|available)|unknown model|models/\S+ is not found"
        r"|deployment for this resource does not exist",
    ),
    _Row(
        (404,),
        Decision.RUN,
        ValueError,
        "The server at {address} has no model {model!r} or no such address; check the model's name and base_url, which "
        "for most servers ends in /v1{code}.",
    ),
    _Row(
        (400, 422),
        Decision.PART,
        ValueError,
        "The server at {address} refused the parameter {part!r} for model {model!r}{code}; change it or leave it out.",
        needs="part",
    ),
]


def refusal_of(error, place):
    """Return what an `openai.APIStatusError` means.

    Parameters
    ----------
    error : openai.APIStatusError
    place : Place

    Returns
    -------
    refusal : Refusal
    """
    pause = retry_after(error.response.headers)
    if pause > LONGEST_PAUSE:
        sentence = f"The server at {place.address} asks for a pause of {in_words(pause)}; run again after it."
        return Refusal(Decision.RUN, f"HTTP {error.status_code}", TimeoutError(sentence))
    try:
        sent = json.loads(error.request.content)
    except (ValueError, RuntimeError):  # a file, which was sent as a stream
        sent = {}
    return meaning_of(error.status_code, error.body, place, sent=sent, headers=dict(error.request.headers))


def meaning_of(status, body, place, *, sent=None, headers=None):
    """Return what a status and the body beside it mean.

    Parameters
    ----------
    status : int
        400 or more.
    body : JSON value
        What came, or the error in it.
    place : Place
    sent, headers : dict or None, default=None
        The body and the headers of the request, of which nothing but names of parameters may be shown.

    Returns
    -------
    refusal : Refusal
    """
    facts = _facts(status, body, sent or {}, headers or {})
    row = next((row for row in _TABLE if _is_met(row, facts, place)), None)
    names = {
        **place._asdict(),
        "variable": place.variable or "OPENAI_API_KEY",
        "proxy": f" {place.proxy}" if place.proxy else "",
        "status": status,
        "part": facts.part,
        "code": f" ({facts.code})" if facts.code else "",
    }
    if row is not None:
        error = row.kind(row.sentence.format(**names))
        return Refusal(row.decision, row.reason or f"HTTP {status}", error, facts.part)
    sentence = "The server at {address} refused a request to model {model!r} as bad ({what})."
    error = ValueError(sentence.format(**names, what=facts.code or status))
    decision = Decision.WAIT if status >= 500 or status in _TRY_AGAIN else Decision.FIRST
    return Refusal(decision, f"HTTP {status}", error, facts.part)


def is_page(text):
    """Return whether a text is one of HTML."""
    return bool(_PAGE.match(text))


def _is_met(row, facts, place):
    if facts.status not in row.statuses:
        return False
    if row.needs is not None:
        met = {"page": facts.is_page, "no key": place.variable is None, "part": facts.part is not None}
        return met[row.needs]
    if row.codes is None and row.says is None:
        return True
    by_code = row.codes is not None and re.search(row.codes, facts.codes)
    return bool(by_code or (row.says is not None and re.search(row.says, facts.message)))


def _facts(status, body, sent, headers):
    if isinstance(body, list):  # as Google wraps it
        body = body[0] if body else None
    error = body.get("error", body) if isinstance(body, dict) else body
    error = error if isinstance(error, dict) else {"message": error}
    inner = error.get("innererror")
    metadata = error.get("metadata")
    codes = [error.get(name) for name in ("code", "type", "status")]
    codes += [inner.get("code")] if isinstance(inner, dict) else []
    codes += list(metadata) if isinstance(metadata, dict) else []
    message = error.get("message") or error.get("detail") or ""
    message = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    texts = _texts([sent.get(name) for name in _OF_TEXTS])
    for text in texts:  # a text that is quoted could say anything
        message = message.replace(text, " ") if len(text) >= _A_QUOTE else message
    secret = [*texts, *headers.values()]
    shown = [code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)]
    shown = [code for code in shown if not any(code in text for text in secret)][:1]
    param = _root(error.get("param"))
    shown += [param] if param in sent.keys() & _NOT_PARAMETERS else []
    return _Facts(
        status,
        codes=" ".join(map(str, codes)).casefold(),
        message=message.casefold(),
        is_page=is_page(message),
        code=", ".join(shown),
        part=_part(param, message, sent.keys() - _NOT_PARAMETERS),
    )


def _texts(value):
    """Return all strings in a JSON value, but for names."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inner for text in _texts(part)]


def _root(name):
    return re.split(r"[.\[]", name)[0] if isinstance(name, str) else ""


def _part(param, message, names):
    """Return which of the parameters `names` a server refuses, if it tells."""
    named = [param, *map(_root, re.findall(r"""['"`]([\w.]{2,60})['"`]""", message))]
    named += [name for name in sorted(names) if "_" in name and re.search(rf"\b{re.escape(name)}\b", message)]
    return next((name for name in named if name in names), None)
