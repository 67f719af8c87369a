"""The one way to a server that speaks the OpenAI protocol."""

from sklearn_sae.utils.server._connection import Connection, check_base_url, forget_servers, resolve_base_url
from sklearn_sae.utils.server._key import find_key, is_openai, is_this_machine
from sklearn_sae.utils.server._local import check_engine
from sklearn_sae.utils.server._rate_limiter import RateLimiter
from sklearn_sae.utils.server._refusals import REFUSED, TOO_LONG, Decision
from sklearn_sae.utils.server._requests import ask_all, check_server, reason_of, refusal_by

__all__ = [
    "REFUSED",
    "TOO_LONG",
    "Connection",
    "Decision",
    "RateLimiter",
    "ask_all",
    "check_base_url",
    "check_engine",
    "check_server",
    "find_key",
    "forget_servers",
    "is_openai",
    "is_this_machine",
    "reason_of",
    "refusal_by",
    "resolve_base_url",
]
