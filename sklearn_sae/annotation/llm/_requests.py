"""Answers from a language model: stored ones are looked up, the others are requested, stored and counted.

An answer is on disk before its place in the queue is given to the next request.
"""

import math
import time
from collections import Counter
from functools import partial
from itertools import islice
from numbers import Real

import numpy as np

from sklearn_sae.annotation.llm._fields import NoLogprobsError, only_thought, reply_tokens, was_refused
from sklearn_sae.annotation.llm._live import UNREADABLE, Asking, only_thoughts
from sklearn_sae.annotation.llm._one_request import SCHEMA, OneRequest
from sklearn_sae.utils._progress import progress
from sklearn_sae.utils.server import REFUSED, RateLimiter, ask_all, reason_of
from sklearn_sae.utils.server._batch import Batches, BatchRequest
from sklearn_sae.utils.store import fill, open_store

STORE = "annotations"
_KEYS_AT_ONCE = 4096  # are looked up, so that the keys of stored answers are never in memory as a whole
_BATCH_DISCOUNT = 0.5  # of the price of a token, wherever batches are offered at all
NOT_STORED = "not stored"
_THOUGHTS = "thoughts without an answer"
# With one of these a batch may have been refused for its schema.
_BAD = {"HTTP 400", "HTTP 404", "HTTP 422", "HTTP 500", "HTTP 501"}


class Requester:
    """Get the answers to questions from the store, or else from a language model.

    Parameters
    ----------
    connection : Connection
    cache_dir : "auto", path-like or None
        Where answers are kept; see `sklearn_sae.utils.store.open_store`.
    cached_only : bool, default=False
        Ask for nothing.
    max_requests : int or None, default=None
        Stop before `usage` counts more requests than this. Requests that the official client repeats count once.
    batch : bool, default=False
        Use the batch endpoint.
    prices : dict of str -> (float, float), or None, default=None
        By model, the price of a million prompt tokens and of a million completion tokens.
    verbose : bool, default=False
        Show a progress bar.
    usage : dict or None, default=None
        Counts to go on from, as `new_usage` returns them. None: new ones.

    Attributes
    ----------
    usage : dict
        ``requests`` sent, those that the client had to send again (``retried``), answers ``cached`` and ``failed``, of
        these those ``refused`` for what a text says, ``prompt_tokens`` and ``completion_tokens`` as the server counted
        them, their ``price``, NaN if `prices` does not tell, and ``cache_bytes``, the size of the file of answers after
        the last look at it.
    """

    def __init__(
        self,
        connection,
        *,
        cache_dir,
        cached_only=False,
        max_requests=None,
        batch=False,
        prices=None,
        verbose=False,
        usage=None,
    ):
        self.connection = connection
        self.cache_dir = cache_dir
        self.cached_only = cached_only
        self.max_requests = max_requests
        self.batch = batch
        self.prices = prices or {}
        self.verbose = verbose
        self.usage = new_usage() if usage is None else usage
        self.rate_limiter = connection.rate_limiter()

    def answer(self, questions):
        """Find or request the answers, and hand each to ``questions.keep``.

        Answers that another process, or thread, requests at this moment are waited for.

        Parameters
        ----------
        questions : InterpretationQuestions or AnnotationQuestions

        Returns
        -------
        failures : Counter of str
            How many questions have no answer, by reason: "HTTP 429", "unreadable reply".

        Raises
        ------
        RuntimeError
            `max_requests` is used up.
        ValueError, PermissionError, ConnectionError, TimeoutError
            As `sklearn_sae.utils.server.ask_all`.
        """
        with open_store(self.cache_dir, STORE, model=questions.model) as store:
            run = _Run(self, questions, store)
            try:
                with run.bar:
                    run.look_up()
                    run.start_clock()
                    if self.cached_only:
                        return +Counter({NOT_STORED: len(run.missing)})
                    fill(store, list(run.missing), run.request, on_progress=run.look_up_again)
            finally:
                self.usage["cache_bytes"] = store.n_bytes
        run.failures[UNREADABLE] += len(run.missing) - run.failures.total()
        self.usage["failed"] += len(run.missing)
        self.usage["refused"] += run.failures[REFUSED]
        if run.failures[_THOUGHTS] == len(questions.places) > 0:
            raise only_thoughts(questions, self.connection.api)
        return +run.failures

    def count(self, data, model):
        """Add the tokens of a reply to the usage."""
        prompt_tokens, completion_tokens = reply_tokens(data)
        self.usage["prompt_tokens"] += prompt_tokens
        self.usage["completion_tokens"] += completion_tokens
        self.usage["price"] += price(prompt_tokens, completion_tokens, self.prices.get(model), batch=self.batch)

    def n_allowed(self, n_requests):
        """Return how many of so many requests `max_requests` allows."""
        if self.max_requests is None:
            return n_requests
        return max(0, min(n_requests, self.max_requests - self.usage["requests"]))

    def spent(self):
        """Return what was spent so far, in words."""
        if math.isnan(self.usage["price"]):
            return f"{self.usage['prompt_tokens'] + self.usage['completion_tokens']:,} tokens"
        return f"{self.usage['price']:.4g}"


def new_usage():
    """Return counts of nothing."""
    counts = ("requests", "retried", "cached", "failed", "refused", "prompt_tokens", "completion_tokens")
    return {**dict.fromkeys(counts, 0), "price": 0.0, "cache_bytes": 0}


def price(prompt_tokens, completion_tokens, prices, *, batch=False):
    """Return what tokens cost at `prices` for a million of each kind; NaN for None."""
    if prices is None:
        return math.nan
    discount = _BATCH_DISCOUNT if batch else 1.0
    return discount * (prompt_tokens * prices[0] + completion_tokens * prices[1]) / 1e6


def check_prices(prices):
    """Refuse prices that are not two numbers for each model.

    Parameters
    ----------
    prices : dict of str -> (float, float), or None

    Raises
    ------
    ValueError
    """
    for model, pair in (prices or {}).items():
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
        if not is_pair or not all(isinstance(value, Real) and 0 <= value < math.inf for value in pair):
            raise ValueError(
                f"prices[{model!r}] must be two numbers of at least 0: the price of a million prompt tokens and of a "
                f"million completion tokens."
            )


def in_words(failures, questions):
    """Return a sentence about failures, as `Requester.answer` returns them; "" if there are none."""
    if not failures:
        return ""
    n_failed, n_all = failures.total(), len(questions.places)
    if NOT_STORED in failures:
        are = "is" if n_failed == 1 else "are"
        return f"{n_failed} of {n_all} {questions.noun}s {are} not stored, and cached_only=True asks for none"
    kinds = ", ".join(f"{count} x {kind}" for kind, count in failures.most_common())
    if _THOUGHTS in failures:
        kinds += f", which less thought or a higher limit of tokens in {questions.params_name} may mend"
    return f"{n_failed} of {n_all} {questions.noun}s have no answer after the retries ({kinds})"


class _Run:
    """One call of `Requester.answer`: what is still missing, and why.

    `fill` calls `request` with keys that no other process asks for. Single requests and batches both end in
    `store_replies`.
    """

    def __init__(self, requester, questions, store):
        self.requester = requester
        self.questions = questions
        self.store = store
        self.one_request = OneRequest(requester, questions)
        self.missing = {}  # from the key of an answer to the place of its question
        self.failures = Counter()
        self.n_cached = 0
        self.n_unreadable = 0  # replies without any answer before the first that has one
        self.n_thoughts = 0  # of these
        self.limit_reached = False
        self.bar = progress(total=len(questions.places), desc=f"{questions.noun}s", verbose=requester.verbose)

    # From the store

    def look_up(self):
        """Look up the answers to all questions."""
        places = self.questions.places
        for start in range(0, len(places), _KEYS_AT_ONCE):
            some = places[start : start + _KEYS_AT_ONCE]
            keys = self.questions.keys(some)
            self.missing.update(zip(keys, some.tolist(), strict=True))
            self.look_up_again(keys)

    def look_up_again(self, keys):
        """Look up the answers with these keys."""
        found = self.store.get(keys)
        self.n_cached += len(found)
        self.requester.usage["cached"] += len(found)
        self.keep(found)
        self.show()

    def keep(self, found):
        """Give answers to the questions that they answer. A batch of an earlier run may hold answers to others."""
        keys = [key for key in found if key in self.missing]
        self.questions.keep([self.missing.pop(key) for key in keys], [found[key] for key in keys])

    def show(self, n_before=0, n_done=0):
        """Move the bar to the number of answers, or to `n_before` and those that are done in batches."""
        if self.bar.disable:
            return
        cached = self.n_cached / max(self.bar.total, 1)
        self.bar.set_postfix(cached=f"{cached:.0%}", spent=self.requester.spent(), refresh=False)
        self.bar.update(max(self.n_found, n_before + n_done) - self.bar.n)

    def start_clock(self):
        """Let the bar count its rate from here, since stored answers take no time that those to come will take."""
        self.bar.initial, self.bar.smoothing = self.bar.n, 0  # 0: the mean rate, because replies come in bursts
        self.bar.start_t = self.bar.last_print_t = time.time()

    @property
    def n_found(self):
        return len(self.questions.places) - len(self.missing)

    # From the model

    def request(self, keys):
        """Ask for the answers with these keys and store them; count why some are missing."""
        failed = self.request_in_batches(keys) if self.requester.batch else self.request_live(keys)
        self.failures.update(failed)
        if self.limit_reached:
            self.stop()

    def groups(self, keys):
        """Return those of the questions with these keys that are not answered yet, in groups of one request each."""
        places = [self.missing[key] for key in keys if key in self.missing]
        return self.questions.groups(np.array(places, dtype=np.intp))

    def store_replies(self, replies):
        """Parse some replies, and store and count the answers in them.

        Parameters
        ----------
        replies : list of (list of bytes, reply)
            The keys of the answers that a reply is to hold, and its JSON data.

        Returns
        -------
        unanswered : dict of bytes -> str
            The keys of the answers that are missing, and why.
        """
        answers, unanswered = {}, {}
        for keys, data in replies:
            self.requester.count(data, self.questions.model)
            try:
                values = self.questions.parse(data, len(keys))
            except NoLogprobsError:
                if not (self.n_found or answers):
                    raise
                values = [None] * len(keys)  # because some providers route requests to several servers
            answers.update((key, value) for key, value in zip(keys, values, strict=True) if value is not None)
            unanswered |= dict.fromkeys((key for key in keys if key not in answers), _why_not(data))
            self.note_failure([key for key in keys if key not in answers], _why_not(data))
        if answers:
            self.store.put([*answers.items(), (self.questions.base_key, b"")])
        self.keep(answers)
        self.n_unreadable = -math.inf if answers else self.n_unreadable + len(replies)
        self.n_thoughts += _THOUGHTS in unanswered.values()
        self.show()
        return unanswered

    def note_failure(self, keys, reason):
        """Remember which questions are refused."""
        if reason == REFUSED:
            self.questions.refused.update(self.missing[key] for key in keys if key in self.missing)

    # One request each

    def request_live(self, keys):
        """Send one request for each group of questions; return why answers are missing."""
        groups = self.groups(keys)
        outcomes = self.ask_all(Asking(self).ask, groups, self.requester.rate_limiter)
        failed = Counter()
        for group, outcome in zip(groups, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failed[reason_of(outcome)] += len(group)
        return failed

    def ask_all(self, ask, requests, limiter):
        """Await ``ask(client, request)`` for every request."""
        return ask_all(
            ask,
            requests,
            connection=self.requester.connection,
            model=self.questions.model,
            rate_limiter=limiter,
            on_repeats=self.count_repeats,
            verbose=self.requester.verbose,
        )

    def count_repeats(self, n_repeats):
        """Add requests that the client sent again to the usage."""
        self.requester.usage["retried"] += n_repeats

    # Through the batch endpoint

    def request_in_batches(self, keys):
        """Send all questions through the batch endpoint; return why answers are missing."""
        (outcome,) = self.ask_all(self.ask_in_batches, [keys], RateLimiter(1))
        if isinstance(outcome, Exception):
            return Counter({reason_of(outcome): len(self.missing.keys() & set(keys))})
        return outcome

    async def ask_in_batches(self, client, keys):
        """Collect what an earlier run left at the provider, ask for the rest, and return why answers are missing."""
        await self.batches(client).collect_open(keys)
        n_found, groups = self.n_found, self.groups(keys)
        failed = await self.submit(client, groups, use_schema=True)
        are_refused = failed and failed.keys() <= _BAD and self.n_found == n_found
        if are_refused and not self.limit_reached and any(map(self.one_request.uses_schema, groups)):
            failed = await self.submit(client, groups, use_schema=False)  # because the schema may be what is refused
            if self.n_found > n_found:
                self.one_request.learned.doubt(SCHEMA, weight=2)
        return failed

    async def submit(self, client, groups, *, use_schema):
        """Send as many groups of questions as `max_requests` allows; return why answers are missing."""
        n_allowed = self.requester.n_allowed(len(groups))
        self.limit_reached = n_allowed < len(groups)
        self.requester.usage["requests"] += n_allowed
        requests = [
            BatchRequest(
                self.questions.keys(group),
                self.one_request.body(group, use_schema=use_schema and self.one_request.uses_schema(group)),
            )
            for group in islice(groups, n_allowed)
        ]
        return await self.batches(client).ask(requests, self.requester.connection.path)

    def batches(self, client):
        return Batches(
            client,
            self.store,
            store_replies=lambda replies: Counter(self.store_replies(replies).values()),
            on_failure=self.note_failure,
            on_progress=partial(self.show, self.n_found),
        )

    # The end

    def stop(self):
        """Raise, because `max_requests` is used up."""
        requester = self.requester
        kept = (
            "What was bought is kept: run again, with a higher max_requests, to go on from there."
            if requester.cache_dir is not None
            else "Nothing is kept, since cache_dir is None."
        )
        raise RuntimeError(
            f"max_requests={requester.max_requests} is used up ({requester.usage['requests']} requests sent) and "
            f"{len(self.missing)} of {len(self.questions.places)} {self.questions.noun}s are still missing. {kept}"
        )


def _why_not(data):
    """Return why a reply lacks an answer."""
    if was_refused(data):
        return REFUSED
    return _THOUGHTS if only_thought(data) else UNREADABLE
