import json
import pickle
import socket
import threading
import time
import unicodedata
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import FeatureUnion, make_pipeline

from sklearn_sae import LLMHypothesisAnnotator

KEY = "sk-test-0123456789"
N_SCORING = 6  # of the fixture `annotator`


def user_part(request):
    return request["body"]["messages"][1]["content"]


def test_names_the_planted_words(annotator, rule_server, planted):
    annotator.fit(planted.texts)
    assert annotator.hypotheses_["interpretation"].tolist() == [f"mentions {word}" for word in planted.words]
    np.testing.assert_array_equal(annotator.hypotheses_["fidelity_f1"], 1)
    assert annotator.hypotheses_["feature"].tolist() == planted.words
    unseen, has, _ = planted.make(30, seed=1)
    np.testing.assert_array_equal(annotator.transform(unseen), has)
    models = {request["body"]["model"] for request in rule_server.requests}
    assert models == {"gpt-5.2", "gpt-5-mini"}


def test_only_the_examples_are_sent(annotator, rule_server, planted):
    annotator.fit(planted.texts)
    named = [user_part(r) for r in rule_server.requests if r["body"]["model"] == "gpt-5.2"]
    judged = [user_part(r) for r in rule_server.requests if r["body"]["model"] == "gpt-5-mini"]
    assert len(named) == 4
    for examples in annotator.examples_:
        shown = [*examples["activating"], *examples["non_activating"]]
        assert len(shown) == 20
        assert len(examples["scoring"]) == N_SCORING
        assert not set(shown) & set(examples["scoring"])
        assert sum(all(planted.texts[row] in prompt for row in shown) for prompt in named) == 1
        assert all(any(planted.texts[row] in prompt for prompt in judged) for row in examples["scoring"])
    assert annotator.usage_["requests"] == len(rule_server.requests) == 4 + len(judged)
    assert annotator.usage_["prompt_tokens"] > 0


@pytest.mark.parametrize("api", ["auto", "chat", "responses"])
def test_protocols(annotator, rule_server, planted, api):
    annotator.set_params(api=api).fit(planted.texts)
    path = "/v1/responses" if api == "responses" else "/v1/chat/completions"
    assert {request["path"] for request in rule_server.requests} == {path}
    np.testing.assert_array_equal(annotator.transform(planted.texts[:10]), planted.has[:10])


def test_several_concepts_in_a_call(annotator, rule_server, planted):
    annotator.set_params(concepts_per_call=4).fit(planted.texts)
    before = len(rule_server.requests)
    np.testing.assert_array_equal(annotator.transform(planted.texts[:10]), planted.has[:10])
    assert len(rule_server.requests) == before + 10


def test_probabilities(annotator, planted):
    annotator.set_params(output="probability").fit(planted.texts)
    expected = np.where(planted.has[:5], 0.9, 0.1)
    np.testing.assert_allclose(annotator.transform(planted.texts[:5]), expected)


def test_instructions_and_long_texts(annotator, rule_server, planted):
    texts = [f"{text} {'blah ' * 50}tail" for text in planted.texts]
    annotator.set_params(instructions="These are restaurant reviews.", max_words=20).fit(texts)
    named = [r for r in rule_server.requests if r["body"]["model"] == "gpt-5.2"]
    assert all("These are restaurant reviews." in r["body"]["messages"][0]["content"] for r in named)
    assert not any("tail" in user_part(r) for r in rule_server.requests)


def test_texts_that_the_server_sees_alike_are_one_text(annotator, planted):
    heads = [f"{text} Such a cafe\u0301." for text in planted.texts[:60]]
    n_words = max(len(head.split()) for head in heads)
    heads = [" ".join([*["well"] * (n_words - len(head.split())), head]) for head in heads]  # equally long
    texts = [f"{head} Here it ends." for head in heads]
    texts += [unicodedata.normalize("NFC", head.upper()) + " And so on." for head in heads]
    activations = np.vstack([planted.has[:60]] * 2)

    def last_row(max_words):
        fitted = annotator.set_params(encoder=None, max_words=max_words).fit(activations, texts=texts)
        return max(max(map(max, examples.values())) for examples in fitted.examples_)

    assert last_row(max_words=n_words) < 60
    assert last_row(max_words=n_words + 3) >= 60


@pytest.mark.parametrize("scoring", ["f1", "precision", "recall", "correlation"])
def test_the_best_candidate_is_kept(annotator, rule_server, planted, scoring):
    rule = rule_server.reply
    replies = iter(["mentions visit", "mentions rude", "mentions nothing"])
    rule_server.reply = lambda body: next(replies) if body["model"] == "gpt-5.2" else rule(body)
    annotator.set_params(neurons=[3], n_candidates=3, scoring=scoring, max_concurrency=1).fit(planted.texts)
    best = annotator.hypotheses_["interpretation"].tolist()
    assert best == (["mentions visit"] if scoring == "recall" else ["mentions rude"])


def test_a_candidate_without_answers_is_not_the_best(annotator, rule_server, planted):
    rule = rule_server.reply
    names = iter(["mentions nothing", "mentions rude"])

    def reply(body):
        if body["model"] == "gpt-5.2":
            return next(names)
        return "I cannot tell" if "mentions nothing" in str(body) else rule(body)

    rule_server.reply = reply
    annotator.set_params(neurons=[3], n_candidates=2, max_concurrency=1)
    with pytest.warns(RuntimeWarning, match="annotations have no answer"):
        annotator.fit(planted.texts)
    assert annotator.hypotheses_["interpretation"].tolist() == ["mentions rude"]
    assert annotator.hypotheses_["fidelity_f1"][0] == 1


def test_a_candidate_named_twice_is_scored_once(annotator, rule_server, planted):
    annotator.set_params(n_candidates=3, neurons=[0]).fit(planted.texts)
    assert len(rule_server.requests) == 3 + N_SCORING


def test_without_scoring(annotator, rule_server, planted):
    annotator.set_params(n_scoring_examples=0).fit(planted.texts)
    assert len(rule_server.requests) == 4
    assert annotator.hypotheses_["fidelity_f1"].isna().all()


def test_a_second_run_sends_nothing(annotator, rule_server, planted):
    first = annotator.fit(planted.texts).transform(planted.texts[:5])
    n_requests = len(rule_server.requests)
    again = clone(annotator).fit(planted.texts)
    np.testing.assert_array_equal(again.transform(planted.texts[:5]), first)
    assert len(rule_server.requests) == n_requests
    assert again.usage_["requests"] == 0
    assert again.usage_["cached"] >= n_requests


def test_usage_goes_on_through_transform_and_starts_anew_at_fit(annotator, rule_server, planted):
    annotator.set_params(cache_dir=None).fit(planted.texts)
    fitted = annotator.usage_["requests"]
    annotator.transform(planted.texts[:5])
    assert annotator.usage_["requests"] == fitted + 20
    annotator.fit(planted.texts)
    assert annotator.usage_["requests"] == fitted
    assert len(rule_server.requests) == 2 * fitted + 20


def test_what_the_rate_limiter_learned_outlives_a_call(given, rule_server, planted):
    all_here = threading.Barrier(8)

    def refuse_eight(body, n):
        if n < 8:
            all_here.wait(30)
            return 429, {"error": {"message": "slow down"}}, {"Retry-After": "0.01"}
        return None

    rule_server.fail, rule_server.latency = refuse_eight, 0.05
    given.set_params(hypotheses=["mentions rude"], max_concurrency=8).transform(planted.texts[:8])
    assert rule_server.max_in_flight == 8
    rule_server.max_in_flight = 0
    given.transform(planted.texts[8:16])
    assert 1 < rule_server.max_in_flight < 8
    assert given.usage_["retried"] == 8
    rule_server.max_in_flight = 0
    clone(given).transform(planted.texts[16:24])
    assert 1 < rule_server.max_in_flight < 8


def test_limits_are_kept_from_call_to_call(given, rule_server, planted):
    arrivals = []
    rule_server.fail = lambda body, n: arrivals.append(time.monotonic())
    given.set_params(hypotheses=["mentions rude"], requests_per_minute=60)
    for text in planted.texts[:2]:
        given.transform([text])
    assert arrivals[1] - arrivals[0] >= 0.95
    given.set_params(requests_per_minute=None)
    given.transform(planted.texts[2:4])
    assert arrivals[3] - arrivals[1] < 0.95


@pytest.mark.parametrize(("on_error", "value"), [("nan", np.nan), (0, 0)])
def test_failed_annotations(annotator, rule_server, planted, on_error, value):
    annotator.set_params(on_error=on_error).fit(planted.texts)
    texts, has, _ = planted.make(10, seed=1)
    broken = [text for text in texts if "Thursday" in text]
    assert 0 < len(broken) < 10
    rule_server.fail = lambda body, n: (500, {"error": {"message": "no"}}, {}) if "Thursday" in str(body) else None
    with pytest.warns(RuntimeWarning) as caught:
        out = annotator.transform(texts)
    assert len(caught) == 1
    assert not any(text in str(caught[0].message) for text in texts)
    expected = np.where([["Thursday" in text] for text in texts], value, has)
    np.testing.assert_array_equal(out, expected)
    assert annotator.usage_["failed"] == 4 * len(broken)


def test_failed_annotations_raise_on_request(annotator, rule_server, planted):
    annotator.set_params(on_error="raise").fit(planted.texts)
    rule_server.fail = lambda body, n: (500, {"error": {"message": "no"}}, {}) if "Thursday" in str(body) else None
    with pytest.raises(RuntimeError, match="have no answer"):
        annotator.transform(planted.make(10, seed=1)[0])


def test_failed_interpretations_leave_their_neuron_out(annotator, rule_server, planted):
    rule = rule_server.reply
    rule_server.reply = lambda body: "" if rule(body) == "mentions rude" else rule(body)
    with pytest.warns(UserWarning, match="could not be named") as caught:
        annotator.fit(planted.texts)
    assert [str(w.message) for w in caught] == [
        "1 of 4 neurons could not be named (1 of 4 interpretations have no answer after the retries "
        "(1 x unreadable reply)) and is left out: 3."
    ]
    assert annotator.transform(planted.texts[:5]).shape == (5, 3)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [((500, {"error": {"message": "cannot read rude soup"}}, {}), "HTTP 500"), ((200, {}, {}), "unreadable reply")],
)
def test_an_interpreter_that_always_fails(annotator, rule_server, planted, failure, kind):
    rule_server.fail = lambda body, n: failure
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            ValueError, match=rf"^No neuron could be named: 4 of 4 interpretations .*\(4 x {kind}\)"
        ) as e:
            annotator.fit(planted.texts)
    assert "soup" not in str(e.value)


def test_a_failed_candidate_beside_a_good_one_is_said_once(annotator, rule_server, planted):
    rule = rule_server.reply
    numbers = iter(range(99))
    annotator.set_params(neurons=[3], n_candidates=2, max_concurrency=1)
    rule_server.reply = lambda body: "" if body["model"] == "gpt-5.2" and next(numbers) < 2 else rule(body)
    with pytest.warns(RuntimeWarning) as caught:
        annotator.fit(planted.texts)
    (message,) = [str(w.message) for w in caught]
    assert message.startswith("1 of 2 interpretations have no answer after the retries (1 x unreadable reply)")
    assert annotator.hypotheses_["interpretation"].tolist() == ["mentions rude"]


def test_max_requests_counts_fit_and_transform(annotator, rule_server, planted):
    annotator.fit(planted.texts)
    limit = annotator.usage_["requests"] + 6
    annotator.set_params(max_requests=limit)
    with pytest.raises(RuntimeError, match=f"max_requests={limit}"):
        annotator.transform(planted.make(30, seed=1)[0])
    assert len(rule_server.requests) == limit == annotator.usage_["requests"]
    with pytest.raises(RuntimeError, match="max_requests=3"):
        clone(annotator).set_params(max_requests=3, cache_dir=None).fit(planted.texts)
    assert len(rule_server.requests) == limit + 3


def test_given_hypotheses_need_no_fit(given, rule_server, planted):
    np.testing.assert_array_equal(given.transform(planted.texts[:8]), planted.has[:8][:, [3, 1]])
    assert list(given.get_feature_names_out()) == ["mentions rude", "mentions cold"]
    assert given.usage_["requests"] == len(rule_server.requests) == 16
    copy = clone(given)
    assert copy.hypotheses == given.hypotheses
    assert copy.fit(planted.texts) is copy
    assert len(rule_server.requests) == 16
    assert copy.hypotheses_["interpretation"].tolist() == given.hypotheses
    assert copy.hypotheses_.drop(columns=["interpretation", "short"]).isna().all(axis=None)
    assert copy.hypotheses_["short"].tolist() == ["rude", "cold"]


def test_given_hypotheses_in_a_pipeline(given, planted):
    pipeline = make_pipeline(given, LinearRegression())
    result = cross_validate(pipeline, planted.texts, planted.y, cv=3, scoring="r2", error_score="raise")
    assert result["test_score"].mean() > 0.5
    union = FeatureUnion([("a", given), ("b", clone(given).set_params(hypotheses=["mentions music"]))])
    frame = union.set_output(transform="pandas").fit_transform(planted.texts[:10])
    assert list(frame.columns) == ["a__mentions rude", "a__mentions cold", "b__mentions music"]


def test_grid_search(rule_server, planted):
    encoder = make_pipeline(TfidfVectorizer(stop_words=["visit", "number"]), NMF(4, random_state=0, max_iter=500))
    annotator = LLMHypothesisAnnotator(
        encoder, n_scoring_examples=N_SCORING, base_url=rule_server.base_url, concepts_per_call=5, random_state=0
    )
    search = GridSearchCV(
        make_pipeline(annotator, LinearRegression()),
        {"llmhypothesisannotator__encoder__nmf__n_components": [3, 5]},
        scoring="r2",
        cv=2,
        error_score="raise",
    ).fit(planted.texts, planted.y)
    assert search.best_estimator_[0].usage_["requests"] > 0
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_straight_pipeline(rule_server, encoder, planted):
    with sklearn.config_context(enable_metadata_routing=True):
        annotator = LLMHypothesisAnnotator(
            n_scoring_examples=N_SCORING, base_url=rule_server.base_url, concepts_per_call=4
        )
        pipeline = make_pipeline(encoder, annotator, LinearRegression())
        pipeline.fit(planted.texts, planted.y, texts=planted.texts)
        assert pipeline.score(planted.texts, planted.y, texts=planted.texts) > 0.95
        with pytest.raises(ValueError, match=r"texts is missing.*encoder="):
            pipeline.predict(planted.texts)


def test_text_transformer_checks_with_an_encoder(check_text_transformer, annotator, planted):
    check_text_transformer(annotator.set_params(concepts_per_call=4), planted.texts[:24], counters=("usage_",))


def test_a_pickle_holds_no_key_text_or_client(annotator, planted):
    annotator.fit(planted.texts, planted.y)
    annotator.transform(planted.texts[:2])
    data = pickle.dumps(annotator)
    assert KEY.encode() not in data
    assert not any(text.encode() in data for text in planted.texts)
    assert b"openai" not in data.lower()
    assert KEY not in repr(annotator) + repr(vars(annotator)) + repr(annotator.get_params())
    np.testing.assert_array_equal(
        pickle.loads(data).transform(planted.texts[:2]), annotator.transform(planted.texts[:2])
    )


def test_frozen_encoder(annotator, planted):
    encoder = TfidfVectorizer(vocabulary=planted.words).fit(planted.texts)
    annotator.set_params(encoder=FrozenEstimator(encoder)).fit(planted.texts)
    assert annotator.encoder_.estimator is encoder
    assert annotator.hypotheses_["feature"].tolist() == planted.words


def test_same_seed_same_examples(annotator, planted):
    a, b = annotator.fit(planted.texts), clone(annotator).fit(planted.texts)
    for mine, yours in zip(a.examples_, b.examples_, strict=True):
        for kind in mine:
            np.testing.assert_array_equal(mine[kind], yours[kind])
    pd.testing.assert_frame_equal(a.hypotheses_, b.hypotheses_)


def test_cost_is_what_is_then_sent(annotator, rule_server, planted):
    estimate = annotator.estimate_cost(n_texts=30, n_neurons=4)
    assert set(estimate) == {"requests", "prompt_tokens", "completion_tokens", "price"}
    assert not rule_server.requests
    annotator.set_params(cache_dir=None).fit(planted.texts)
    annotator.transform(planted.make(30, seed=1)[0])
    assert len(rule_server.requests) <= estimate["requests"] == 4 + 4 * N_SCORING + 4 * 30
    assert annotator.estimate_cost(n_texts=30, n_fits=0)["requests"] == 120
    assert annotator.estimate_cost(n_texts=30, n_fits=5)["requests"] == 5 * estimate["requests"]


def test_cost_of_scoring_several_candidates(annotator, rule_server, planted):
    rule = rule_server.reply
    names = iter([f"mentions {a} {b}" for a in "abcdefgh" for b in planted.words])  # all different: none saved
    rule_server.reply = lambda body: next(names) if body["model"] == "gpt-5.2" else rule(body)
    annotator.set_params(n_candidates=3, cache_dir=None)
    estimate = annotator.estimate_cost(n_texts=0, n_neurons=4)
    annotator.fit(planted.texts)
    assert len(rule_server.requests) == estimate["requests"] == 4 * 3 + 4 * 3 * N_SCORING


def test_cost_counts_the_instructions(annotator):
    plain = annotator.estimate_cost(n_texts=0, n_neurons=4)
    annotator.set_params(instructions="These are reviews. " * 100)
    told = annotator.estimate_cost(n_texts=0, n_neurons=4)
    assert told["prompt_tokens"] - plain["prompt_tokens"] == pytest.approx(
        4 * 400, rel=0.1
    )  # "These are reviews. " has 4


def test_an_estimate_checks_the_parameters(given):
    with pytest.raises(ValueError, match="'concepts_per_call' parameter"):
        given.set_params(concepts_per_call=0).estimate_cost(10)
    with pytest.raises(ValueError, match=r"prices\['gpt-5-mini'\]"):
        given.set_params(concepts_per_call=1, prices={"gpt-5-mini": 3}).estimate_cost(10)


def test_price(given, annotator):
    count = given.estimate_cost(1000, words_per_text=50)
    assert np.isnan(count["price"])
    price = (2 * count["prompt_tokens"] + 8 * count["completion_tokens"]) / 1e6
    given.set_params(prices={"gpt-5-mini": (2, 8)})
    assert given.estimate_cost(1000, words_per_text=50)["price"] == pytest.approx(price)
    assert given.set_params(batch=True).estimate_cost(1000, words_per_text=50)["price"] == pytest.approx(price / 2)
    assert given.estimate_cost(1000, words_per_text=10)["prompt_tokens"] < count["prompt_tokens"]
    assert annotator.set_params(neurons=3).estimate_cost(0)["requests"] == 3 + 3 * N_SCORING
    with pytest.raises(ValueError, match="n_neurons is needed"):
        annotator.set_params(neurons="all").estimate_cost(10)


@pytest.mark.parametrize(
    ("params", "kind", "message"),
    [
        ({"hypotheses": ["a b"]}, ValueError, "encoder and hypotheses exclude each other"),
        ({"encoder": None, "hypotheses": []}, ValueError, "hypotheses is empty"),
        ({"encoder": None, "hypotheses": "a sentence"}, ValueError, "hypotheses"),
        ({"encoder": None, "hypotheses": ["a", " "]}, ValueError, "hypotheses has an empty text in row 1"),
        ({"encoder": None}, ValueError, r"texts is missing.*encoder="),
        ({"output": "probability", "concepts_per_call": 2}, ValueError, "concepts_per_call=1"),
        ({"sampling": "bottom"}, ValueError, "sampling"),
        ({"scoring": "accuracy"}, ValueError, "scoring"),
        ({"n_examples": 1}, ValueError, "n_examples"),
        ({"n_scoring_examples": 1}, ValueError, "n_scoring_examples"),
        ({"on_error": 1}, ValueError, "on_error"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"api": "soap"}, ValueError, "api"),
        ({"neurons": [9]}, ValueError, "neurons has the index 9"),
        ({"base_url": "http://user:secret@localhost/v1"}, ValueError, "base_url must not hold"),
        ({"answers": {"yes": 1}}, ValueError, "answers must hold 2 to 20 answers"),
        ({"answers": {"yes": 1, "no": 0}, "output": "probability"}, ValueError, "answers=None"),
    ],
)
def test_bad_parameters(annotator, rule_server, planted, params, kind, message):
    with pytest.raises(kind, match=message) as caught:
        annotator.set_params(**params).fit_transform(planted.texts)
    assert "secret" not in str(caught.value)
    assert not rule_server.requests


def test_parameters_set_after_fit_are_checked_again(annotator, rule_server, planted):
    annotator.set_params(n_scoring_examples=0).fit(planted.texts)
    n_requests = len(rule_server.requests)
    for params, message in [
        ({"hypotheses": ["a sentence"]}, "encoder and hypotheses exclude each other"),
        ({"hypotheses": None, "output": "probability", "concepts_per_call": 2}, "concepts_per_call=1"),
        ({"output": "binary", "timeout": 0}, "timeout"),
    ]:
        with pytest.raises(ValueError, match=message):
            annotator.set_params(**params).transform(planted.texts)
    assert len(rule_server.requests) == n_requests


def test_bad_parameters_of_an_unfitted_transform(given, rule_server, planted):
    with pytest.raises(ValueError, match="max_concurrency"):
        given.set_params(max_concurrency=0).transform(planted.texts)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        LLMHypothesisAnnotator().transform(planted.texts)
    assert not rule_server.requests


def test_no_key(given, planted, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    given.set_params(base_url=None)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        given.transform(planted.texts)


def test_rejected_key(annotator, rule_server, planted):
    rule_server.fail = lambda body, n: (401, {"error": {"message": f"bad key {KEY}"}}, {})
    with pytest.raises(PermissionError) as caught:
        annotator.set_params(max_concurrency=1).fit(planted.texts)
    assert KEY not in str(caught.value)
    assert len(rule_server.requests) == 1


def test_unreachable_server(given, planted):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(ConnectionError, match="cannot be reached"):
            given.set_params(base_url=url, max_retries=0).transform(planted.texts)  # while no other can take the port


def test_cut_texts_are_marked_counted_and_kept_apart(openai_server):
    openai_server.reply = lambda body: "yes" if "xneedle" in json.dumps(body) else "no"
    words = " ".join(f"word{i}" for i in range(30))
    texts = [f"{words} xneedle", f"{words} nothing", "short"]
    settings = {"hypotheses": ["mentions a needle"], "base_url": openai_server.base_url, "max_words": 10}
    naming = {**settings, "hypotheses": None}
    with pytest.raises(ValueError, match="2 of 3 texts are longer than max_words=10 words, and cutting them makes 1"):
        LLMHypothesisAnnotator(**naming).fit(np.eye(3), texts=texts)
    assert not openai_server.requests
    with pytest.warns(UserWarning, match="are cut, which makes 1 equal to others; their beginnings are kept"):
        LLMHypothesisAnnotator(**settings).transform(texts[:2])
    openai_server.requests.clear()
    for truncate in ("tail", "middle"):
        annotator = LLMHypothesisAnnotator(**settings, truncate=truncate)
        with pytest.warns(UserWarning, match="2 of 3 texts are longer than max_words=10 words and are cut"):
            assert annotator.transform(texts).ravel().tolist() == [1, 0, 0]
    sent = json.dumps([request["body"] for request in openai_server.requests], ensure_ascii=False)
    assert sent.count("[…]") == 4
    assert "word25" in sent
    assert "word15" not in sent
