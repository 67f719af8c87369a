"""The batch endpoint of a provider: slower, within 24 hours, and at half the price.

A batch outlives the process that submitted it. Until its answers are in the store, the store holds three notes:

- under the batch's tag, 32 random bytes: the keys of its answers, request by request;
- under a hash of the key of each answer: the tag;
- under a hash of the tag: the provider's id of the batch, once it is known.

The first two are written before the batch is created, and the tag is sent along as the batch's metadata. So the next
run finds the batch after a kill at any moment: by its id, or by its tag in the provider's list of batches. A batch that
is found in neither way was never created.

The uploaded file holds the texts. It is deleted at the provider when its batch has ended. The files of replies are
deleted when the answers are in the store.
"""

import asyncio
import io
import json
import os
import re
import time
from collections import Counter, deque
from contextlib import contextmanager, suppress
from itertools import chain
from typing import NamedTuple

from sklearn_sae.utils.server._refusals import Place, meaning_of
from sklearn_sae.utils.store import digest

_MAX_REQUESTS = 50_000  # the provider's limit for one batch
_MAX_BYTES = 100_000_000  # half of the provider's limit, because the file is built in memory
_BYTES_AROUND_BODY = 200  # of a request's line
_FIRST_WAIT = 1.0  # seconds between two looks at a batch; the wait grows
_LONGEST_WAIT = 60.0
_PATIENCE = 3600  # seconds that a server may be away or not well, before the run ends and the next one goes on
_LINES_AT_ONCE = 1000  # replies that are stored together, before Ctrl-C is looked for
_LABEL = "sklearn_sae"  # the name of the tag in a batch's metadata
_ENDED = ("completed", "failed", "expired", "cancelled")
_CODE = re.compile(r"[a-z0-9_]{1,60}")


class BatchRequest(NamedTuple):
    """One request of a batch.

    Parameters
    ----------
    keys : list of bytes
        The store's keys of the answers that its reply is to hold, in order.
    body : dict
        The JSON body.
    """

    keys: list
    body: dict


class _Batch(NamedTuple):
    id: str
    groups: list  # the keys of each request
    n_answers: int  # that count as progress


class Batches:
    """Requests that go to the provider in batches.

    Parameters
    ----------
    client : AsyncOpenAI
    store : Store
    store_replies : callable, list of (keys, reply) -> Counter of str
        Stores the answers in some replies, and counts those that are not there by the reason.
    on_progress : callable, n_answers -> None
        Is called from time to time with how many of the wanted answers are done so far.
    on_failure : callable (keys, reason) or None, default=None
        Is called for each request that has an error in place of a reply.
    """

    def __init__(self, client, store, *, store_replies, on_progress, on_failure=None):
        self.client = client
        self.store = store
        self.store_replies = store_replies
        self.on_progress = on_progress
        self.on_failure = on_failure

    async def collect_open(self, keys):
        """Wait for the batches that an earlier run submitted and that hold any of `keys`, and store their answers.

        Those of `keys` that are not in the store afterwards have no answer in any batch, and can be asked for anew.

        Parameters
        ----------
        keys : list of bytes

        Raises
        ------
        ValueError
            The server has no batch endpoint.
        openai.OpenAIError
        """
        keys = set(keys)
        pointers = self.store.get(map(_pointer, keys))
        tags = sorted(set(pointers.values()))
        ids = {tag: self.store.get([_id_key(tag)]).get(_id_key(tag)) for tag in tags}
        lost = {tag for tag in tags if ids[tag] is None}
        with _endpoint_needed():
            ids.update(await self._find(lost))
            for tag in [tag for tag in lost if ids[tag] is None]:
                # A request to create it that is still on its way comes to nothing without its file.
                await self._delete_files(await self._uploads(tag))
                ids.update(await self._find({tag}))
        running, done = {}, Counter()
        for tag in tags:
            manifest = self.store.get([tag]).get(tag)
            if manifest is None:  # the store was damaged
                self.store.drop([_id_key(tag), *(pointer for pointer in pointers if pointers[pointer] == tag)])
                continue
            groups = [[bytes.fromhex(key) for key in group] for group in json.loads(manifest)]
            if ids[tag] is None:
                self._forget(tag, groups)
            else:
                running[tag] = _Batch(ids[tag].decode(), groups, len(keys.intersection(chain(*groups))))
        while running:
            tag, ended = await self._next_ended(running, done)
            batch = running.pop(tag)
            await self._collect(tag, batch.groups, ended)
            done[tag] = batch.n_answers
            self.on_progress(done.total())

    async def ask(self, requests, path):
        """Submit requests, wait for the replies and store the answers.

        There are as many batches as the provider's limits for one ask for, all submitted at once. Where the account's
        limit of tokens in the queue is reached, they are smaller and submitted one after the other.

        Cancelled or killed, it leaves the batches with the provider; `collect_open` goes on from there.

        Parameters
        ----------
        requests : list of BatchRequest
        path : str
            Where each would go by itself, without the version: "/chat/completions".

        Returns
        -------
        failures : Counter of str
            How many answers are missing for which reason: "HTTP 429", "expired", "unreadable reply".

        Raises
        ------
        ValueError
            The server has no batch endpoint, or refused a batch as a whole: an unknown model, say.
        openai.OpenAIError
        """
        waiting = deque(_split(requests))
        failures, running, submitted, done = Counter(), {}, {}, Counter()
        one_at_a_time = False
        while waiting or running:
            while waiting and not (one_at_a_time and running):
                some = waiting.popleft()
                with _endpoint_needed():
                    tag, batch = await self._submit(some, path)
                running[tag], submitted[tag] = batch, some
            tag, ended = await self._next_ended(running, done)
            batch, some = running.pop(tag), submitted.pop(tag)
            refusal = _refusal(ended)
            if refusal is None:
                failures += await self._collect(tag, batch.groups, ended)
                done[tag] = batch.n_answers
                self.on_progress(done.total())
                continue
            await self._delete_files({ended.input_file_id, *await self._uploads(tag)})
            self._forget(tag, batch.groups)
            if refusal != "token_limit_exceeded":
                raise ValueError(
                    f"The server refused the batch ({refusal}); check the model's name and the parameters."
                )
            if not running and len(some) == 1:
                raise ValueError(
                    "The server takes no batch now, since the account has too many tokens on the way in others "
                    f"({refusal}); run again when those have ended."
                )
            one_at_a_time = True
            halves = [some] if running else [some[: len(some) // 2], some[len(some) // 2 :]]
            waiting.extendleft(reversed(halves))
        return failures

    # To the provider

    async def _submit(self, requests, path):
        from openai import APIStatusError

        tag = os.urandom(32)
        groups = [request.keys for request in requests]
        url = f"/v1{path}"
        lines = [
            json.dumps({"custom_id": str(i), "method": "POST", "url": url, "body": request.body})
            for i, request in enumerate(requests)
        ]
        manifest = json.dumps([[key.hex() for key in group] for group in groups]).encode()
        self.store.replace([(tag, manifest), *((_pointer(key), tag) for group in groups for key in group)])
        try:
            file = (_file_name(tag), "\n".join(lines).encode())
            upload = await self.client.files.create(file=file, purpose="batch")
            batch_id = await self._create(tag, upload.id, url)
        except APIStatusError as error:
            if error.status_code < 500:  # after any other error there may be a batch
                await self._delete_files(await self._uploads(tag))
                self._forget(tag, groups)
            raise
        self.store.replace([(_id_key(tag), batch_id)])
        return tag, _Batch(batch_id.decode(), groups, sum(map(len, groups)))

    async def _create(self, tag, upload_id, url):
        """Return the id of the new batch, as bytes.

        The client's own repeats, which do not look whether there is a batch, could make a second one.
        """
        from openai import APIConnectionError, InternalServerError, RateLimitError

        client = self.client.with_options(max_retries=0)
        wait = _FIRST_WAIT
        for attempt in range(self.client.max_retries + 1):
            try:
                batch = await client.batches.create(
                    input_file_id=upload_id, endpoint=url, completion_window="24h", metadata={_LABEL: tag.hex()}
                )
                return batch.id.encode()
            except (APIConnectionError, InternalServerError, RateLimitError) as error:
                if attempt == self.client.max_retries or error.code == "insufficient_quota":
                    raise
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
            if found := await self._find({tag}):  # only the response was lost
                return found[tag]

    async def _find(self, tags):
        """Return {tag: id} for those of `tags` that the provider has a batch of."""
        found = {}
        if tags:
            async for batch in self.client.batches.list(limit=100):
                label = (batch.metadata or {}).get(_LABEL, "")
                found.update((tag, batch.id.encode()) for tag in tags if tag.hex() == label)
                if len(found) == len(tags):
                    break
        return found

    # From the provider

    async def _next_ended(self, running, done):
        """Wait until a batch of `running` has ended; return its tag, and it, or None if the provider has no such batch.

        How many answers of the others are done is written into `done`.
        """
        wait = _FIRST_WAIT
        while True:
            for tag, (batch_id, _, n_answers) in running.items():
                batch = await _patiently(self.client.batches.retrieve, batch_id)
                if batch is None or batch.status in _ENDED:
                    return tag, batch
                counts = batch.request_counts
                if counts is not None and counts.total:
                    done[tag] = n_answers * ((counts.completed or 0) + (counts.failed or 0)) // counts.total
            self.on_progress(done.total())
            await asyncio.sleep(wait)
            wait = min(1.5 * wait, _LONGEST_WAIT)

    async def _collect(self, tag, groups, batch):
        """Store the answers of an ended batch, forget it, and count the answers that are missing.

        `batch` is None if the provider has no such batch.
        """
        files = [] if batch is None else [name for name in (batch.output_file_id, batch.error_file_id) if name]
        contents = [await _patiently(self.client.files.content, name) for name in files]
        lines = chain(*(io.BytesIO(content.content) for content in contents if content is not None))
        failures, replies = Counter(), []
        unseen = {str(i): group for i, group in enumerate(groups)}
        for n_lines, line in enumerate(lines, 1):
            custom_id, reply, kind = _parse_line(line)
            group = unseen.pop(custom_id, ())
            if kind is not None:
                failures[kind] += len(group)
                if self.on_failure is not None:
                    self.on_failure(group, kind)
            elif group:
                replies.append((group, reply))
            if n_lines % _LINES_AT_ONCE == 0:
                failures += self.store_replies(replies)
                replies.clear()
                await asyncio.sleep(0)
        failures += self.store_replies(replies)
        failures[_reason(batch)] += sum(map(len, unseen.values()))
        if batch is not None:
            kept = files if self.store.is_saved else []  # else they are all there is after this run
            await self._delete_files({batch.input_file_id, *kept, *await self._uploads(tag)})
        self._forget(tag, groups)
        return +failures

    # What is left behind

    def _forget(self, tag, groups):
        self.store.drop([*(_pointer(key) for group in groups for key in group), _id_key(tag), tag])

    async def _uploads(self, tag):
        """Return the ids of a batch's uploaded files: one, but none or more after a kill or a repeated upload."""
        from openai import OpenAIError

        with suppress(OpenAIError):
            files = self.client.files.list(purpose="batch")
            return {file.id async for file in files if file.filename == _file_name(tag)}
        return set()

    async def _delete_files(self, ids):
        """Delete what can be deleted; the provider deletes the rest by its own rules."""
        from openai import OpenAIError

        for name in ids:
            with suppress(OpenAIError):
                await self.client.files.delete(name)


def _pointer(key):
    return digest("in batch", key)


def _id_key(tag):
    return digest("batch id", tag)


def _file_name(tag):
    return f"{tag.hex()}.jsonl"


def _split(requests):
    """Yield lists of requests, each within the limits for one batch."""
    some, size = [], 0
    for request in requests:
        n_bytes = len(json.dumps(request.body)) + _BYTES_AROUND_BODY
        if some and (len(some) == _MAX_REQUESTS or size + n_bytes > _MAX_BYTES):
            yield some
            some, size = [], 0
        some.append(request)
        size += n_bytes
    if some:
        yield some


@contextmanager
def _endpoint_needed():
    from openai import APIStatusError

    try:
        yield
    except APIStatusError as error:
        if error.status_code not in (404, 405, 501):
            raise
        raise ValueError(
            "batch=True needs a server with a batch endpoint (/files and /batches), which this one does not have; "
            "pass batch=False."
        ) from None


async def _patiently(get, name):
    """Return ``await get(name)`` as soon as the server can be reached and is well; None if it knows no such thing."""
    from openai import APIConnectionError, InternalServerError, NotFoundError, RateLimitError

    wait, deadline = _FIRST_WAIT, time.monotonic() + _PATIENCE
    while True:
        try:
            return await get(name)
        except NotFoundError:
            return None
        except (APIConnectionError, InternalServerError, RateLimitError):
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(wait)
        wait = min(1.5 * wait, _LONGEST_WAIT)


def _refusal(batch):
    """Return the provider's code for why it did not start on the batch; None if it did."""
    if batch is None or batch.status != "failed" or batch.output_file_id or batch.error_file_id:
        return None
    errors = (batch.errors.data if batch.errors else None) or []
    codes = [error.code for error in errors if error.code and _CODE.fullmatch(error.code)]
    return codes[0] if codes else "no reason given"


def _parse_line(line):
    """Return (custom_id, reply, kind of failure or None) of one line of a file of replies."""
    try:
        line = json.loads(line)
        custom_id, response, error = str(line["custom_id"]), line.get("response") or {}, line.get("error") or {}
        status, code = response.get("status_code"), error.get("code")
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None, None, "unreadable reply"
    if status == 200:
        return custom_id, response.get("body"), None
    if isinstance(status, int) and status:
        return custom_id, None, meaning_of(status, response.get("body"), Place()).reason
    known = isinstance(code, str) and _CODE.fullmatch(code)
    return custom_id, None, code.removeprefix("batch_") if known else "no reply"


def _reason(batch):
    if batch is None:
        return "batch not found"
    return "no reply" if batch.status == "completed" else batch.status
