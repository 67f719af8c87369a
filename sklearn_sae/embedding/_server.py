"""Embed by a server that speaks the OpenAI protocol."""

import json
import re
from functools import lru_cache

from sklearn_sae.embedding._embed import Embedder
from sklearn_sae.utils.server import Connection, ask_all

# OpenAI's limits. A token is at least one byte of UTF-8, so bytes bound tokens from above.
_MAX_INPUTS = 2048
_MAX_REQUEST_TOKENS = 300_000
_MAX_TEXT_TOKENS = 8191

# What OpenAI, vLLM, TEI, llama.cpp and Ollama call a text that is too long.
_TOO_LONG = re.compile(
    r"context.length|too (long|large)|less than \d+ tokens|max\w* (number of )?tokens", re.IGNORECASE
)


def openai_embedder(model, *, prompt, truncate_dim, batch_size, base_url, max_concurrency):
    """Return the `Embedder` of `model` at `base_url`."""
    connection = Connection(base_url=base_url, max_concurrency=max_concurrency)
    options = {}
    if truncate_dim is not None and model.startswith("text-embedding-3"):
        options["dimensions"] = truncate_dim
    server = _Server(connection, model, prompt or "", options)
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
    """A model on a server. What its rate limiter learns in one run holds in the next.

    Parameters
    ----------
    connection : Connection
    model : str
    prompt : str
        Put before each text.
    options : dict
        Added to each request.
    """

    def __init__(self, connection, model, prompt, options):
        self.connection = connection
        self.rate_limiter = connection.rate_limiter()
        self.model = model
        self.prompt = prompt
        self.options = options

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
            rate_limiter=self.rate_limiter,
            on_answer=on_answer,
        )
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed:
            raise ConnectionError(
                f"{len(failed)} of {len(answers)} requests to {self.connection.base_url} failed after their retries "
                f"({type(failed[0]).__name__}); run again: what arrived is kept, unless cache_dir is None."
            )
        return sum(map(sum, cut))

    async def request(self, client, texts):
        """Return a vector and whether its text was cut, for each of `texts`."""
        import openai

        try:
            reply = await client.embeddings.create(model=self.model, input=texts, **self.options)
            return [(vector, False) for vector in _in_order(reply.data, len(texts))]
        except openai.APIStatusError as error:
            if "dimensions" in self.options and "dimensions" in error.message:
                n_numbers = self.options["dimensions"]
                raise ValueError(f"truncate_dim={n_numbers} is larger than the dimension of {self.model!r}.") from None
            if not _is_too_long(error) or len(texts) == len(texts[0]) == 1:
                raise
        except (AttributeError, LookupError, TypeError, ValueError):
            # The client raises these too, because it takes any body for embeddings.
            raise ValueError(
                f"The server at {self.connection.base_url} answered with something other than one embedding for each "
                f"of {len(texts)} texts; check base_url and model."
            ) from None
        if len(texts) == 1:  # this is the one: halve it until it fits
            half = texts[0][: len(texts[0]) // 2]
            return [(vector, True) for vector, _ in await self.request(client, [half])]
        middle = len(texts) // 2
        return await self.request(client, texts[:middle]) + await self.request(client, texts[middle:])


def _in_order(rows, n):
    """Return the vectors of `n` texts in the order of the texts, from the rows of an answer."""
    if len(rows) != n or not all(isinstance(row.embedding, list) for row in rows):
        raise ValueError("not one vector a text")
    if len({row.index for row in rows}) == 1:  # a server that does not number them
        return [row.embedding for row in rows]
    vectors = {row.index: row.embedding for row in rows}
    return [vectors[i] for i in range(n)]


def _is_too_long(error):
    return error.status_code in (400, 413, 422, 500) and bool(_TOO_LONG.search(f"{error.code} {error.message}"))


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
