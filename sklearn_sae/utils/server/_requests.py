"""Many requests at once to a server that speaks the OpenAI protocol, from ordinary blocking code.

Retries and timeouts are the official client's own.
"""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from urllib.parse import urlsplit

from sklearn_sae.utils.server._key import is_this_machine
from sklearn_sae.utils.server._local import check_engine
from sklearn_sae.utils.server._pauses import Pauses
from sklearn_sae.utils.server._refusals import NOT_ALLOWED, REFUSED, TOO_LONG, Decision, Place, refusal_of

_CONNECT_TIMEOUT = 10  # seconds
_POLL = 0.05  # seconds
_FEW_FAILURES = 10  # fewer failures than these may be the requests' own fault, whatever the server says
_FEW_REFUSALS = 3  # requests that are refused as bad before any is answered; one may be the text's fault
_MANY_TEXTS = 100  # that are refused before any is answered


def ask_all(ask, requests, *, connection, model, rate_limiter=None, on_answer=None, on_repeats=None, verbose=False):
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
        None: the one of `connection`.
    on_answer : callable (index, answer) or None, default=None
        Is called as each answer arrives and before the next request is sent in its place, so that an answer can be
        stored before more is spent. It is not called for a failed request.
    on_repeats : callable (n_repeats) or None, default=None
        Is called at the end, however it comes, with the number of requests that the client sent again.
    verbose : bool, default=False
        Count down a pause that the server asks for. False: a note says how long it is.

    Returns
    -------
    answers : list
        In the order of `requests`. In place of an answer stands the exception of a request that failed after its
        retries, or of the last one before a request that was not sent any more.

    Raises
    ------
    ValueError
        No API key, an unknown model, or requests the server calls bad, before any was answered.
    PermissionError
        The key was rejected, or its account has no credit left.
    ConnectionError, TimeoutError
        The server could not be reached, is not the one that its certificate is for, or did not answer in time, before
        any request was answered; or it asks for a pause of more than an hour.
    ImportError
        The proxy that the environment names needs a package that is not installed, or a server on this machine does.
    RuntimeError
        A server on this machine ended before it could answer.
    """
    if not len(requests):
        return []
    limiter = rate_limiter or connection.rate_limiter()
    connection = connection.started(model)
    key = connection.key()
    run = _Run(ask, requests, connection, limiter, place_of(connection, model, key), on_answer)
    try:
        _run_in_thread(lambda: run.all(key), Pauses(limiter, connection.address, verbose=verbose))
        return run.answers
    except BaseExceptionGroup as errors:  # TaskGroup wraps even a single one
        first = errors.exceptions[0]
    finally:
        if on_repeats is not None:
            on_repeats(run.n_repeats)
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
    ImportError
        The proxy that the environment names needs a package that is not installed, or a server on this machine does.
    """
    if connection.server is not None:
        check_engine(connection.server)
        return
    key = connection.key()
    try:
        _run_in_thread(lambda: _list_models(connection, key))
    except OSError as error:
        error.__context__ = None  # the client's own error, which may quote the key
        raise


def place_of(connection, model, key):
    """Return the `Place` of a model, for sentences."""
    from sklearn_sae.utils.server._http_client import proxy_of

    return Place(connection.address, model, key.variable, proxy_of(connection.base_url))


def refusal_by(error, connection, model):
    """Return the `Refusal` that an `openai.APIStatusError` is."""
    return refusal_of(error, place_of(connection, model, connection.key()))


def reason_of(error):
    """Name a failure in a few words, without quoting what was sent."""
    if hasattr(error, "status_code"):
        return refusal_of(error, Place()).reason
    names = {"APITimeoutError": "time-out", "APIConnectionError": "no connection"}
    return names.get(type(error).__name__, type(error).__name__)


async def _list_models(connection, key):
    import openai

    from sklearn_sae.utils.server._http_client import open_client

    place = place_of(connection, "", key)
    await _check_reachable(connection.base_url, place)
    if is_this_machine(connection.base_url):
        return
    async with open_client(connection, key, timeout=_CONNECT_TIMEOUT, max_retries=0) as client:
        try:
            await client.models.with_raw_response.list()
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            refusal = refusal_of(error, place)
            if refusal.reason != NOT_ALLOWED:  # a key that has some may ask and not list
                raise refusal.error from None
        except openai.APITimeoutError:
            pass  # a busy server may take long
        except openai.APIConnectionError:
            raise _unreachable(place) from None
        except openai.OpenAIError:
            pass  # no list of models says nothing of the answers


class _Run:
    """The state of one call of `ask_all`, whose parameters it has."""

    def __init__(self, ask, requests, connection, rate_limiter, place, on_answer):
        self.ask = ask
        self.requests = requests
        self.connection = connection
        self.rate_limiter = rate_limiter
        self.place = place
        self.on_answer = on_answer
        self.answers = [None] * len(requests)
        self.next = 0  # the first request that was not sent yet
        self.n_in_flight = 0
        self.is_answered = False  # whether any request was
        self.n_failed_in_a_row = 0
        self.bad = []  # the errors of requests that were refused as bad before any was answered
        self.n_texts_refused = 0  # before any request was answered
        self.n_repeats = self.n_responses = 0

    async def all(self, key):
        """Ask for everything."""
        from sklearn_sae.utils.server._http_client import open_client

        await _check_reachable(self.connection.base_url, self.place)
        options = {"timeout": self.connection.timeout, "max_retries": self.connection.max_retries}
        async with (
            open_client(self.connection, key, hooks=self.rate_limiter.event_hooks(self), **options) as client,
            asyncio.TaskGroup() as group,
        ):
            for place in range(min(self.rate_limiter.max_concurrency, len(self.requests))):
                group.create_task(self.one_after_another(client, place))
        if self.bad and not self.is_answered:
            raise self.bad[0]

    async def one_after_another(self, client, place):
        """Ask for one request after another, with a pause while fewer than `place` may be in flight."""
        from openai import OpenAIError

        while self.next < len(self.requests):
            if place >= self.rate_limiter.limit or (self.bad and not self.is_answered and self.n_in_flight):
                await asyncio.sleep(_POLL)
                continue
            index, self.next = self.next, self.next + 1
            self.n_in_flight += 1
            try:
                self.answers[index] = await self.ask(client, self.requests[index])
            except OpenAIError as error:
                self.note_failure(index, error)
            else:
                self.is_answered = True
                self.n_failed_in_a_row = 0
                if self.on_answer is not None:
                    self.on_answer(index, self.answers[index])
            finally:
                self.n_in_flight -= 1

    def note_failure(self, index, error):
        """Raise where it makes no sense to go on; else note the error as the answer."""
        if hasattr(error, "status_code"):
            self.note_refusal(refusal_of(error, self.place))
        elif isinstance(error.__cause__, ConnectionError):  # of TLS, where the client tries it again
            raise error.__cause__ from None
        elif not self.is_answered:
            self.note_no_response(error)
        self.answers[index] = error
        self.n_failed_in_a_row += _is_the_servers(error)
        most = max((1 + self.is_answered) * self.rate_limiter.max_concurrency, _FEW_FAILURES)
        if self.n_failed_in_a_row >= most:
            self.answers[self.next :] = [error] * (len(self.requests) - self.next)
            self.next = len(self.requests)

    def note_refusal(self, refusal):
        """Raise where no other request can do better."""
        if refusal.decision is Decision.RUN:
            raise refusal.error from None
        if self.is_answered:
            return
        if refusal.decision in (Decision.FIRST, Decision.PART):
            self.bad.append(refusal.error)
            if len(self.bad) >= _FEW_REFUSALS:
                raise self.bad[0] from None
        if refusal.reason in (REFUSED, TOO_LONG):
            self.n_texts_refused += 1
            if self.n_texts_refused >= _MANY_TEXTS:
                raise refusal.error from None

    def note_no_response(self, error):
        """Raise if no response came yet, or none in time."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            raise TimeoutError(
                f"The server at {self.place.address} did not answer in time; raise timeout, or check base_url."
            ) from None
        if isinstance(error, openai.APIConnectionError) and not self.n_responses:  # else one more connection that broke
            raise _unreachable(self.place) from None


async def _check_reachable(base_url, place):
    """Connect once, because the client would retry for a long time before it says that nobody is there."""
    first = place.proxy or base_url
    parts = urlsplit(first if "://" in first else f"http://{first}")
    port = parts.port or {"https": 443, "socks5": 1080, "socks5h": 1080}.get(parts.scheme, 80)
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, UnicodeError):  # UnicodeError: a host name that DNS cannot hold
        raise _unreachable(place) from None
    writer.close()


def _unreachable(place):
    if place.proxy is not None:
        return ConnectionError(
            f"The server at {place.address} cannot be reached through the proxy {place.proxy}, which the environment "
            "names (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY); check it, or list the server in NO_PROXY."
        )
    return ConnectionError(f"The server at {place.address} cannot be reached; check base_url and the network.")


def _is_the_servers(error):
    """Return whether it is the server that fails, and not this one request."""
    from openai import APIConnectionError

    status = getattr(error, "status_code", 0)
    return isinstance(error, APIConnectionError) or status == 429 or status >= 500


def _run_in_thread(coroutine_function, on_poll=None):
    """Run a coroutine in an event loop in a thread, and cancel it at Ctrl-C.

    Meanwhile `on_poll` is called, in this thread, a few times a second.
    """
    started = Future()

    async def run():
        started.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await coroutine_function()

    with ThreadPoolExecutor(1, thread_name_prefix="sklearn_sae-openai") as thread:
        done = thread.submit(lambda: asyncio.run(run()))
        try:
            while not done.done():  # on Windows, before Python 3.14, Ctrl-C does not end a longer wait
                wait([done], timeout=0.2)
                if on_poll is not None:
                    on_poll()
            done.result()
        except BaseException:
            if not done.done():  # Ctrl-C: cancel, and wait until the client has closed its connections
                loop, task = started.result()
                with suppress(RuntimeError):  # the loop ended by itself meanwhile
                    loop.call_soon_threadsafe(task.cancel)
            raise
