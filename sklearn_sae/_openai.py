"""Many requests at once to a server that speaks the OpenAI protocol, from ordinary blocking code.

Retries, `Retry-After` and timeouts are the official client's own.
"""

import asyncio
import os
import threading
from urllib.parse import urlsplit


def check_base_url(base_url):
    """Refuse a `base_url` that is not http(s) or that carries a password.

    Raises
    ------
    ValueError
    """
    if base_url is None:
        return
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must look like 'http://host:port/v1'.")
    if parts.username or parts.password:
        raise ValueError("base_url must not hold a user name or password; set OPENAI_API_KEY instead.")


def ask_all(ask, requests, *, base_url, max_concurrency, timeout, max_retries, model, on_answer=None):
    """Await ``ask(client, request)`` for every request, at most `max_concurrency` at a time.

    Runs in an event loop of its own in a thread of its own, so it works in scripts, in notebooks (where
    a loop is already running) and in joblib workers alike. Ctrl-C cancels what is in flight.

    Parameters
    ----------
    ask : coroutine function (AsyncOpenAI, request) -> answer
    requests : sequence
    base_url : str or None
        None: the client's own, ``OPENAI_BASE_URL`` or OpenAI.
    max_concurrency : int
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
        In the order of `requests`; for a request that failed after its retries, the exception.

    Raises
    ------
    ValueError
        No API key, an unknown model, or a request the server calls bad, before any was answered.
    PermissionError
        The key was rejected.
    ConnectionError
        The server could not be reached, before any request was answered.
    """
    check_base_url(base_url)
    answers = [None] * len(requests)
    if not answers:
        return answers
    key = _api_key(base_url)

    async def run():
        from openai import AsyncOpenAI, OpenAIError

        answered = False
        todo = iter(enumerate(requests))

        async def work(client):
            nonlocal answered
            for index, request in todo:  # one iterator, shared: each worker takes the next request
                try:
                    answers[index] = await ask(client, request)
                except OpenAIError as error:
                    fatal = _fatal(error, answered, str(client.base_url), model)
                    if fatal is not None:
                        raise fatal from None  # the original may quote the key or the text
                    answers[index] = error
                else:
                    answered = True
                    if on_answer is not None:
                        on_answer(index, answers[index])

        async with AsyncOpenAI(
            api_key=key, base_url=base_url, timeout=timeout, max_retries=max_retries
        ) as client, asyncio.TaskGroup() as group:
            for _ in range(min(max_concurrency, len(requests))):
                group.create_task(work(client))

    try:
        _run_in_thread(run)
    except BaseExceptionGroup as errors:  # TaskGroup wraps even a single one
        raise errors.exceptions[0] from None
    return answers


def _api_key(base_url):
    key = os.environ.get("OPENAI_API_KEY")
    if key:
        return key
    if base_url is None and not os.environ.get("OPENAI_BASE_URL"):
        raise ValueError(
            "No API key: set the environment variable OPENAI_API_KEY, or base_url to a server that needs none."
        )
    return "none"  # local servers (vLLM, Ollama) want some key and ignore which


def _fatal(error, answered, url, model):
    """Return the exception to stop everything with, or None if only this request is lost."""
    import openai

    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return PermissionError(f"The server at {url} rejected the API key; check OPENAI_API_KEY.")
    if isinstance(error, openai.NotFoundError):
        return ValueError(f"The server at {url} has no model {model!r} or no such address; check model and base_url.")
    if answered:
        return None
    if isinstance(error, openai.APITimeoutError):
        return TimeoutError(f"The server at {url} did not answer in time; raise timeout, or check base_url.")
    if isinstance(error, openai.APIConnectionError):
        return ConnectionError(f"The server at {url} cannot be reached; check base_url and the network.")
    if isinstance(error, (openai.BadRequestError, openai.UnprocessableEntityError)):
        what = error.code or error.type or error.status_code
        return ValueError(f"The server at {url} refused a request to model {model!r} as bad ({what}).")
    return None


def _run_in_thread(coroutine_function):
    loop = asyncio.new_event_loop()
    finished = threading.Event()

    async def run():
        try:
            return await coroutine_function()
        finally:
            finished.set()

    thread = threading.Thread(target=loop.run_forever, name="sklearn_sae-openai", daemon=True)
    thread.start()
    future = asyncio.run_coroutine_threadsafe(run(), loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
    finally:
        finished.wait()  # the client has closed its connections
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
