"""Where a server is, which protocol it speaks, and how hard it may be used."""

import os
import re
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from sklearn_sae.utils.server._key import find_key, is_openai
from sklearn_sae.utils.server._learned import Learned
from sklearn_sae.utils.server._local import local_address
from sklearn_sae.utils.server._rate_limiter import RateLimiter

_OPENAI = "https://api.openai.com/v1"
_LOCAL_TIMEOUT = 600  # seconds, because nobody else uses the server, and requests wait for one another
_PATHS = {"chat": "/chat/completions", "responses": "/responses"}
_ELSEWHERE = "put it into an environment variable, and the variable's name into api_key_env."
_SECRET = re.compile("key|token|secret|sig|auth|password|code", re.IGNORECASE)  # names in a query


@dataclass(frozen=True, kw_only=True)
class Connection:
    """All that is known about a server before the first request.

    Parameters
    ----------
    base_url : str or None, default=None
        None: ``OPENAI_BASE_URL``, or OpenAI's own server. A query in it, such as ``?api-version=...``, is sent with
        each request.
    server : {"transformers", "vllm", "llama.cpp"} or None, default=None
        What serves the model on this machine, in place of a server that runs already; see `local_address`.
    api_key_env : str or None, default=None
        The environment variable that holds the key; see `find_key`.
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
    server: str | None = None
    api_key_env: str | None = None
    api: str = "auto"
    max_concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 120
    max_retries: int = 5

    def __post_init__(self):
        # A server of one's own is another at every start, so it goes by a name that answers can be kept under.
        base_url = f"http://{self.server}.localhost/v1" if self.server else resolve_base_url(self.base_url)
        object.__setattr__(self, "base_url", base_url)
        if self.api == "auto":
            object.__setattr__(self, "api", "responses" if is_openai(base_url) else "chat")

    @property
    def path(self):
        """Where the questions to a language model go, without the version."""
        return _PATHS[self.api]

    @property
    def address(self):
        """The address without its query, for messages."""
        return self.base_url.partition("?")[0]

    def started(self, model):
        """Return the connection to a server that runs: this one, or to the one of the model that is started."""
        if self.server is None:
            return self
        base_url, timeout = local_address(self.server, model), max(self.timeout, _LOCAL_TIMEOUT)
        return replace(self, base_url=base_url, server=None, api_key_env=None, timeout=timeout)

    def full_name(self, model):
        """Return the name that answers of a model are kept under: of a folder or file of this machine, its path."""
        return os.path.abspath(model) if self.server is not None and os.path.exists(model) else model

    def key(self):
        """Return the `Key` for this server."""
        return find_key(self.base_url, self.api_key_env)

    def rate_limiter(self):
        """Return the `RateLimiter` that all of this process share who ask this server with the same limits."""
        limits = {"requests_per_minute": self.requests_per_minute, "tokens_per_minute": self.tokens_per_minute}
        return _rate_limiter(os.getpid(), self.base_url, self.max_concurrency, **limits)

    def learned(self, model):
        """Return what this process has learned of a model on this server, to be read and added to."""
        return _learned(os.getpid(), self.base_url, self.api, self.full_name(model))


# A process that was forked learns by itself, because a lock may be held at the moment of the fork.
@cache
def _rate_limiter(pid, base_url, max_concurrency, **limits):
    return RateLimiter(max_concurrency, **limits)


@cache
def _learned(pid, base_url, api, model):
    return Learned()


def forget_servers():
    """Forget all that was learned of servers."""
    _rate_limiter.cache_clear()
    _learned.cache_clear()


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
        raise ValueError(f"base_url must not hold a user name or password; {_ELSEWHERE}")
    if parts.fragment or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise ValueError(f"base_url must not hold a key, nor a part after #; {_ELSEWHERE}")
    if path := next((path for path in (*_PATHS.values(), "/embeddings") if parts.path.rstrip("/").endswith(path)), ""):
        raise ValueError(f"base_url must end before {path}, which is added to it.")


def resolve_base_url(base_url):
    """Return the checked `base_url`; for None ``OPENAI_BASE_URL``, or OpenAI's.

    Raises
    ------
    ValueError
    """
    base_url = base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
    check_base_url(base_url)
    return base_url.rstrip("/")
