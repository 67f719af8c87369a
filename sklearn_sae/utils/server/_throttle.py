"""How many requests may be in flight, and when the next may start."""

import asyncio
import re
import time
from contextvars import ContextVar

_OVERLOADED = (429, 503, 529)  # 529 is Anthropic's "overloaded"
_BYTES_PER_TOKEN = 4
_ERROR_INSIDE = re.compile(rb'\s*\{\s*"error"\s*:\s*\{')  # as OpenRouter reports what fails behind it
_MAX_PAUSE = 120  # seconds; the official client does not wait longer either
# When the request was sent that this task waits for. The client repeats a request in the task that asked for it.
_SENT = ContextVar("sent", default=None)


class Throttle:
    """Keep a server busy without overloading it.

    Every answer "too many requests", and every request without an answer (a time-out), halves `limit`, but only once
    for all that were on their way at that moment; every good answer adds ``1 / limit``, one for each round of
    requests, until all is as at the start. This is additive increase and multiplicative decrease, as in TCP [1]_. A
    `Retry-After` in seconds, up to 120, holds all requests back, not only the one that it answers.

    Parameters
    ----------
    max_concurrency : int
        The most requests in flight at once.
    requests_per_minute, tokens_per_minute : float or None, default=None
        Limits to keep by spacing requests evenly, those that the client repeats included. A request's tokens
        are taken to be a quarter of its bytes; those of its answer are added by `count_tokens`.

    Attributes
    ----------
    limit : float
        Requests that may be in flight now, from 1 to `max_concurrency`.
    n_repeats : int
        HTTP requests that the client sent again.
    n_responses : int
        HTTP responses to them, good or bad.

    References
    ----------
    .. [1] D.-M. Chiu and R. Jain (1989). Analysis of the increase and decrease algorithms for congestion
       avoidance in computer networks. Computer Networks and ISDN Systems 17(1).
    """

    def __init__(self, max_concurrency, *, requests_per_minute=None, tokens_per_minute=None):
        self.max_concurrency = max_concurrency
        self.limit = float(max_concurrency)
        self.n_repeats = self.n_responses = 0
        self._seconds_per_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._seconds_per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._next_start = self._last_cut = self._resume = 0.0

    def event_hooks(self):
        """Return the hooks by which an httpx client, in the running event loop, lets each request pass through here."""
        self._turn = asyncio.Lock()
        return {"request": [self._before], "response": [self._after]}

    def count_tokens(self, n_tokens):
        """Take into account tokens that were not in a request."""
        self._next_start = max(self._next_start, time.monotonic()) + n_tokens * self._seconds_per_token

    async def _before(self, request):
        n_tokens = int(request.headers.get("content-length", 0)) / _BYTES_PER_TOKEN
        async with self._turn:  # in the order of arrival
            while (wait := max(self._next_start, self._resume) - time.monotonic()) > 0:  # either may move meanwhile
                await asyncio.sleep(wait)
            pause = max(self._seconds_per_request, n_tokens * self._seconds_per_token)
            self._next_start = time.monotonic() + pause
        if (unanswered := _SENT.get()) is not None:
            self._halve(unanswered)
        self.n_repeats += request.headers.get("x-stainless-retry-count", "0") != "0"
        _SENT.set(time.monotonic())

    async def _after(self, response):
        self.n_responses += 1
        sent = _SENT.get()
        _SENT.set(None)
        if response.status_code == 200 and _ERROR_INSIDE.match(await response.aread()):
            response.status_code = 503  # what the official client repeats; it would take this for an answer
        if response.status_code < 400:
            self.limit = min(self.limit + 1 / self.limit, self.max_concurrency)
        elif response.status_code in _OVERLOADED:
            self._halve(sent)
            self._resume = max(self._resume, time.monotonic() + _retry_after(response.headers))
            if response.status_code == 429 and b"insufficient_quota" in await response.aread():
                response.headers["x-should-retry"] = "false"  # the official client obeys; waiting brings no credit

    def _halve(self, sent):
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
