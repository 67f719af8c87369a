"""The rate limit: how many requests may be in flight, and when the next one may start."""

import asyncio
import json
import re
import threading
import time
from contextvars import ContextVar
from functools import partial

from sklearn_sae.utils.server._refusals import Decision, Place, is_page, meaning_of
from sklearn_sae.utils.server._retry_after import LONGEST_PAUSE, retry_after

_OVERLOADED = (429, 503, 529)  # 529 is Anthropic's "overloaded"
_BYTES_PER_TOKEN = 4
# As OpenRouter reports what fails behind it, and LM Studio that it has no such address.
_ERROR_INSIDE = re.compile(rb'\s*\{\s*"error"\s*:\s*["{]')
_BROKEN_OFF = re.compile(rb'"finish_reason"\s*:\s*"error"')  # as OpenRouter reports what fails in the middle of a reply
_BEGINNING = 200  # bytes
# The time at which the task sent the request that it waits for. The client repeats a request in the same task.
_SENT = ContextVar("sent", default=None)


class RateLimiter:
    """Keep a server busy without overloading it.

    Every response "too many requests", and every request without a response (a time-out), halves `limit`, but only once
    for all requests that were in flight at that moment. Every good response adds ``1 / limit``, which is one for each
    round of requests, up to `max_concurrency`. This is additive increase and multiplicative decrease, as in TCP [1]_. A
    `Retry-After` of up to an hour, in seconds or as a date, holds all requests back, not only the one that it answers.

    One limiter serves one run of requests after another, or several at once in several threads.

    Parameters
    ----------
    max_concurrency : int
        The most requests in flight at once.
    requests_per_minute, tokens_per_minute : float or None, default=None
        Limits to keep by spacing requests evenly, those that the client repeats included. A request's tokens
        are taken to be a quarter of its bytes; those of its response are added by `count_tokens`.

    Attributes
    ----------
    limit : float
        Requests that may be in flight now, from 1 to `max_concurrency`.
    n_repeats : int
        HTTP requests that the client sent again.

    References
    ----------
    .. [1] D.-M. Chiu and R. Jain (1989). Analysis of the increase and decrease algorithms for congestion
       avoidance in computer networks. Computer Networks and ISDN Systems 17(1).
    """

    def __init__(self, max_concurrency, *, requests_per_minute=None, tokens_per_minute=None):
        self.max_concurrency = max_concurrency
        self.limit = float(max_concurrency)
        self.n_repeats = 0
        self._seconds_per_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._seconds_per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._next_start = self._last_cut = self._resume = 0.0
        self._lock = threading.Lock()

    def event_hooks(self, run):
        """Return the hooks by which an httpx client, in one event loop, lets each request pass through here.

        Parameters
        ----------
        run : object
            Its attributes `n_repeats` and `n_responses` count along; `is_answered` says whether any answer came.
        """
        return {"request": [partial(self._before, run, asyncio.Lock())], "response": [partial(self._after, run)]}

    def pause_left(self):
        """Return how many seconds the pause that the server asked for still lasts."""
        return max(0.0, self._resume - time.monotonic())

    def count_tokens(self, n_tokens):
        """Take into account tokens that were not in a request."""
        with self._lock:
            self._next_start = max(self._next_start, time.monotonic()) + n_tokens * self._seconds_per_token

    async def _before(self, run, in_order, request):
        n_tokens = int(request.headers.get("content-length", 0)) / _BYTES_PER_TOKEN
        async with in_order:
            while (wait := self._start(n_tokens)) > 0:  # again after the wait, because the time may move meanwhile
                await asyncio.sleep(wait)
        is_repeat = request.headers.get("x-stainless-retry-count", "0") != "0"
        with self._lock:
            self.n_repeats += is_repeat
            run.n_repeats += is_repeat
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

    async def _after(self, run, response):
        sent = _SENT.get()
        _SENT.set(None)
        if response.status_code == 200:  # the client would take it for an answer
            content = await response.aread()
            is_chat = response.request.url.path.endswith("/chat/completions")
            if _ERROR_INSIDE.match(content) or (is_chat and _BROKEN_OFF.search(content)):
                response.status_code = _status_inside(content)
            elif run.is_answered and is_page(content[:_BEGINNING].decode("utf-8", "replace")):
                response.status_code = 503  # who answered before is away, and a page says so
        with self._lock:
            run.n_responses += 1
            if response.status_code < 400:
                self.limit = min(self.limit + 1 / self.limit, self.max_concurrency)
        if response.status_code in _OVERLOADED:
            self._halve(sent)
        if response.status_code == 429 or response.status_code >= 500:
            await self._hold_back(response)

    async def _hold_back(self, response):
        """Hold all requests back as long as the response says, or tell the client that waiting is of no use."""
        pause = retry_after(response.headers)
        if pause > LONGEST_PAUSE or not _may_change(response.status_code, await response.aread()):
            response.headers["x-should-retry"] = "false"  # the official client obeys
        elif pause:
            with self._lock:
                self._resume = max(self._resume, time.monotonic() + pause)
            response.headers["retry-after-ms"] = "1"  # the pause is kept here, because the client gives up long ones

    def _halve(self, sent):
        with self._lock:
            if sent >= self._last_cut:
                self.limit = max(self.limit / 2, 1.0)
                self._last_cut = time.monotonic()


def _may_change(status, content):
    return meaning_of(status, _json(content), Place()).decision is Decision.WAIT


def _status_inside(content):
    """Return the status of an error that came with status 200."""
    body = _json(content)
    choices = body.get("choices") if isinstance(body, dict) else None
    holder = choices[0] if isinstance(choices, list) and choices else body
    error = holder.get("error") if isinstance(holder, dict) else None
    if isinstance(error, str):
        return 404 if "endpoint" in error else 503
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 503


def _json(content):
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
