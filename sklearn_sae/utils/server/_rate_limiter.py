"""The rate limit: how many requests may be in flight, and when the next one may start."""

import asyncio
import re
import threading
import time
from contextvars import ContextVar
from functools import partial

_OVERLOADED = (429, 503, 529)  # 529 is Anthropic's "overloaded"
_BYTES_PER_TOKEN = 4
_ERROR_INSIDE = re.compile(rb'\s*\{\s*"error"\s*:\s*\{')  # as OpenRouter reports what fails behind it
_MAX_PAUSE = 120  # seconds; the official client does not wait longer either
# The time at which the task sent the request that it waits for. The client repeats a request in the same task.
_SENT = ContextVar("sent", default=None)


class RateLimiter:
    """Keep a server busy without overloading it.

    Every response "too many requests", and every request without a response (a time-out), halves `limit`, but only once
    for all requests that were in flight at that moment. Every good response adds ``1 / limit``, which is one for each
    round of requests, up to `max_concurrency`. This is additive increase and multiplicative decrease, as in TCP [1]_. A
    `Retry-After` in seconds, up to 120, holds all requests back, not only the one that it answers.

    One limiter serves one run of requests after another, or several at once in several threads. A copy or a pickle of
    it is a new limiter, because what it has learned is true of this process at this time only.

    Parameters
    ----------
    max_concurrency : int
        The most requests in flight at once.
    requests_per_minute, tokens_per_minute : float or None, default=None
        Limits to keep by spacing requests evenly, those that the client repeats included. A request's tokens
        are taken to be a quarter of its bytes; those of its response are added by `count_tokens`.
    base_url : str or None, default=None
        The server whose pace this is.

    Attributes
    ----------
    limit : float
        Requests that may be in flight now, from 1 to `max_concurrency`.
    n_repeats : int
        HTTP requests that the client sent again, since the last call of `take_repeats`.
    n_responses : int
        HTTP responses to them, good or bad.

    References
    ----------
    .. [1] D.-M. Chiu and R. Jain (1989). Analysis of the increase and decrease algorithms for congestion
       avoidance in computer networks. Computer Networks and ISDN Systems 17(1).
    """

    def __init__(self, max_concurrency, *, requests_per_minute=None, tokens_per_minute=None, base_url=None):
        self.max_concurrency = max_concurrency
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.base_url = base_url
        self.limit = float(max_concurrency)
        self.n_repeats = self.n_responses = 0
        self._seconds_per_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._seconds_per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._next_start = self._last_cut = self._resume = 0.0
        self._lock = threading.Lock()

    def __reduce__(self):
        names = ("requests_per_minute", "tokens_per_minute", "base_url")
        return partial(RateLimiter, self.max_concurrency, **{name: getattr(self, name) for name in names}), ()

    def is_for(self, connection):
        """Return whether this limiter has the server and the limits of `connection`."""
        names = ("base_url", "max_concurrency", "requests_per_minute", "tokens_per_minute")
        return all(getattr(self, name) == getattr(connection, name) for name in names)

    def event_hooks(self):
        """Return the hooks by which an httpx client, in one event loop, lets each request pass through here."""
        return {"request": [partial(self._before, asyncio.Lock())], "response": [self._after]}

    def count_tokens(self, n_tokens):
        """Take into account tokens that were not in a request."""
        with self._lock:
            self._next_start = max(self._next_start, time.monotonic()) + n_tokens * self._seconds_per_token

    def take_repeats(self):
        """Return `n_repeats` and set it to 0."""
        with self._lock:
            n_repeats, self.n_repeats = self.n_repeats, 0
        return n_repeats

    async def _before(self, in_order, request):
        n_tokens = int(request.headers.get("content-length", 0)) / _BYTES_PER_TOKEN
        async with in_order:
            while (wait := self._start(n_tokens)) > 0:  # again after the wait, because the time may move meanwhile
                await asyncio.sleep(wait)
        is_repeat = request.headers.get("x-stainless-retry-count", "0") != "0"
        with self._lock:
            self.n_repeats += is_repeat
        if (unanswered := _SENT.get()) is not None:
            self._halve(unanswered)
        _SENT.set(time.monotonic())

    def _start(self, n_tokens):
        """Start a request if its time has come; else return the seconds until then."""
        with self._lock:
            now = time.monotonic()
            wait = max(self._next_start, self._resume) - now
            if wait <= 0:
                self._next_start = now + max(self._seconds_per_request, n_tokens * self._seconds_per_token)
            return wait

    async def _after(self, response):
        sent = _SENT.get()
        _SENT.set(None)
        if response.status_code == 200 and _ERROR_INSIDE.match(await response.aread()):
            response.status_code = 503  # the official client repeats this; it would take a 200 for an answer
        with self._lock:
            self.n_responses += 1
            if response.status_code < 400:
                self.limit = min(self.limit + 1 / self.limit, self.max_concurrency)
        if response.status_code in _OVERLOADED:
            self._halve(sent)
            with self._lock:
                self._resume = max(self._resume, time.monotonic() + _retry_after(response.headers))
            if response.status_code == 429 and b"insufficient_quota" in await response.aread():
                response.headers["x-should-retry"] = "false"  # the official client obeys; waiting brings no credit

    def _halve(self, sent):
        with self._lock:
            if sent >= self._last_cut:
                self.limit = max(self.limit / 2, 1.0)
                self._last_cut = time.monotonic()


def _retry_after(headers):
    """Return the seconds in `Retry-After`, 0 if it is missing or a date."""
    try:
        seconds = float(headers.get("retry-after", 0))
    except ValueError:
        return 0.0
    return seconds if 0 < seconds <= _MAX_PAUSE else 0.0
