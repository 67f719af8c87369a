"""Where a server is, which protocol it speaks, and how hard it may be used."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from sklearn_sae.utils.server._rate_limiter import RateLimiter

_OPENAI = "https://api.openai.com/v1"
_PATHS = {"chat": "/chat/completions", "responses": "/responses"}


@dataclass(frozen=True, kw_only=True)
class Connection:
    """All that is known about a server before the first request.

    Parameters
    ----------
    base_url : str or None, default=None
        None: ``OPENAI_BASE_URL``, or OpenAI's own server.
    api : {"auto", "chat", "responses"}, default="auto"
        The protocol in which a language model is asked. "auto": Responses for OpenAI's own server, which recommends it
        and keeps its newest models to it; Chat Completions for any other, because every compatible server speaks that.
    max_concurrency : int, default=8
        The most requests in flight at once.
    requests_per_minute, tokens_per_minute : float or None, default=None
        Limits to keep; see `RateLimiter`.
    timeout : float, default=120
        Seconds, for one request.
    max_retries : int, default=5
        How often the official client repeats a request that failed (429, 5xx, no connection).

    Raises
    ------
    ValueError
        If `base_url` is no http(s) address, or holds a password.
    """

    base_url: str | None = None
    api: str = "auto"
    max_concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 120
    max_retries: int = 5

    def __post_init__(self):
        base_url = resolve_base_url(self.base_url)
        object.__setattr__(self, "base_url", base_url)
        if self.api == "auto":
            host = urlsplit(base_url).hostname
            is_openai = host == "openai.com" or host.endswith(".openai.com")
            object.__setattr__(self, "api", "responses" if is_openai else "chat")

    @property
    def path(self):
        """Where the questions to a language model go, without the version."""
        return _PATHS[self.api]

    def rate_limiter(self):
        """Return a new `RateLimiter` with the limits of this connection."""
        return RateLimiter(
            self.max_concurrency,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            base_url=self.base_url,
        )


def check_base_url(base_url):
    """Refuse a `base_url` that is not http(s) or that carries a password.

    Raises
    ------
    ValueError
    """
    if base_url is None:
        return
    try:
        parts = urlsplit(base_url)
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bad port or address; its message would quote the whole
        is_http = False
    if not is_http:
        raise ValueError("base_url must look like 'http://host:port/v1'.") from None
    if parts.username or parts.password:
        raise ValueError("base_url must not hold a user name or password; set OPENAI_API_KEY instead.")


def resolve_base_url(base_url):
    """Return the checked `base_url`; for None ``OPENAI_BASE_URL``, or OpenAI's.

    Raises
    ------
    ValueError
    """
    base_url = base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
    check_base_url(base_url)
    return base_url.rstrip("/")


def api_key(base_url):
    """Return the key from OPENAI_API_KEY; "none" for a server other than OpenAI's where there is none.

    Raises
    ------
    ValueError
        If OpenAI's own server is to be asked without a key.
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and base_url == _OPENAI:
        raise ValueError(
            "No API key: set the environment variable OPENAI_API_KEY, or base_url to a server that needs none."
        )
    if not key.isascii() or not key.isprintable():
        raise ValueError("OPENAI_API_KEY holds characters that no key has; set it again.")
    return key or "none"  # local servers (vLLM, Ollama) want some key and ignore which
