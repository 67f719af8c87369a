"""Embeddings from a server, through the real openai client."""

import base64
import pickle
import threading
import warnings

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline

from sklearn_sae import EmbeddingTransformer

KEY = "sk-test-0123456789"  # as the fixture sets it
TEXTS = [f"{word} bread number {i}" for i, word in enumerate(["warm", "cold", "stale", "fresh"] * 25)]


@pytest.fixture
def embed(openai_server):
    def make(**parameters):
        parameters = {"model": "some-model", "base_url": openai_server.base_url, **parameters}
        return EmbeddingTransformer(**parameters)

    return make


def inputs(server):
    return [text for request in server.requests for text in request["body"]["input"]]


def ask_directly(server, texts, **options):
    import openai

    with openai.OpenAI(base_url=server.base_url) as client:
        reply = client.embeddings.create(model="m", input=texts, encoding_format="float", **options)
    server.requests.clear()
    return np.array([row.embedding for row in reply.data], dtype=np.float32)


def test_the_vectors_are_the_server_s(openai_server, embed):
    expected = ask_directly(openai_server, TEXTS)
    out = embed().fit_transform(TEXTS)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def wait_for(n):
    """Return a `fail` of the server that lets it answer each request when `n` are in work."""
    all_here = threading.Barrier(n)

    def wait(body, so_far):
        all_here.wait(60)

    return wait


def test_batches_and_concurrency(openai_server, embed):
    openai_server.fail = wait_for(4)
    embed(batch_size=5, max_concurrency=4).fit_transform(TEXTS)
    assert sorted(inputs(openai_server)) == sorted(TEXTS)
    assert {len(request["body"]["input"]) for request in openai_server.requests} == {5}
    assert openai_server.max_in_flight == 4


def test_many_requests_at_once(openai_server, embed):
    openai_server.fail = wait_for(50)
    embed(batch_size=1, max_concurrency=50).fit_transform(TEXTS)
    assert openai_server.max_in_flight == 50


def test_nothing_is_asked_twice(openai_server, embed):
    pipeline = make_pipeline(embed(), Ridge())
    cross_validate(pipeline, TEXTS, np.arange(100.0), cv=5, error_score="raise")
    assert sorted(inputs(openai_server)) == sorted(TEXTS)


def test_prompt_model_and_address_are_part_of_the_key(openai_server, embed):
    embed().fit_transform(TEXTS)
    embed(prompt="query: ").fit_transform(TEXTS)
    embed(model="other-model").fit_transform(TEXTS)
    embed(base_url=openai_server.base_url.replace("127.0.0.1", "localhost")).fit_transform(TEXTS)
    assert len(inputs(openai_server)) == 4 * len(TEXTS)
    assert sum(text.startswith("query: ") for text in inputs(openai_server)) == len(TEXTS)


def test_truncation_is_the_server_s_where_the_model_takes_it(openai_server, embed):
    out = embed(model="text-embedding-3-small", truncate_dim=3).fit_transform(TEXTS)
    assert all(request["body"]["dimensions"] == 3 for request in openai_server.requests)
    assert out.shape == (100, 3)
    openai_server.requests.clear()
    other = embed(truncate_dim=3).fit_transform(TEXTS)
    assert not any("dimensions" in request["body"] for request in openai_server.requests)
    np.testing.assert_allclose(out, other, rtol=1e-6)


def test_what_the_server_truncated_is_not_taken_for_the_whole(openai_server, embed):
    some = embed(model="text-embedding-3-small", truncate_dim=3).fit_transform(TEXTS)
    whole = embed(model="text-embedding-3-small").fit_transform(TEXTS)
    assert whole.shape == (100, 8)
    np.testing.assert_allclose(whole[:, :3], some, rtol=1e-6)


def test_auto_goes_by_the_name_and_the_environment(openai_server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
    EmbeddingTransformer("text-embedding-3-small").fit(TEXTS)
    EmbeddingTransformer("any-name", backend="openai").fit(TEXTS)
    assert [request["body"]["model"] for request in openai_server.requests] == ["text-embedding-3-small", "any-name"]


def test_a_request_stays_within_its_token_limit(openai_server, embed):
    long = ["é" * 10_000 + str(i) for i in range(40)]  # 20,001 bytes each; unknown model: the bytes are the bound
    embed(batch_size=2048).fit_transform(long)
    sizes = [sum(len(text.encode()) for text in request["body"]["input"]) for request in openai_server.requests]
    assert max(sizes) <= 300_000
    assert len(sizes) == 3


def test_the_prompt_counts_in_the_limit_of_a_request(openai_server, embed):
    embed(prompt="é" * 500, batch_size=2048).fit_transform([f"text {i}" for i in range(900)])
    sizes = [sum(len(text.encode()) for text in request["body"]["input"]) for request in openai_server.requests]
    assert max(sizes) <= 300_000
    assert len(sizes) == 4


def test_long_texts_are_cut_where_the_server_says_so(openai_server, embed):
    openai_server.max_tokens = 10
    texts = [*TEXTS, "many words " * 8, "words without end " * 30]
    with pytest.warns(UserWarning, match="2 of 102 texts are longer than the model takes") as caught:
        out = embed(batch_size=50).fit_transform(texts)
    assert len(caught) == 1
    assert "words" not in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(embed().transform(texts), out)  # cached under the whole texts
    # One that was not cut is what it is without long neighbours.
    np.testing.assert_allclose(out[:100], ask_directly(openai_server, TEXTS), rtol=1e-6)
    assert np.isfinite(out).all()


def test_long_texts_are_cut_exactly_where_tokens_can_be_counted(openai_server, embed, monkeypatch):
    tiktoken = pytest.importorskip("tiktoken")

    # A tokenizer of our own, one token a byte, since OpenAI's needs a download.
    bytes_ = tiktoken.Encoding(
        "bytes", pat_str=r"(?s).", mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={"<|end|>": 256}
    )
    from sklearn_sae.embedding import _server

    _server._encoding.cache_clear()
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda model: bytes_)
    text = "é" * 4100 + "<|end|>"
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        embed(model="text-embedding-3-large").fit_transform([text, "short"])
    _server._encoding.cache_clear()
    assert inputs(openai_server) == ["é" * 4095, "short"]  # 8,190 bytes; half of an é is left out


def test_a_text_of_one_character_is_not_halved_for_ever(openai_server, embed):
    error = {"error": {"message": "maximum context length is 0 tokens", "code": None}}
    openai_server.fail = lambda body, n: (400, error, {})
    with pytest.raises(ValueError, match="refused a request"):
        embed().fit(["word"])
    assert len(openai_server.requests) == 3


def test_rate_limits_are_obeyed(openai_server, embed):
    limited = (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, {"Retry-After": "0.1"})
    openai_server.fail = lambda body, n: limited if n in (1, 2, 5) else None
    out = embed(batch_size=10).fit_transform(TEXTS)
    assert out.shape == (100, 8)
    assert len(openai_server.requests) == 13


def test_a_connection_that_is_cut_is_tried_again(openai_server, embed):
    openai_server.fail = lambda body, n: "cut" if n == 1 else None
    assert embed(batch_size=10).fit_transform(TEXTS).shape == (100, 8)


def test_what_arrived_is_kept_when_the_server_fails(openai_server, embed):
    refused = (400, {"error": {"message": "no", "code": "bad_thing"}}, {})
    openai_server.fail = lambda body, n: refused if n >= 6 else None
    with pytest.raises(ConnectionError, match=r"2 of 4 requests .* run again") as caught:
        embed(batch_size=10, max_concurrency=1).fit_transform(TEXTS)
    assert "bread" not in str(caught.value)
    openai_server.fail = None
    openai_server.requests.clear()
    embed(batch_size=10).fit_transform(TEXTS)
    assert len(inputs(openai_server)) == 40


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (401, "invalid_api_key", PermissionError, "rejected the API key; check OPENAI_API_KEY"),
        (403, None, PermissionError, "rejected the API key"),
        (404, "model_not_found", ValueError, "has no model 'some-model'"),
        (400, "bad", ValueError, r"refused a request to model 'some-model' as bad \(bad\)"),
    ],
)
def test_fatal_answers(openai_server, embed, status, code, kind, message):
    error = {"error": {"message": f"You sent {KEY} and secret words", "code": code}}
    openai_server.fail = lambda body, n: (status, error, {})
    with pytest.raises(kind, match=message) as caught:
        embed(api_key_env="OPENAI_API_KEY").fit(["secret words"])
    assert len(openai_server.requests) == 1
    assert KEY not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="No API key: set the environment variable OPENAI_API_KEY"):
        EmbeddingTransformer("text-embedding-3-small").fit(TEXTS)


def test_a_server_without_keys_needs_none(openai_server, embed, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert embed().fit_transform(TEXTS).shape == (100, 8)


def test_unreachable(embed):
    with pytest.raises(ConnectionError, match=r"The server at http://127\.0\.0\.1:9/v1 cannot be reached"):
        embed(base_url="http://127.0.0.1:9/v1").fit(TEXTS)


def test_password_in_the_address(embed):
    with pytest.raises(ValueError, match="must not hold a user name or password") as caught:
        embed(base_url="http://me:hunter2@127.0.0.1/v1").fit(TEXTS)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("model", ["some-model", "text-embedding-3-small"])
def test_truncate_dim_too_large(embed, model):
    with pytest.raises(ValueError, match="truncate_dim=9 is larger than the"):
        embed(model=model, truncate_dim=9).fit(TEXTS)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, 2.0], [float("nan"), 1.0]], "NaN or infinity for the text in row 1"),
        ([[1.0, 2.0], [1.0]], "gave a list that is no array of numbers for 2 texts"),
    ],
)
def test_wrong_vectors(openai_server, embed, vectors, message):
    openai_server.fail = lambda body, n: (200, answer([0, 1], vectors), {})
    with pytest.raises(ValueError, match=message):
        embed().fit_transform(["secret b", "words"])


def answer(indices, vectors):
    rows = [
        {"object": "embedding", "index": i, "embedding": vector} for i, vector in zip(indices, vectors, strict=True)
    ]
    return {"object": "list", "model": "m", "data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def without(key, reply):
    return {**reply, "data": [{k: value for k, value in row.items() if k != key} for row in reply["data"]]}


# The texts are sent in this order, the longest first.
THREE, VECTORS = ["three", "four", "one"], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


@pytest.mark.parametrize("indices", [[2, 0, 1], [2, 1, 0], [0, 2, 1]])
def test_vectors_are_put_in_the_order_of_the_texts(openai_server, embed, indices):
    openai_server.fail = lambda body, n: (200, answer(indices, [VECTORS[i] for i in indices]), {})
    np.testing.assert_array_equal(embed().fit_transform(THREE), VECTORS)


@pytest.mark.parametrize(
    "reply", [answer([i] * 3, VECTORS) for i in (None, 0, 7)] + [without("index", answer([0] * 3, VECTORS))]
)
def test_a_server_that_does_not_number_its_vectors(openai_server, embed, reply):
    openai_server.fail = lambda body, n: (200, reply, {})
    np.testing.assert_array_equal(embed().fit_transform(THREE), VECTORS)


@pytest.mark.parametrize(
    "reply",
    [
        answer([1, 1, 0], VECTORS),
        answer([1, 2, 3], VECTORS),
        answer([0, None, 1], VECTORS),
        answer(["a", [], 2], VECTORS),
        answer([0, 1], VECTORS[:2]),
        answer([0, 1, 2, 3], [*VECTORS, [7.0, 8.0]]),
        without("embedding", answer([0, 1, 2], VECTORS)),
        answer([0, 1, 2], ["not base64!"] * 3),
        {"data": ["one", "two", "three"]},
        {"data": {"0": VECTORS[0]}},
        {"data": "abc"},
        {"data": []},
        {"data": None},
        {},
        VECTORS,
        "some text",
        None,
        3,
    ],
)
def test_answers_that_are_no_embeddings(openai_server, embed, reply):
    openai_server.fail = lambda body, n: (200, reply, {})
    with pytest.raises(ValueError, match=r"^The server at http://127.*check base_url and model") as caught:
        embed().fit_transform(THREE)
    assert openai_server.base_url in str(caught.value)
    assert "'three'" not in str(caught.value)
    openai_server.fail = None  # and nothing of it was kept
    np.testing.assert_allclose(embed().fit_transform(THREE), ask_directly(openai_server, THREE), rtol=1e-6)


def test_an_error_inside_a_good_status_is_tried_again(openai_server, embed):
    openai_server.fail = lambda body, n: (200, {"error": {"message": "overloaded"}}, {}) if n == 0 else None
    np.testing.assert_allclose(embed().fit_transform(THREE), ask_directly(openai_server, THREE), rtol=1e-6)


def test_an_error_inside_a_good_status_that_stays(openai_server, embed):
    reply = {"error": {"message": "overloaded by 'three'"}}
    openai_server.fail = lambda body, n: (200, reply, {"Retry-After": "0.01"})
    with pytest.raises(ConnectionError, match=r"^1 of 1 requests to http://127.* failed after their retries") as caught:
        embed().fit_transform(THREE)
    assert "'three'" not in str(caught.value)
    openai_server.fail = None  # and nothing of it was kept
    np.testing.assert_allclose(embed().fit_transform(THREE), ask_directly(openai_server, THREE), rtol=1e-6)


def test_a_page_in_place_of_an_answer(openai_server, embed):
    openai_server.fail = lambda body, n: (200, "<html>", {"content-type": "text/html"})
    with pytest.raises(ValueError, match=r"^The server at http://127.*check base_url and model"):
        embed().fit_transform(THREE)


def test_no_form_of_numbers_is_asked_for_where_some_refuse_the_question(openai_server, embed):
    refusal = {"error": {"message": "UnsupportedParamsError: encoding_format is not supported", "code": "400"}}
    openai_server.fail = lambda body, n: (400, refusal, {}) if "encoding_format" in body else None
    assert embed().fit_transform(TEXTS).shape == (100, 8)


def test_numbers_in_base64_are_read_too(openai_server, embed):
    encoded = [base64.b64encode(np.array(vector, dtype="<f4").tobytes()).decode() for vector in VECTORS]
    openai_server.fail = lambda body, n: (200, answer([0, 1, 2], encoded), {})
    np.testing.assert_array_equal(embed().fit_transform(THREE), VECTORS)


def test_a_text_that_the_provider_refuses(openai_server, embed):
    refusal = {"error": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}}
    openai_server.fail = lambda body, n: (400, refusal, {}) if TEXTS[7] in body["input"] else None
    with pytest.raises(ValueError, match="refuses to embed a text of 20 characters for what it says") as caught:
        embed(max_concurrency=1).fit_transform(TEXTS)
    assert TEXTS[7] not in str(caught.value)
    n_before = len(openai_server.requests)
    assert n_before <= 2 * 7
    embed(max_concurrency=1).fit_transform([text for text in TEXTS if text != TEXTS[7]])
    assert len(openai_server.requests) - n_before <= 2


def test_embeddings_and_annotations_may_have_different_keys(openai_server, embed, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-mine-1")
    fitted = embed(api_key_env="MY_KEY").fit(TEXTS)
    assert openai_server.requests[-1]["headers"]["authorization"] == "Bearer sk-mine-1"
    assert "sk-mine-1" not in repr(fitted) + repr(vars(fitted)) + repr(pickle.dumps(fitted))
    embed().fit(["another text"])
    assert openai_server.requests[-1]["headers"]["authorization"] == "Bearer none"
    with pytest.raises(ValueError, match="api_key_env is for a server"):
        EmbeddingTransformer(api_key_env="MY_KEY").fit(TEXTS)


def test_no_key_in_repr_pickle_or_cache(openai_server, embed, tmp_path):
    fitted = embed().fit(TEXTS)
    fitted.transform(TEXTS)
    assert KEY not in repr(fitted)
    assert KEY.encode() not in pickle.dumps(fitted)
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert KEY.encode() not in content
        assert b"bread" not in content
