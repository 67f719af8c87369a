"""Where answers come from is checked before texts are embedded."""

import re

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae import LLMHypothesisAnnotator

FAR = "http://llm.example/v1"  # reached through a proxy, which is the server of the tests


class CountingEncoder(CountVectorizer):
    """Counts how often texts are embedded."""

    n_calls = 0

    def fit_transform(self, X, y=None):
        CountingEncoder.n_calls += 1
        return super().fit_transform(X, y)


@pytest.fixture
def annotator(rule_server, planted, tmp_path):
    CountingEncoder.n_calls = 0
    encoder = CountingEncoder(vocabulary=planted.words, dtype=np.float32)
    settings = {"n_scoring_examples": 4, "cache_dir": tmp_path, "base_url": rule_server.base_url, "random_state": 0}
    return LLMHypothesisAnnotator(encoder, **settings)


@pytest.fixture
def far(annotator, rule_server, monkeypatch):
    """The annotator with a server on another machine."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, rule_server.base_url.removesuffix("/v1"))
    return annotator.set_params(base_url=FAR, api_key_env="OPENAI_API_KEY")


@pytest.fixture
def nowhere(monkeypatch):
    """An address where nothing listens."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("cache_dir", ["folder", None])
def test_where_nobody_listens_and_nothing_is_stored_nothing_is_embedded(annotator, planted, nowhere, cache_dir):
    annotator.set_params(base_url=nowhere)
    if cache_dir is None:
        annotator.set_params(cache_dir=None)
    message = f"{re.escape(nowhere)} cannot be reached.* No answers of 'gpt-5.2' and 'gpt-5-mini' are stored"
    with pytest.raises(ConnectionError, match=message):
        annotator.fit(planted.texts)
    assert CountingEncoder.n_calls == 0


def test_a_name_that_no_dns_knows(annotator, planted, nowhere):
    with pytest.raises(ConnectionError, match="cannot be reached"):
        annotator.set_params(base_url="http://nobody.invalid/v1").fit(planted.texts)
    assert CountingEncoder.n_calls == 0


def test_a_run_whose_answers_are_stored_needs_no_server(annotator, planted, monkeypatch, nowhere):
    texts = planted.texts[:40]
    first = annotator.fit_transform(texts)
    monkeypatch.setattr("sklearn_sae.utils.server._requests._CONNECT_TIMEOUT", 0)  # as if nobody listened
    with pytest.warns(RuntimeWarning, match="cannot be reached.* Only answers that are stored can be used") as caught:
        again = annotator.fit_transform(texts)
    np.testing.assert_array_equal(again, first)
    assert len(caught) == 1
    assert annotator.usage_["requests"] == 0
    other = annotator.set_params(annotator="another-model")
    with pytest.raises(ConnectionError, match="No answers of 'another-model' are stored"):
        other.fit(planted.texts)


def test_without_a_key_and_answers_nothing_is_embedded(annotator, planted, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ValueError, match=r"No API key.* are stored, so nothing is embedded"):
        annotator.set_params(base_url=None).fit(planted.texts)
    assert CountingEncoder.n_calls == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_rejected_is_found_out_before(far, planted, rule_server, status):
    rule_server.fail = lambda body, n: (status, {"error": {"message": "bad key sk-test-0123456789"}}, {})
    with pytest.raises(PermissionError, match=r"rejected the API key.* No answers of 'gpt-5.2'") as caught:
        far.fit(planted.texts)
    assert "sk-test" not in str(caught.value)
    assert [request["method"] for request in rule_server.requests] == ["GET"]
    assert CountingEncoder.n_calls == 0


@pytest.mark.parametrize("failure", [(404, "no such address"), (500, "oops"), (403, "Missing scopes: api.model.read")])
def test_a_server_that_lists_no_models_is_asked_all_the_same(far, planted, rule_server, failure):
    status, message = failure
    rule_server.fail = lambda body, n: None if body else (status, {"error": {"message": message}}, {})
    far.fit(planted.texts)
    assert far.hypotheses_["interpretation"].tolist() == [f"mentions {word}" for word in planted.words]
    assert sum(request["method"] == "GET" for request in rule_server.requests) == 1


def test_a_server_on_this_machine_gets_no_more_requests_than_questions(annotator, planted, rule_server):
    annotator.fit(planted.texts)
    assert len(rule_server.requests) == annotator.usage_["requests"]


def test_where_nothing_shall_be_asked_nothing_is_sent(far, planted, rule_server):
    with pytest.raises(RuntimeError, match="max_requests=0 is used up"):
        far.set_params(max_requests=0).fit(planted.texts)
    assert rule_server.requests == []
