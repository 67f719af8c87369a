"""Embed by a server that speaks the OpenAI protocol."""

import base64
import binascii
import json
from functools import lru_cache

import numpy as np

from sklearn_sae.embedding._embed import Embedder
from sklearn_sae.utils.server import REFUSED, TOO_LONG, Connection, ask_all, is_openai, reason_of, refusal_by

# OpenAI's limits. A token is at least one byte of UTF-8, so bytes bound tokens from above.
_MAX_INPUTS = 2048
_MAX_REQUEST_TOKENS = 300_000
_MAX_TEXT_TOKENS = 8191


def openai_embedder(
    model, *, prompt, truncate_dim, batch_size, base_url, max_concurrency, api_key_env=None, verbose=False
):
    """Return the `Embedder` of `model` at `base_url`."""
    connection = Connection(base_url=base_url, api_key_env=api_key_env, max_concurrency=max_concurrency)
    options = {}
    if truncate_dim is not None and model.startswith("text-embedding-3"):
        options["dimensions"] = truncate_dim
    server = _Server(connection, model, prompt or "", options, verbose)
    return Embedder(
        json.dumps(["openai", connection.base_url, model, prompt, options]),
        model,
        server.run,
        batch_size=min(batch_size, _MAX_INPUTS),
        max_bytes=_MAX_REQUEST_TOKENS,
        extra_bytes=len((prompt or "").encode()),
        # Four rounds of requests, so that little time is lost while the last requests of a chunk come in.
        batches_per_chunk=4 * max_concurrency,
    )


class _Server:
    """A model on a server.

    Parameters
    ----------
    connection : Connection
    model : str
    prompt : str
        Put before each text.
    options : dict
        Added to each request.
    verbose : bool
    """

    def __init__(self, connection, model, prompt, options, verbose):
        self.connection = connection
        self.model = model
        self.prompt = prompt
        self.options = options
        self.verbose = verbose

    def run(self, batches, on_batch):
        """Embed batches of texts, call ``on_batch(i, vectors)`` as each arrives, and return how many texts were cut."""
        shortened = [[_shorten(self.model, self.prompt + text) for text in texts] for texts in batches]
        cut = [
            [len(short) < len(self.prompt + text) for short, text in zip(*pair, strict=True)]
            for pair in zip(shortened, batches, strict=True)
        ]

        def on_answer(b, answer):
            cut[b] = [before or now for before, (_, now) in zip(cut[b], answer, strict=True)]
            on_batch(b, [vector for vector, _ in answer])

        answers = ask_all(
            self.request,
            shortened,
            connection=self.connection,
            model=self.model,
            on_answer=on_answer,
            verbose=self.verbose,
        )
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed:
            raise ConnectionError(
                f"{len(failed)} of {len(answers)} requests to {self.connection.address} failed after their retries "
                f"({reason_of(failed[0])}); run again: what arrived is kept, unless cache_dir is None."
            )
        return sum(map(sum, cut))

    async def request(self, client, texts):
        """Return a vector and whether its text was cut, for each of `texts`."""
        import openai

        try:
            reply = await client.post("/embeddings", body=self.body(texts), cast_to=str)
            return [(vector, False) for vector in _vectors(reply, len(texts))]
        except openai.APIStatusError as error:
            refusal = refusal_by(error, self.connection, self.model)
            if "dimensions" in self.options and "dimensions" in error.message:
                n_numbers = self.options["dimensions"]
                raise ValueError(f"truncate_dim={n_numbers} is larger than the dimension of {self.model!r}.") from None
            if refusal.reason not in (TOO_LONG, REFUSED):
                raise
            if len(texts) == len(texts[0]) == 1:
                raise refusal.error from None
        except (AttributeError, LookupError, TypeError, ValueError):
            raise ValueError(
                f"The server at {self.connection.address} answered with something other than one embedding for each "
                f"of {len(texts)} texts; check base_url and model."
            ) from None
        if len(texts) > 1:
            middle = len(texts) // 2
            return await self.request(client, texts[:middle]) + await self.request(client, texts[middle:])
        if refusal.reason == REFUSED:
            raise ValueError(
                f"The server at {self.connection.address} refuses to embed a text of {len(texts[0]):,} characters for "
                f"what it says; leave it out. What has arrived is kept, unless cache_dir is None."
            )
        half = texts[0][: len(texts[0]) // 2]  # this is the one: halve it until it fits
        return [(vector, True) for vector, _ in await self.request(client, [half])]

    def body(self, texts):
        """Return the JSON body of a request.

        OpenAI's own server is asked for base64, which is shorter. Others get no `encoding_format`, because some of them
        refuse the parameter; what they send without it is numbers.
        """
        form = {"encoding_format": "base64"} if is_openai(self.connection.base_url) else {}
        return {"model": self.model, "input": texts, **form, **self.options}


def _vectors(reply, n):
    """Return the vectors of `n` texts in the order of the texts, from the JSON of an answer."""
    rows = json.loads(reply)["data"]
    vectors = [_vector(row["embedding"]) for row in rows]
    indices = [row.get("index") for row in rows]
    if len(rows) != n:
        raise ValueError("not one vector a text")
    if all(index == indices[0] for index in indices):  # a server that does not number them
        return vectors
    of_index = dict(zip(indices, vectors, strict=True))
    return [of_index[i] for i in range(n)]


def _vector(value):
    if isinstance(value, str):
        try:
            return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        except binascii.Error:
            raise ValueError("no base64") from None
    if not isinstance(value, list):
        raise TypeError("no vector")
    return value


def _shorten(model, text):
    """Cut `text` at the token limit of OpenAI's own models, where the tokens can be counted here."""
    if len(text) * 4 <= _MAX_TEXT_TOKENS or len(text.encode()) <= _MAX_TEXT_TOKENS:
        return text
    encoding = _encoding(model)
    if encoding is None:
        return text
    tokens = encoding.encode(text, disallowed_special=())
    if len(tokens) <= _MAX_TEXT_TOKENS:
        return text
    return encoding.decode_bytes(tokens[:_MAX_TEXT_TOKENS]).decode(errors="ignore")


@lru_cache
def _encoding(model):
    """Return the tokenizer of `model`, or None where it is not known, not installed or cannot be downloaded."""
    try:
        import tiktoken

        return tiktoken.encoding_for_model(model)
    except Exception:  # unknown model, or whatever the download raises: the server tells what is too long
        return None
