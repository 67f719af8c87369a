"""The one way to a server that speaks the OpenAI protocol."""

from sklearn_sae.utils.server._connection import Connection, api_key, check_base_url, resolve_base_url
from sklearn_sae.utils.server._rate_limiter import RateLimiter
from sklearn_sae.utils.server._requests import ask_all, check_server

__all__ = ["Connection", "RateLimiter", "api_key", "ask_all", "check_base_url", "check_server", "resolve_base_url"]
