"""Many requests at once to a server that speaks the OpenAI protocol, from ordinary blocking code.

Retries, `Retry-After` and timeouts are the official client's own.
"""

import asyncio
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import getproxies

_OPENAI = "https://api.openai.com/v1"
_CONNECT_TIMEOUT = 10  # seconds
_POLL = 0.05  # seconds
_FEW_FAILURES = 10  # may be the requests' own fault, whatever the server says


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


def ask_all(ask, requests, *, base_url, throttle, timeout, max_retries, model, on_answer=None):
    """Await ``ask(client, request)`` for every request, as many at a time as `throttle` allows.

    Runs in an event loop of its own in a thread of its own, so it works in scripts, in notebooks (where
    a loop is already running) and in joblib workers alike. Ctrl-C cancels what is in flight. When twice as many
    requests as may be in flight have failed in a row, or as many before any was answered, and at least ten, the server
    is taken to be down and no more are sent.

    Parameters
    ----------
    ask : coroutine function (AsyncOpenAI, request) -> answer
    requests : sequence
    base_url : str or None
        None: ``OPENAI_BASE_URL``, or OpenAI's.
    throttle : Throttle
    timeout : float
        Seconds, for one request.
    max_retries : int
    model : str
        Named in errors.
    on_answer : callable (index, answer) or None, default=None
        Called as each answer arrives and before its place is given to the next request, so what it
        stores is safe before more is spent. Not called for a failed request.

    Returns
    -------
    answers : list
        In the order of `requests`; for a request that failed after its retries, or was not sent any more,
        the exception.

    Raises
    ------
    ValueError
        No API key, an unknown model, or a request the server calls bad, before any was answered.
    PermissionError
        The key was rejected, or its account has no credit left.
    ConnectionError, TimeoutError
        The server could not be reached or did not answer in time, before any request was answered.
    """
    base_url = resolve_base_url(base_url)
    answers = [None] * len(requests)
    if not answers:
        return answers
    key = api_key(base_url)

    async def run():
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAIError

        answered = False
        n_failed_in_a_row = 0
        todo = deque(enumerate(requests))

        async def work(client, place):
            nonlocal answered, n_failed_in_a_row
            while todo:
                if place >= throttle.limit:
                    await asyncio.sleep(_POLL)
                    continue
                index, request = todo.popleft()
                try:
                    answers[index] = await ask(client, request)
                except OpenAIError as error:
                    fatal = _fatal(error, answered, throttle.n_responses > 0, base_url, model)
                    if fatal is not None:
                        raise fatal from None  # the original may quote the key or the text
                    answers[index] = error
                    n_failed_in_a_row += _is_the_servers(error)
                    while todo and n_failed_in_a_row >= max((1 + answered) * throttle.max_concurrency, _FEW_FAILURES):
                        answers[todo.popleft()[0]] = error
                else:
                    answered = True
                    n_failed_in_a_row = 0
                    if on_answer is not None:
                        on_answer(index, answers[index])

        await _check_reachable(base_url)
        async with (
            AsyncOpenAI(
                api_key=key,
                base_url=base_url,
                timeout=timeout,
                max_retries=max_retries,
                http_client=DefaultAsyncHttpxClient(event_hooks=throttle.event_hooks()),
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for place in range(min(throttle.max_concurrency, len(requests))):
                group.create_task(work(client, place))

    try:
        _run_in_thread(run)
        return answers
    except BaseExceptionGroup as errors:  # TaskGroup wraps even a single one
        first = errors.exceptions[0]
    first.__context__ = None  # the client's own error, which may quote the key or the text
    raise first


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


async def _check_reachable(base_url):
    """Connect once, since the client would retry for a long time before it says that nobody is there."""
    if getproxies().keys() - {"no"}:  # then the way there is the client's own affair
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


def _fatal(error, answered, reached, url, model):
    """Return the exception to stop everything with, or None if only this request is lost."""
    import openai

    if isinstance(error, openai.PermissionDeniedError) and (answered or _is_flagged(error)):
        return None
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return PermissionError(f"The server at {url} rejected the API key; check OPENAI_API_KEY.")
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
    if status < 500 and status not in (408, 409, 413, 429):  # those may do better next time, or with a shorter text
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
