"""Embed by a server that speaks the OpenAI protocol."""

import json
import re
from functools import lru_cache

from sklearn_sae.embedding._embed import Embedder
from sklearn_sae.utils.server._openai import ask_all, resolve_base_url
from sklearn_sae.utils.server._throttle import Throttle

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
    base_url = resolve_base_url(base_url)
    options = {}
    if truncate_dim is not None and model.startswith("text-embedding-3"):
        options["dimensions"] = truncate_dim

    async def request(client, texts):
        """Return a vector and whether its text was cut, for each of `texts`."""
        import openai

        try:
            reply = await client.embeddings.create(model=model, input=texts, **options)
            return [(vector, False) for vector in _in_order(reply.data, len(texts))]
        except openai.APIStatusError as error:
            if "dimensions" in options and "dimensions" in error.message:
                raise ValueError(f"truncate_dim={truncate_dim} is larger than the dimension of {model!r}.") from None
            if not _is_too_long(error) or len(texts) == len(texts[0]) == 1:
                raise
        except (AttributeError, LookupError, TypeError, ValueError):
            # Raised by the client too, which takes any body for embeddings.
            raise ValueError(
                f"The server at {base_url} answered with something other than one embedding for each of "
                f"{len(texts)} texts; check base_url and model."
            ) from None
        if len(texts) == 1:  # this is the one: halve it until it fits
            half = texts[0][: len(texts[0]) // 2]
            return [(vector, True) for vector, _ in await request(client, [half])]
        middle = len(texts) // 2
        return await request(client, texts[:middle]) + await request(client, texts[middle:])

    def run(batches, on_batch):
        cut = set()

        def shorten(b, row, text):
            short = _cut(model, (prompt or "") + text)
            if len(short) < len(prompt or "") + len(text):
                cut.add((b, row))
            return short

        def on_answer(b, answer):
            cut.update((b, row) for row, (_, was_cut) in enumerate(answer) if was_cut)
            on_batch(b, [vector for vector, _ in answer])

        answers = ask_all(
            request,
            [[shorten(b, row, text) for row, text in enumerate(texts)] for b, texts in enumerate(batches)],
            base_url=base_url,
            throttle=Throttle(max_concurrency),
            timeout=120,
            max_retries=5,
            model=model,
            on_answer=on_answer,
        )
        failed = [answer for answer in answers if isinstance(answer, Exception)]
        if failed:
            raise ConnectionError(
                f"{len(failed)} of {len(answers)} requests to {base_url} failed after their retries "
                f"({type(failed[0]).__name__}); run again: what arrived is kept, unless cache_dir is None."
            )
        return len(cut)

    identity = json.dumps(["openai", base_url, model, prompt, options])
    return Embedder(
        identity,
        run,
        batch_size=min(batch_size, _MAX_INPUTS),
        max_bytes=_MAX_REQUEST_TOKENS,
        extra_bytes=len((prompt or "").encode()),
        # Four rounds of requests a turn, so that little is lost while the last of a turn come in.
        batches_per_chunk=4 * max_concurrency,
    )


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


def _cut(model, text):
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
