"""Many requests at once to a server that speaks the OpenAI protocol, from ordinary blocking code.

Retries, `Retry-After` and timeouts are the official client's own.
"""

import asyncio
import re
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

from sklearn_sae.utils.server._connection import api_key

_CONNECT_TIMEOUT = 10  # seconds
_POLL = 0.05  # seconds
_NOT_ALL_PERMISSIONS = re.compile("permission|scope", re.IGNORECASE)
_FEW_FAILURES = 10  # fewer failures than these may be the requests' own fault, whatever the server says


def ask_all(ask, requests, *, connection, model, rate_limiter=None, on_answer=None):
    """Await ``ask(client, request)`` for every request, as many at a time as the rate limiter allows.

    This runs in an event loop of its own in a thread of its own, so it works in scripts, in notebooks (where
    a loop is already running) and in joblib workers alike. Ctrl-C cancels the requests in flight. When twice as many
    requests as may be in flight have failed in a row, or as many before any was answered, and at least ten, the server
    is taken to be down and no more are sent.

    Parameters
    ----------
    ask : coroutine function (AsyncOpenAI, request) -> answer
    requests : sequence
    connection : Connection
    model : str
        Named in errors.
    rate_limiter : RateLimiter or None, default=None
        None: a new one, with the limits of `connection`.
    on_answer : callable (index, answer) or None, default=None
        Is called as each answer arrives and before the next request is sent in its place, so that an answer can be
        stored before more is spent. It is not called for a failed request.

    Returns
    -------
    answers : list
        In the order of `requests`. In place of an answer stands the exception of a request that failed after its
        retries, or of the last one before a request that was not sent any more.

    Raises
    ------
    ValueError
        No API key, an unknown model, or a request the server calls bad, before any was answered.
    PermissionError
        The key was rejected, or its account has no credit left.
    ConnectionError, TimeoutError
        The server could not be reached or did not answer in time, before any request was answered.
    """
    if not len(requests):
        return []
    key = api_key(connection.base_url)
    run = _Run(ask, requests, connection, model, rate_limiter or connection.rate_limiter(), on_answer)
    try:
        _run_in_thread(lambda: run.all(key))
        return run.answers
    except BaseExceptionGroup as errors:  # TaskGroup wraps even a single one
        first = errors.exceptions[0]
    first.__context__ = None  # the client's own error, which may quote the key or the text
    raise first


def check_server(connection):
    """Raise what stops every request to a server, as far as it can be known before the first and for nothing.

    The list of models is asked for, because that costs nothing. A server that has none is taken to be in order. A
    server on this machine is not asked, because it seldom wants a key.

    Parameters
    ----------
    connection : Connection

    Raises
    ------
    ValueError
        No API key.
    PermissionError
        The key was rejected.
    ConnectionError
        The server could not be reached.
    """
    key = api_key(connection.base_url)
    try:
        _run_in_thread(lambda: _list_models(connection.base_url, key))
    except OSError as error:
        error.__context__ = None  # the client's own error, which may quote the key
        raise


async def _list_models(base_url, key):
    import openai

    await _check_reachable(base_url)
    if _is_this_machine(urlsplit(base_url).hostname):
        return
    async with openai.AsyncOpenAI(api_key=key, base_url=base_url, timeout=_CONNECT_TIMEOUT, max_retries=0) as client:
        try:
            await client.models.with_raw_response.list()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            if not _NOT_ALL_PERMISSIONS.search(error.message):  # a key that has some may ask and not list
                raise _rejected(base_url) from None
        except openai.APITimeoutError:
            pass  # a busy server may take long
        except openai.APIConnectionError:
            raise _unreachable(base_url) from None
        except openai.OpenAIError:
            pass  # no list of models says nothing of the answers


def _is_this_machine(host):
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


class _Run:
    """The state of one call of `ask_all`, whose parameters it has."""

    def __init__(self, ask, requests, connection, model, rate_limiter, on_answer):
        self.ask = ask
        self.requests = requests
        self.connection = connection
        self.model = model
        self.rate_limiter = rate_limiter
        self.on_answer = on_answer
        self.answers = [None] * len(requests)
        self.next = 0  # the first request that was not sent yet
        self.is_answered = False  # whether any request was
        self.n_failed_in_a_row = 0
        self.n_responses_before = rate_limiter.n_responses

    async def all(self, key):
        """Ask for everything."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        await _check_reachable(self.connection.base_url)
        async with (
            AsyncOpenAI(
                api_key=key,
                base_url=self.connection.base_url,
                timeout=self.connection.timeout,
                max_retries=self.connection.max_retries,
                http_client=DefaultAsyncHttpxClient(event_hooks=self.rate_limiter.event_hooks()),
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for place in range(min(self.rate_limiter.max_concurrency, len(self.requests))):
                group.create_task(self.one_after_another(client, place))

    async def one_after_another(self, client, place):
        """Ask for one request after another, with a pause while fewer than `place` may be in flight."""
        from openai import OpenAIError

        while self.next < len(self.requests):
            if place >= self.rate_limiter.limit:
                await asyncio.sleep(_POLL)
                continue
            index, self.next = self.next, self.next + 1
            try:
                self.answers[index] = await self.ask(client, self.requests[index])
            except OpenAIError as error:
                self.note_failure(index, error)
            else:
                self.is_answered = True
                self.n_failed_in_a_row = 0
                if self.on_answer is not None:
                    self.on_answer(index, self.answers[index])

    def note_failure(self, index, error):
        """Raise where it makes no sense to go on; else note the error as the answer."""
        is_reached = self.rate_limiter.n_responses > self.n_responses_before
        fatal = _fatal(error, self.is_answered, is_reached, self.connection.base_url, self.model)
        if fatal is not None:
            raise fatal from None  # the original may quote the key or the text
        self.answers[index] = error
        self.n_failed_in_a_row += _is_the_servers(error)
        most = max((1 + self.is_answered) * self.rate_limiter.max_concurrency, _FEW_FAILURES)
        if self.n_failed_in_a_row >= most:
            self.answers[self.next :] = [error] * (len(self.requests) - self.next)
            self.next = len(self.requests)


async def _check_reachable(base_url):
    """Connect once, because the client would retry for a long time before it says that nobody is there."""
    if getproxies().keys() - {"no"}:  # the client itself finds the way through a proxy
        return
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, UnicodeError):  # UnicodeError: a host name that DNS cannot hold
        raise _unreachable(base_url) from None
    writer.close()


def _unreachable(url):
    return ConnectionError(f"The server at {url} cannot be reached; check base_url and the network.")


def _rejected(url):
    return PermissionError(f"The server at {url} rejected the API key; check OPENAI_API_KEY.")


def _fatal(error, answered, reached, url, model):
    """Return the exception to stop everything with, or None if only this request is lost."""
    import openai

    if isinstance(error, openai.PermissionDeniedError) and (answered or _is_flagged(error)):
        return None
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return _rejected(url)
    if isinstance(error, openai.NotFoundError):
        return ValueError(
            f"The server at {url} has no model {model!r} or no such address; check the model's name and base_url."
        )
    no_credit = isinstance(error, openai.RateLimitError) and "insufficient_quota" in (error.code, error.type)
    if no_credit or getattr(error, "status_code", None) == 402:
        return PermissionError(f"The server at {url} says that the account has no credit left.")
    if answered or getattr(error, "code", None) == "context_length_exceeded":  # the next text may be shorter
        return None
    if isinstance(error, openai.APITimeoutError):
        return TimeoutError(f"The server at {url} did not answer in time; raise timeout, or check base_url.")
    if isinstance(error, openai.APIConnectionError):  # after a first response, one more connection that broke
        return None if reached else _unreachable(url)
    status = getattr(error, "status_code", 500)
    if status < 500 and status not in (408, 409, 413, 429):  # these may go well next time, or with a shorter text
        what = error.code or error.type or error.status_code
        return ValueError(f"The server at {url} refused a request to model {model!r} as bad ({what}).")
    return None


def _is_flagged(error):
    """Return whether it is the text that is forbidden, as OpenRouter says it, and not the key."""
    metadata = error.body.get("metadata") if isinstance(error.body, dict) else None
    return isinstance(metadata, dict) and "flagged_input" in metadata


def _is_the_servers(error):
    """Return whether it is the server that fails, and not this one request."""
    from openai import APIConnectionError

    status = getattr(error, "status_code", 0)
    return isinstance(error, APIConnectionError) or status == 429 or status >= 500


def _run_in_thread(coroutine_function):
    """Run a coroutine in an event loop in a thread, and cancel it at Ctrl-C."""
    started = Future()

    async def run():
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await coroutine_function()

    with ThreadPoolExecutor(1, thread_name_prefix="sklearn_sae-openai") as thread:
        done = thread.submit(lambda: asyncio.run(run()))
        try:
            while not done.done():  # on Windows, before Python 3.14, Ctrl-C does not end a longer wait
                wait([done], timeout=0.2)
            done.result()
        except BaseException:
            if not done.done():  # Ctrl-C: cancel, and wait until the client has closed its connections
                loop, task = started.result()
                with suppress(RuntimeError):  # the loop ended by itself meanwhile
                    loop.call_soon_threadsafe(task.cancel)
            raise
