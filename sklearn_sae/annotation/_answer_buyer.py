"""Answers from a language model: looked up, else bought, counted, and on disk before the next is asked for."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from sklearn_sae.annotation._batch import BatchRequest, ask_in_batches, collect_open_batches
from sklearn_sae.annotation._protocols import PATHS, choose_api, reply_tokens, request_body
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.server._openai import ask_all, resolve_base_url
from sklearn_sae.utils.server._throttle import Throttle
from sklearn_sae.utils.store import open_store

_STORE = "annotations"
_BATCH_DISCOUNT = 0.5  # of the price of a token, wherever batches are offered at all
_MAX_UNREADABLE = 100  # replies before the first that can be read
_POLL = 0.5  # seconds, while another process asks for what is missing here
_POLL_PER_ANSWER = 1e-4  # more, since to look for many takes time


class Job(NamedTuple):
    """A set of answers to get.

    Parameters
    ----------
    noun : str
        What an answer is called, "annotation" say.
    model : str
    params : dict
        Added to the body of each request.
    keys : dict of item -> bytes
        What is to be answered, whatever an item is, and the store's key of its answer.
    arrange : callable, items -> list of groups
        A group is a list of items that share one request.
    build : callable, group -> Prompt
    read : callable, (reply, n_items) -> list of (bytes or None)
        One value for each item of the group.
    labels : tuple of str or None, default=None
        The answers that a group of several is held to.
    logprobs : bool, default=False
    """

    noun: str
    model: str
    params: dict
    keys: dict
    arrange: Callable
    build: Callable
    read: Callable
    labels: tuple | None = None
    logprobs: bool = False


class AnswerBuyer:
    """Get answers from the store or from a language model, through one request each or through batches.

    Parameters
    ----------
    base_url : str or None
        None: ``OPENAI_BASE_URL``, or OpenAI's.
    api : {"auto", "chat", "responses"}
        "auto": Responses for OpenAI itself, Chat Completions for any other server.
    max_concurrency : int
        Requests in flight at once.
    requests_per_minute, tokens_per_minute : float or None
        Limits to keep; see `sklearn_sae.utils.server._throttle.Throttle`.
    timeout : float
        Seconds, for one request.
    max_retries : int
        How often the client repeats a request that failed (429, 5xx, no connection).
    on_error : {"nan", "raise"} or 0
        What becomes of an annotation with no answer after the retries.
    max_requests : int or None
        Stop before more requests than this are sent by this object. The client's repeats do not count.
    batch : bool
        Ask through the batch endpoint.
    prices : dict of str -> (float, float)
        By model, the price of a million prompt tokens and of a million completion tokens.
    cache_dir : "auto", path-like or None
        Where answers are kept; see `sklearn_sae.utils.store._store.open_store`.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    usage : dict
        ``requests`` sent, those that the client had to send again (``retried``), answers ``cached`` and
        ``failed``, ``prompt_tokens`` and ``completion_tokens`` as the server counted them, and their ``price``, NaN
        if `prices` does not tell; summed over this object's life.
    """

    def __init__(
        self,
        *,
        base_url,
        api,
        max_concurrency,
        requests_per_minute,
        tokens_per_minute,
        timeout,
        max_retries,
        on_error,
        max_requests,
        batch,
        prices,
        cache_dir,
        verbose,
    ):
        self.base_url = resolve_base_url(base_url)
        self.api = choose_api(api, self.base_url)
        self.timeout = timeout
        self.max_retries = max_retries
        self.on_error = on_error
        self.max_requests = max_requests
        self.batch = batch
        self.prices = prices
        self.cache_dir = cache_dir
        self.verbose = verbose
        counts = ("requests", "retried", "cached", "failed", "prompt_tokens", "completion_tokens")
        self.usage = {**dict.fromkeys(counts, 0), "price": 0.0}
        self._throttle = Throttle(
            max_concurrency, requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute
        )
        self._schema_refused = False

    def answers(self, job):
        """Return {key: value} for all of the job's keys that have an answer, and in words what failed.

        What another process, or thread, asks for at this moment is waited for.

        Parameters
        ----------
        job : Job

        Returns
        -------
        found : dict of bytes -> bytes
        failures : str
            How many have no answer, and why; "" if all have one.

        Raises
        ------
        RuntimeError
            `max_requests` is used up; or an answer failed and ``on_error="raise"``.
        ValueError, PermissionError, ConnectionError, TimeoutError
            As `sklearn_sae.utils.server._openai.ask_all`.
        """
        keys = job.keys
        failures = Counter()
        with open_store(self.cache_dir, _STORE) as store, store.claims() as claims:
            found = store.get(keys.values())
            n_cached = len(found)
            self.usage["cached"] += n_cached
            bar = progress(total=len(keys), initial=n_cached, desc=f"{job.noun}s", verbose=self.verbose)

            def show(n_on_their_way=0):
                if bar.disable:
                    return
                bar.set_postfix(cached=f"{n_cached / max(len(keys), 1):.0%}", spent=self._spent(), refresh=False)
                bar.update(len(found) + n_on_their_way - bar.n)

            with bar:
                show()
                missing = [item for item, key in keys.items() if key not in found]
                while missing:
                    claimed = claims.take([keys[item] for item in missing])
                    mine = [item for item in missing if keys[item] in claimed]
                    missing = [item for item in missing if keys[item] not in claimed]  # others ask for these now
                    if mine:
                        buy = self._buy_in_batches if self.batch else self._buy
                        failures += buy(job, mine, store, found, show)
                        claims.release()  # what failed must not be waited for, least by one who is waited for here
                    elif missing:
                        time.sleep(_POLL + _POLL_PER_ANSWER * len(missing))
                    bought_by_others = store.get([keys[item] for item in missing])
                    n_cached += len(bought_by_others)
                    self.usage["cached"] += len(bought_by_others)
                    found.update(bought_by_others)
                    show()
                    missing = [item for item in missing if keys[item] not in found]
        failures["unreadable reply"] += len(keys) - len(found) - failures.total()
        return found, self._sum_up(+failures, len(keys), job.noun)

    def _buy(self, job, items, store, found, show):
        """Ask for `items`, put the answers into `store` and `found`, and count the known reasons for missing ones."""
        failures = Counter()
        stopped = False
        n_unreadable = 0  # replies before the first that can be read
        n_repeats = self._throttle.n_repeats

        async def buy(client, group):
            nonlocal n_unreadable
            reply = await self._reply(client, group, job)
            try:
                values = job.read(reply, len(group))
            except NoLogprobsError:
                if not found:
                    raise
                values = [None] * len(group)  # other replies had them: some providers route requests to several servers
            bought = [(job.keys[item], value) for item, value in zip(group, values, strict=True) if value is not None]
            store.put(bought)
            found.update(bought)
            n_unreadable = -math.inf if bought else n_unreadable + 1
            show()
            return [item for item in group if job.keys[item] not in found]

        async def ask(client, group):
            from openai import OpenAIError

            nonlocal stopped
            if n_unreadable >= _MAX_UNREADABLE:  # whatever answers there, it does not answer what is asked
                failures[f"not asked after {_MAX_UNREADABLE} unreadable replies"] += len(group)
                return
            try:
                unread = await buy(client, group)
                # Once more: the whole where nothing could be read, else the forgotten ones, one by one.
                for some in [group] if len(unread) == len(group) else [[item] for item in unread]:
                    try:
                        await buy(client, some)
                    except OpenAIError as error:
                        failures[_kind(error)] += len(some)
            except _LimitReached:
                stopped = True

        groups = job.arrange(items)
        try:
            replies = self._ask_all(ask, groups, self._throttle, job.model)
        finally:
            self.usage["retried"] += self._throttle.n_repeats - n_repeats
        if stopped:
            self._stop(len(job.keys) - len(found), len(job.keys), job.noun)
        for group, reply in zip(groups, replies, strict=True):
            if isinstance(reply, Exception):
                failures[_kind(reply)] += len(group)
        return failures

    def _buy_in_batches(self, job, items, store, found, show):
        """Do as `_buy` does, through the batch endpoint; first collect what an earlier run left there."""
        failures = Counter()
        wanted = [job.keys[item] for item in items]

        def read(data, n_items):
            self._count(data, job.model)
            return job.read(data, n_items)

        async def submit(client, groups, *, use_schema):
            allowed = groups
            if self.max_requests is not None:
                allowed = groups[: max(0, self.max_requests - self.usage["requests"])]
            self.usage["requests"] += len(allowed)
            requests = [
                BatchRequest(
                    [job.keys[item] for item in group], self._body(job, group, use_schema=use_schema and len(group) > 1)
                )
                for group in allowed
            ]
            failed = await ask_in_batches(client, store, requests, path=PATHS[self.api], read=read, on_progress=show)
            found.update(store.get(wanted))
            if len(allowed) < len(groups):
                raise _LimitReached
            return failed

        async def work(client, _):
            await collect_open_batches(client, store, wanted, read=read, on_progress=show)
            found.update(store.get(wanted))
            n_found = len(found)
            groups = job.arrange([item for item in items if job.keys[item] not in found])
            failed = await submit(client, groups, use_schema=True)
            are_refused = failed and failed.keys() <= {"HTTP 400", "HTTP 422"} and len(found) == n_found
            if are_refused and any(len(group) > 1 for group in groups):  # perhaps for the schema
                failed = await submit(client, groups, use_schema=False)
            failures.update(failed)

        try:
            (reply,) = self._ask_all(work, [None], Throttle(1), job.model)
        except _LimitReached:
            self._stop(len(job.keys) - len(found), len(job.keys), job.noun)
        if isinstance(reply, Exception):
            failures[_kind(reply)] += len([key for key in wanted if key not in found]) - failures.total()
        return failures

    def _ask_all(self, ask, requests, throttle, model):
        return ask_all(
            ask,
            requests,
            base_url=self.base_url,
            throttle=throttle,
            timeout=self.timeout,
            max_retries=self.max_retries,
            model=model,
        )

    def _body(self, job, group, *, use_schema):
        return request_body(
            self.api,
            job.build(group),
            model=job.model,
            n_answers=len(group) if use_schema else None,
            labels=job.labels,
            logprobs=job.logprobs,
            params=job.params,
        )

    async def _reply(self, client, group, job):
        """Ask for one group and return the reply as JSON data; with a schema where the server takes one."""
        from openai import APIStatusError

        use_schema = len(group) > 1 and not self._schema_refused
        try:
            return await self._send(client, self._body(job, group, use_schema=use_schema))
        except APIStatusError as error:
            if job.logprobs and "logprob" in str(error).lower():  # OpenAI says so with 403, others with 400
                raise NoLogprobsError from None
            if not use_schema or error.status_code not in (400, 422):
                raise
        data = await self._send(client, self._body(job, group, use_schema=False))
        self._schema_refused = True  # it was the schema: without it the server answers
        return data

    async def _send(self, client, body):
        if self.max_requests is not None and self.usage["requests"] >= self.max_requests:
            raise _LimitReached
        self.usage["requests"] += 1
        # The client's `post`, since `create` checks each body against its types, which takes a third of the time,
        # and `str`, since a reply that is no JSON is one unreadable answer and no reason to stop.
        reply = await client.post(PATHS[self.api], body=body, cast_to=str)
        try:
            data = json.loads(reply)
        except (ValueError, RecursionError):
            return None
        self._throttle.count_tokens(self._count(data, body["model"]))
        return data

    def _count(self, data, model):
        """Add the reply's tokens to the bill and return those of its completion."""
        prompt_tokens, completion_tokens = reply_tokens(data)
        self.usage["prompt_tokens"] += prompt_tokens
        self.usage["completion_tokens"] += completion_tokens
        self.usage["price"] += price(prompt_tokens, completion_tokens, self.prices.get(model), batch=self.batch)
        return completion_tokens

    def _spent(self):
        if math.isnan(self.usage["price"]):
            return f"{self.usage['prompt_tokens'] + self.usage['completion_tokens']:,} tokens"
        return f"{self.usage['price']:.4g}"

    # Saying what did not work

    def _stop(self, n_missing, n_asked, noun):
        kept = (
            "What was bought is kept: run again, with a higher max_requests, to go on from there."
            if self.cache_dir is not None
            else "Nothing is kept, since cache_dir is None."
        )
        raise RuntimeError(
            f"max_requests={self.max_requests} is used up ({self.usage['requests']} requests sent) and "
            f"{n_missing} of {n_asked} {noun}s are still missing. {kept}"
        )

    def _sum_up(self, failures, n_asked, noun):
        """Count the failures and return them in words, "" if there are none."""
        n_failed = failures.total()
        if not n_failed:
            return ""
        self.usage["failed"] += n_failed
        kinds = ", ".join(f"{count} x {kind}" for kind, count in failures.most_common())
        what = f"{n_failed} of {n_asked} {noun}s have no answer after the retries ({kinds})"
        if self.on_error == "raise":
            raise RuntimeError(f'{what}. Run again to ask for these only, or pass on_error="nan".')
        return what


def price(prompt_tokens, completion_tokens, prices, *, batch=False):
    """Return what tokens cost at `prices` for a million of each kind; NaN for None."""
    if prices is None:
        return math.nan
    discount = _BATCH_DISCOUNT if batch else 1.0
    return discount * (prompt_tokens * prices[0] + completion_tokens * prices[1]) / 1e6


class NoLogprobsError(ValueError):
    """The server gave no token log-probabilities."""

    def __init__(self):
        super().__init__(
            'The server gave no token log-probabilities, which output="probability" needs; '
            'pass output="binary", or a model and api that give them.'
        )


class _LimitReached(Exception):
    """`max_requests` is used up."""


def _kind(error):
    """Name a failure without quoting what was sent."""
    status = getattr(error, "status_code", None)
    names = {"APITimeoutError": "time-out", "APIConnectionError": "no connection"}
    return f"HTTP {status}" if status else names.get(type(error).__name__, type(error).__name__)
