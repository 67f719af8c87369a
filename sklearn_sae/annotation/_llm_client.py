"""Interpretations and annotations from a language model, bought once and kept.

An answer is looked up by the hash of everything that shaped it; what is missing is asked for, many requests
at once, and is on disk before its place is given to the next request.
"""

import json
import math
import struct
import warnings
from collections import Counter

import numpy as np

from sklearn_sae._cache import digest, open_store
from sklearn_sae._openai import ask_all, resolve_base_url
from sklearn_sae._progress import progress
from sklearn_sae.annotation._prompts import annotation_prompt, interpretation_prompt, truncate_words
from sklearn_sae.annotation._protocols import (
    PATHS,
    choose_api,
    reply_logprobs,
    reply_text,
    reply_tokens,
    request_body,
    was_cut,
    yes_probability,
)
from sklearn_sae.annotation._replies import parse_annotations, parse_interpretation

_STORE = "annotations"
_CHARACTERS_PER_TOKEN = 4  # English prose with the tokenizers of 2024 and later; other scripts take more tokens


class LLMClient:
    """Ask a language model for interpretations and annotations.

    Parameters
    ----------
    base_url : str or None
        None: ``OPENAI_BASE_URL``, or OpenAI's.
    api : {"auto", "chat", "responses"}
        "auto": Responses for OpenAI itself, Chat Completions for any other server.
    max_concurrency : int
        Requests in flight at once.
    timeout : float
        Seconds, for one request.
    max_retries : int
        How often the client repeats a request that failed (429, 5xx, no connection).
    on_error : {"nan", "raise"} or 0
        What becomes of an annotation with no answer after the retries.
    max_requests : int or None
        Stop before more requests than this are sent by this object. The client's repeats do not count.
    cache_dir : "auto", path-like or None
        Where answers are kept; see `sklearn_sae._cache.open_store`.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    usage : dict
        ``requests`` sent, answers ``cached`` and ``failed``, ``prompt_tokens`` and ``completion_tokens`` as
        the server counted them; summed over this object's life.
    """

    def __init__(
        self, *, base_url, api, max_concurrency, timeout, max_retries, on_error, max_requests, cache_dir, verbose
    ):
        self.base_url = resolve_base_url(base_url)
        self.api = choose_api(api, self.base_url)
        self.max_concurrency = max_concurrency
        self.timeout = timeout
        self.max_retries = max_retries
        self.on_error = on_error
        self.max_requests = max_requests
        self.cache_dir = cache_dir
        self.verbose = verbose
        self.usage = dict.fromkeys(("requests", "cached", "failed", "prompt_tokens", "completion_tokens"), 0)
        self._schema_refused = False

    def interpret(self, prompts, *, model, n_candidates):
        """Return the candidate phrases for each prompt.

        Parameters
        ----------
        prompts : list of Prompt
        model : str
        n_candidates : int
            Requests for each prompt.

        Returns
        -------
        candidates : list of list of str
            In the order of the candidate numbers; without those that failed, so [] if all did.
        failures : str
            How many failed, and how; "" if none did.

        Raises
        ------
        RuntimeError
            `max_requests` is used up; or an answer failed and ``on_error="raise"``.
        ValueError, PermissionError, ConnectionError
            As `sklearn_sae._openai.ask_all`.
        """
        base = self._base_key("interpretation", model)
        keys = {(prompt, i): digest(base, *prompt, str(i)) for prompt in prompts for i in range(n_candidates)}

        def read(data, group):
            text = reply_text(data)
            if was_cut(data):
                text = text.rpartition("\n")[0]  # its last line is not whole
            phrase = parse_interpretation(text)
            return [None if phrase is None else phrase.encode()]

        found, failures = self._answers(
            keys,
            lambda missing: [[item] for item in missing],
            build=lambda group: group[0][0],
            read=read,
            model=model,
            noun="interpretation",
        )
        candidates = [
            [found[keys[prompt, i]].decode() for i in range(n_candidates) if keys[prompt, i] in found]
            for prompt in prompts
        ]
        return candidates, failures

    def annotate(self, pairs, *, model, concepts_per_call=1, max_words=None, output="binary"):
        """Return whether, or how probably, each concept holds for its text.

        Parameters
        ----------
        pairs : list of (text, concept)
            Equal pairs are asked for once. The pairs of one text are sent together.
        model : str
        concepts_per_call : int, default=1
            Concepts of one text put into one request.
        max_words : int or None, default=None
            Words of a text that are sent.
        output : {"binary", "probability"}, default="binary"

        Returns
        -------
        annotations : ndarray of shape (n_pairs,), float64
            1 and 0, or P(yes); where no answer came, NaN, or 0 with ``on_error=0``.

        Raises
        ------
        RuntimeError
            `max_requests` is used up; or an answer failed and ``on_error="raise"``.
        ValueError
            ``output="probability"`` with `concepts_per_call` above 1, or from a server without
            log-probabilities; or as `sklearn_sae._openai.ask_all`.
        PermissionError, ConnectionError
            As `sklearn_sae._openai.ask_all`.
        """
        if output == "probability" and concepts_per_call > 1:
            raise ValueError('output="probability" needs concepts_per_call=1: it reads the one word of the reply.')
        short = {text: truncate_words(text, max_words) for text in {text for text, _ in pairs}}
        pairs = [(short[text], concept) for text, concept in pairs]
        keys = self._annotation_keys(pairs, model, concepts_per_call, output)

        def read(data, group):
            if output == "probability":
                values = [self._probability(data)]
            else:
                values = parse_annotations(reply_text(data), len(group)) or [None] * len(group)
            return [None if value is None else struct.pack("<d", value) for value in values]

        found, failures = self._answers(
            keys,
            lambda missing: _by_text(missing, concepts_per_call),
            build=lambda group: annotation_prompt(group[0][0], [concept for _, concept in group]),
            read=read,
            model=model,
            noun="annotation",
            logprobs=output == "probability",
        )
        if failures:
            outcome = "count as 0" if self.on_error == 0 else "are NaN"
            warnings.warn(f"{failures}; they {outcome}. Run again to ask for these only.", RuntimeWarning, stacklevel=2)
        failed = struct.pack("<d", 0.0 if self.on_error == 0 else math.nan)
        return np.frombuffer(b"".join(found.get(keys[pair], failed) for pair in pairs), dtype="<f8").astype(np.float64)

    @staticmethod
    def count(
        *,
        n_interpretations=0,
        n_candidates=1,
        n_examples=40,
        instructions=None,
        n_texts=0,
        concepts=(),
        concepts_per_call=1,
        words_per_text=256,
    ):
        """Return how many requests and tokens a run takes, without sending anything.

        Tokens are estimated at four characters each and six characters a word, with answers as short as the
        prompts ask for; the hidden thoughts of a reasoning model, which only the bill shows, are not counted,
        and neither is what the cache saves.

        Parameters
        ----------
        n_interpretations, n_candidates : int
        n_examples : int
            Texts in each interpretation prompt, both groups together.
        instructions : str or None
        n_texts : int
            Texts to annotate.
        concepts : sequence of str
            Put to each of them.
        concepts_per_call : int
        words_per_text : int

        Returns
        -------
        count : dict
            ``requests``, ``prompt_tokens``, ``completion_tokens``.
        """
        text = "words " * words_per_text
        total = Counter(requests=0, prompt_tokens=0, completion_tokens=0)

        def add(n, prompt, completion_tokens):
            prompt_tokens = math.ceil(len("".join(prompt)) / _CHARACTERS_PER_TOKEN)
            total.update(requests=n, prompt_tokens=n * prompt_tokens, completion_tokens=n * completion_tokens)

        half = n_examples // 2
        naming = interpretation_prompt([text] * (n_examples - half), [text] * half, instructions=instructions)
        add(n_interpretations * n_candidates, naming, 15)
        for start in range(0, len(concepts), concepts_per_call):
            some = concepts[start : start + concepts_per_call]
            add(n_texts, annotation_prompt(text, list(some)), 1 if len(some) == 1 else 6 * len(some))
        return dict(total)

    # What is asked, what it is kept under

    def _base_key(self, kind, model):
        return digest(kind, model, self.base_url, self.api)

    def _annotation_keys(self, pairs, model, concepts_per_call, output):
        """Return {pair: key}, in order of first appearance.

        The key holds all that shapes a pair's own prompt: both templates, the whole (truncated) text and the
        concept; and the size of group it is asked in, since company may sway an answer. It leaves out the
        other concepts of the group: after a crash, or for one concept more, only the pairs without an answer
        are grouped anew, and none is paid for twice.
        """
        templates = [*annotation_prompt("", [""]), *annotation_prompt("", ["", ""])]
        base = digest(self._base_key("annotation", model), output, str(concepts_per_call), *templates)
        text_keys = {text: digest(base, text) for text in {text for text, _ in pairs}}
        return {(text, concept): digest(text_keys[text], concept) for text, concept in dict.fromkeys(pairs)}

    def _probability(self, data):
        logprobs = reply_logprobs(data)
        if not logprobs and reply_text(data):
            raise _no_logprobs()
        return yes_probability(logprobs)

    # Buying

    def _answers(self, keys, arrange, *, build, read, model, noun, logprobs=False):
        """Return {key: value} for all of `keys` that have an answer, from the store or bought, and what failed.

        Parameters
        ----------
        keys : dict of item -> key
        arrange : callable, items -> groups
            A group is a list of items that share one request.
        build : callable, group -> Prompt
        read : callable, (reply, group) -> list of bytes or None
            One value for each item of the group.
        model, noun : str
        logprobs : bool
        """
        with open_store(self.cache_dir, _STORE) as store:
            found = store.get(keys.values())
            missing = [item for item, key in keys.items() if key not in found]
            groups = arrange(missing)
            self.usage["cached"] += len(found)
            failures = Counter()
            stopped = False

            async def buy(client, group):
                reply = await self._reply(client, build(group), model, len(group), logprobs)
                values = zip(group, read(reply, group), strict=True)
                bought = [(keys[item], value) for item, value in values if value is not None]
                store.put(bought)
                found.update(bought)
                bar.update(len(bought))
                return [item for item in group if keys[item] not in found]

            async def ask(client, group):
                from openai import OpenAIError

                nonlocal stopped
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

            with progress(total=len(missing), desc=f"{noun}s", verbose=self.verbose) as bar:
                bar.set_postfix(cached=f"{len(found) / max(len(keys), 1):.0%}")
                replies = ask_all(
                    ask,
                    groups,
                    base_url=self.base_url,
                    max_concurrency=self.max_concurrency,
                    timeout=self.timeout,
                    max_retries=self.max_retries,
                    model=model,
                )
        n_missing = len(keys) - len(found)
        if stopped:
            self._stop(n_missing, len(keys), noun)
        for group, reply in zip(groups, replies, strict=True):
            if isinstance(reply, Exception):
                failures[_kind(reply)] += len(group)
        failures["unreadable reply"] += n_missing - failures.total()
        return found, self._sum_up(+failures, len(keys), noun)

    async def _reply(self, client, prompt, model, n_answers, logprobs):
        """Send one prompt and return the reply as JSON data; with a schema where the server takes one."""
        from openai import APIStatusError

        use_schema = n_answers > 1 and not self._schema_refused
        body = request_body(
            self.api, prompt, model=model, n_answers=n_answers if use_schema else None, logprobs=logprobs
        )
        try:
            return await self._send(client, body)
        except APIStatusError as error:
            if logprobs and "logprob" in str(error).lower():  # OpenAI says so with 403, others with 400
                raise _no_logprobs() from None
            if not use_schema or error.status_code not in (400, 422):
                raise
        data = await self._send(client, request_body(self.api, prompt, model=model))
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
        prompt_tokens, completion_tokens = reply_tokens(data)
        self.usage["prompt_tokens"] += prompt_tokens
        self.usage["completion_tokens"] += completion_tokens
        return data

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


class _LimitReached(Exception):
    """`max_requests` is used up."""


def _no_logprobs():
    return ValueError(
        'The server gave no token log-probabilities, which output="probability" needs; '
        'pass output="binary", or a model and api that give them.'
    )


def _by_text(pairs, size):
    """Return groups of at most `size` pairs of one text; the groups of a text follow one another."""
    texts = {}
    for pair in pairs:
        texts.setdefault(pair[0], []).append(pair)
    return [some[i : i + size] for some in texts.values() for i in range(0, len(some), size)]


def _kind(error):
    """Name a failure without quoting what was sent."""
    status = getattr(error, "status_code", None)
    names = {"APITimeoutError": "time-out", "APIConnectionError": "no connection"}
    return f"HTTP {status}" if status else names.get(type(error).__name__, type(error).__name__)
