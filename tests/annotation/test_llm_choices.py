"""What a user decides about naming and annotating: instructions, prompts, reasons, draws, and what is asked at all."""

import json
import pickle
import re

import numpy as np
import pytest
import sklearn
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_sae import (
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    QuoteHypothesisAnnotator,
    score_hypotheses,
)
from sklearn_sae.annotation.llm._tokens import count_tokens

NAMER = "Look at {group_a} and not {group_b}.\n{instructions}\nIn {{braces}}: {form}"
JUDGE = "{text}\n{instructions}\nProperty: this text {properties}\n{form}"


@pytest.fixture
def with_reasons(rule_server):
    """The server, giving a reason before each answer."""
    rule = rule_server.reply

    def reply(body):
        system, user = said(body)
        if "Group A" in user:
            return rule(body)
        assert "the reason" in system
        answers = rule(body)
        if answers in ("Yes", "No"):
            return json.dumps({"reason": f'"{user.splitlines()[1][:20].strip()}"', "answer": answers.lower()})
        return json.dumps({i: {"reason": f"number {i}", "answer": one} for i, one in json.loads(answers).items()})

    rule_server.reply = reply
    return rule_server


def said(body):
    if "messages" in body:
        return [message["content"] for message in body["messages"]]
    return body["instructions"], body["input"]


def sent_to(server, model):
    return [said(request["body"]) for request in server.requests if request["body"].get("model") == model]


def shown(user, group):
    return re.findall(rf"<text-\w+ {group}\d+>\n(.*?)\n</text", user, re.DOTALL)


# A name that nothing is clear about


def unclear_about(server, *words):
    rule = server.reply

    def reply(body):
        name = rule(body)
        return "Property: unclear\nHolds for: 2" if any(name == f"mentions {word}" for word in words) else name

    server.reply = reply


def test_what_is_called_unclear_is_left_out_in_one_sentence(annotator, rule_server, planted):
    unclear_about(rule_server, "rude")
    with pytest.warns(UserWarning, match="passed over") as caught:
        annotator.fit(planted.texts)
    assert [str(one.message) for one in caught] == [
        "Neurons were passed over: 1 whose texts share nothing that is clear; 3 of 4 hypotheses are left."
    ]
    assert annotator.hypotheses_["feature"].tolist() == ["cheap", "cold", "music"]
    assert annotator.passed_over_ == [
        {"neuron": 3, "interpretation": "unclear", "reason": "whose texts share nothing that is clear"}
    ]
    assert len(sent_to(rule_server, "gpt-5.2")) == 4  # it is an answer, and not asked for again
    assert not any("unclear" in user for _, user in sent_to(rule_server, "gpt-5-mini"))
    n_requests = len(rule_server.requests)
    with pytest.warns(UserWarning, match="passed over"):
        annotator.fit(planted.texts)
    assert len(rule_server.requests) == n_requests


def test_the_next_neuron_is_named_in_the_place_of_one_that_is_unclear(rule_server, planted):
    unclear_about(rule_server, "rude")
    encoder = make_pipeline(
        CountVectorizer(vocabulary=planted.words, dtype=np.float32), NeuronSelector(2, n_spare=2, random_state=0)
    )
    annotator = LLMHypothesisAnnotator(encoder, n_scoring_examples=20, base_url=rule_server.base_url, random_state=0)
    with pytest.warns(UserWarning, match="passed over for the next best: 1 whose texts share nothing that is clear"):
        annotator.fit(planted.texts, planted.y)
    assert len(annotator.hypotheses_) == 2
    assert "mentions cheap" in annotator.get_feature_names_out()
    assert "mentions rude" not in annotator.get_feature_names_out()


def test_where_all_is_unclear_that_is_the_error(annotator, rule_server, planted):
    unclear_about(rule_server, *planted.words)
    with pytest.raises(ValueError, match=r"^No neuron could be named: the interpreter calls the texts of 4 unclear\.$"):
        annotator.fit(planted.texts)


def test_a_name_is_taken_before_one_that_is_unclear(annotator, rule_server, planted):
    rule = rule_server.reply
    names = iter(["unclear", "mentions nothing"])
    rule_server.reply = lambda body: next(names) if body["model"] == "gpt-5.2" else rule(body)
    annotator.set_params(neurons=[3], n_candidates=2, max_concurrency=1).fit(planted.texts)
    assert annotator.hypotheses_["interpretation"].tolist() == ["mentions nothing"]
    assert annotator.candidates_["interpretation"].tolist() == ["unclear", "mentions nothing"]


# Candidates


def test_candidates_come_from_different_texts_and_keep_their_scores(annotator, rule_server, planted):
    rule = rule_server.reply
    names = iter(
        ["mentions visit\nHolds for: 9 of 4", "mentions rude\nHolds for: 4 of 4", "Property: mentions nothing"]
    )
    rule_server.reply = lambda body: next(names) if body["model"] == "gpt-5.2" else rule(body)
    annotator.set_params(neurons=[3], n_candidates=3, n_examples=8, max_concurrency=1).fit(planted.texts)
    draws = [user for _, user in sent_to(rule_server, "gpt-5.2")]
    for group in "AB":
        texts = [text for user in draws for text in shown(user, group)]
        assert len(set(texts)) == len(texts) == 12
    examples = annotator.examples_[0]
    assert len(examples["activating"]) == len(examples["non_activating"]) == 12
    assert not {*examples["activating"], *examples["non_activating"]} & set(examples["scoring"])
    assert len(set(draws)) == 3
    table = annotator.candidates_.set_index("interpretation")
    assert table.index.tolist() == ["mentions visit", "mentions rude", "mentions nothing"]
    assert table["fidelity_f1"].round(2).tolist() == [0.67, 1, 0]
    np.testing.assert_array_equal(table["holds_for"], [np.nan, 1, np.nan])
    assert annotator.hypotheses_["interpretation"].tolist() == ["mentions rude"]


def test_few_texts_are_shown_again(annotator, rule_server, planted):
    rule = rule_server.reply
    names = iter(["mentions rude", "mentions visit"])
    rule_server.reply = lambda body: next(names) if body["model"] == "gpt-5.2" else rule(body)
    annotator.set_params(neurons=[3], n_candidates=2, n_examples=20, n_scoring_examples=0, max_concurrency=1)
    some = np.flatnonzero(planted.has[:, 3])[:3].tolist() + np.flatnonzero(~planted.has[:, 3])[:40].tolist()
    annotator.fit([planted.texts[row] for row in some])
    draws = [user for _, user in sent_to(rule_server, "gpt-5.2")]
    assert [len(shown(user, "A")) for user in draws] == [3, 3]
    assert set(shown(draws[0], "A")) == set(shown(draws[1], "A"))
    assert len(annotator.candidates_) == 2


def test_half_of_the_texts_without_are_near_misses(rule_server, planted):
    near = ["A waiter and a host, so kind.", "Kind waiter, kind host, kind cook."]
    far = [f"Table number {i} by the window." for i in range(30)]
    rude = [f"A rude {who} on day {i}." for i, who in enumerate(["waiter", "host", "cook", "waiter and host"])]
    texts = [*far[:15], *near, *rude, *far[15:]]
    LLMHypothesisAnnotator(
        CountVectorizer(vocabulary=["rude"], dtype=np.float32),
        n_examples=8,
        n_scoring_examples=0,
        base_url=rule_server.base_url,
        random_state=0,
    ).fit(texts)
    [(_, user)] = sent_to(rule_server, "gpt-5.2")
    without = shown(user, "B")
    assert len(without) == 4
    assert set(near) < set(without)


# Instructions and prompts


def test_instructions_for_the_annotator_reach_it_and_nobody_else(annotator, rule_server, planted):
    annotator.set_params(instructions="Name a thing.", annotator_instructions="Be strict: a hint is a no.")
    annotator.fit(planted.texts)
    assert all("Name a thing." in system and "strict" not in system for system, _ in sent_to(rule_server, "gpt-5.2"))
    judged = sent_to(rule_server, "gpt-5-mini")
    assert all(system.endswith("How to judge:\nBe strict: a hint is a no.") for system, _ in judged)
    assert not any("Name a thing" in system for system, _ in judged)
    annotator.set_params(annotator_instructions="Be lenient.").fit(planted.texts)
    assert len(sent_to(rule_server, "gpt-5-mini")) == 2 * len(judged)
    assert len(sent_to(rule_server, "gpt-5.2")) == 4


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_prompts_of_the_users(annotator, rule_server, planted, tmp_path, as_file, api):
    prompts = {"interpreter_prompt": NAMER, "annotator_prompt": JUDGE}
    if as_file:
        for name, text in prompts.items():
            prompts[name] = tmp_path / name
            prompts[name].write_text(text, "utf-8")
    annotator.set_params(**prompts, instructions="Name a thing.", annotator_instructions="Be strict.", api=api)
    annotator.fit(planted.texts)
    assert annotator.hypotheses_["interpretation"].tolist() == [f"mentions {word}" for word in planted.words]
    np.testing.assert_array_equal(annotator.transform(planted.texts[:9]), planted.has[:9])
    for model, task in (("gpt-5.2", "Name a thing."), ("gpt-5-mini", "Be strict.")):
        for system, user in sent_to(rule_server, model):
            assert system.startswith("Each text stands between two marks")
            assert task in user
    for _, user in sent_to(rule_server, "gpt-5.2"):
        assert user.startswith("Look at <text-")
        assert "In {braces}: Answer in two lines" in user
    text = planted.texts[0]
    assert f"\n{text}\n</text-" in next(user for _, user in sent_to(rule_server, "gpt-5-mini") if text in user)


def test_several_properties_in_a_prompt_of_the_users(given, rule_server, planted):
    given.set_params(annotator_prompt="{form}\n{text}\n{properties}", concepts_per_call=2)
    np.testing.assert_array_equal(given.transform(planted.texts[:9]), planted.has[:9][:, [3, 1]])
    user = sent_to(rule_server, "gpt-5-mini")[0][1]
    assert user.startswith("Answer with one JSON object")
    assert user.endswith('1. "mentions rude"\n2. "mentions cold"')


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"annotator_prompt": "{text} {form}"}, r"annotator_prompt lacks {properties}\.$"),
        (
            {"interpreter_prompt": "name it"},
            "lacks {group_a} and {group_b}; pass a file as a pathlib",
        ),
        (
            {"interpreter_prompt": NAMER + "{examples}"},
            "interpreter_prompt has the unknown field {examples}; it",
        ),
        ({"annotator_prompt": JUDGE + "{text.upper}"}, r"has the unknown field {text.upper}"),
        ({"annotator_prompt": JUDGE + "{text!r}"}, r"has the unknown field {text!r}"),
        ({"annotator_prompt": JUDGE + "{}"}, r"has the unknown field {}"),
        ({"annotator_prompt": JUDGE + " {"}, r"annotator_prompt has a brace that stands alone"),
        (
            {"annotator_prompt": "{text} {properties} {form}", "annotator_instructions": "Be strict."},
            r"annotator_prompt lacks {instructions}, so that the instructions would not be sent",
        ),
    ],
)
def test_a_prompt_is_checked_before_anything_is_asked(annotator, rule_server, planted, params, message):
    annotator.set_params(**params)
    for run in (lambda: annotator.fit(planted.texts), lambda: annotator.estimate_cost(10, n_neurons=4)):
        with pytest.raises(ValueError, match=message) as caught:
            run()
        assert "\n" not in str(caught.value)
    assert not rule_server.requests


def test_a_prompt_that_is_no_file_and_no_text(annotator, planted, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        annotator.set_params(annotator_prompt=tmp_path / "nowhere.txt").fit(planted.texts)
    (tmp_path / "latin.txt").write_bytes("{text} {properties} {form} Gefühl".encode("latin-1"))
    with pytest.raises(ValueError, match=r"annotator_prompt is a file that is no text in UTF-8: .*latin\.txt"):
        annotator.set_params(annotator_prompt=tmp_path / "latin.txt").fit(planted.texts)


# Reasons


@pytest.mark.parametrize("settings", [{}, {"api": "responses"}, {"batch": True}], ids=["chat", "responses", "batch"])
@pytest.mark.parametrize("concepts_per_call", [1, 2])
def test_reasons_are_kept_beside_the_answers(given, with_reasons, planted, settings, concepts_per_call):
    given.set_params(rationale=True, concepts_per_call=concepts_per_call, **settings)
    annotations = given.transform(planted.texts[:6])
    np.testing.assert_array_equal(annotations, planted.has[:6][:, [3, 1]])
    n_requests = len(with_reasons.requests)
    explained = given.explain(planted.texts[:6])
    assert len(with_reasons.requests) == n_requests
    assert explained.columns.tolist() == ["row", "hypothesis", "annotation", "reason"]
    assert explained["row"].tolist() == np.repeat(range(6), 2).tolist()
    assert explained["hypothesis"].tolist() == ["mentions rude", "mentions cold"] * 6
    np.testing.assert_array_equal(explained["annotation"], annotations.ravel())
    if concepts_per_call == 1:
        assert explained["reason"].tolist() == [f'"{planted.texts[row][:20].strip()}"' for row in explained["row"]]
    else:
        assert explained["reason"].tolist() == ["number 1", "number 2"] * 6
    assert not any(text.encode() in pickle.dumps(given) for text in planted.texts)


def test_a_schema_holds_a_server_to_a_reason_before_each_answer(given, with_reasons, planted):
    given.set_params(rationale=True, concepts_per_call=2).transform(planted.texts[:1])
    schema = with_reasons.requests[0]["body"]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["1", "2"]
    assert (
        list(schema["properties"]["1"]["properties"]) == schema["properties"]["1"]["required"] == ["reason", "answer"]
    )
    assert schema["properties"]["1"]["properties"]["answer"]["enum"] == ["yes", "no"]


def test_a_run_with_reasons_goes_on_where_it_stopped(given, with_reasons, planted):
    given.set_params(rationale=True, max_requests=7, max_concurrency=1)
    with pytest.raises(RuntimeError, match="max_requests=7 is used up"):
        given.transform(planted.texts[:6])
    explained = given.set_params(max_requests=None).explain(planted.texts[:6])
    assert len(with_reasons.requests) == 12
    assert explained["reason"].str.len().min() > 5


def test_reasons_in_other_answers_and_in_prose(given, rule_server, planted):
    given.set_params(hypotheses=["mentions rude"], rationale=True, answers={"fully": 1.0, "partly": 0.5, "not": 0.0})
    replies = iter(['{"reason": "a \\"rude\\" waiter", "answer": "partly"}', "Reason: nothing rude.\nAnswer: not"])
    rule_server.reply = lambda body: next(replies)
    explained = given.set_params(max_concurrency=1).explain(planted.texts[:2])
    assert explained["annotation"].tolist() == [0.5, 0]
    assert explained["reason"].tolist() == ['a "rude" waiter', "Reason: nothing rude. Answer: not"]


def test_an_answer_that_does_not_come_has_no_reason(given, rule_server, planted):
    rule_server.fail = lambda body, n: (500, {"error": {"message": "no"}}, {})
    given.set_params(rationale=True, max_retries=0)
    with pytest.warns(RuntimeWarning, match="have no answer"):
        explained = given.explain(planted.texts[:2])
    assert explained["annotation"].isna().all()
    assert explained["reason"].tolist() == [""] * 4


def test_reasons_have_to_be_asked_for(given, planted):
    with pytest.raises(ValueError, match="explain needs rationale=True"):
        given.explain(planted.texts)
    with pytest.raises(ValueError, match=r'output="probability" .* needs rationale=False'):
        given.set_params(rationale=True, output="probability").transform(planted.texts)


def test_reasons_cost_their_tokens(given):
    plain = given.estimate_cost(100)
    reasoned = given.set_params(rationale=True).estimate_cost(100)
    assert reasoned["requests"] == plain["requests"]
    assert reasoned["completion_tokens"] - plain["completion_tokens"] == 200 * 40
    assert reasoned["prompt_tokens"] > plain["prompt_tokens"]


def test_the_prompts_of_the_users_are_counted(given):
    plain = given.estimate_cost(100)["prompt_tokens"]
    longer = given.set_params(annotator_instructions="word " * 400).estimate_cost(100)["prompt_tokens"]
    assert longer - plain == pytest.approx(200 * count_tokens("word " * 400), rel=0.02)
    templated = given.set_params(annotator_prompt=JUDGE + " x" * 4000).estimate_cost(100)["prompt_tokens"]
    assert templated - longer == pytest.approx(200 * count_tokens(" x" * 4000), rel=0.1)


def test_a_search_and_the_straight_form_with_reasons(annotator, with_reasons, planted):
    annotator.set_params(rationale=True, concepts_per_call=4, n_candidates=2)
    search = GridSearchCV(
        make_pipeline(annotator, LinearRegression()),
        {"llmhypothesisannotator__n_examples": [6, 10]},
        cv=2,
        error_score="raise",
    ).fit(planted.texts, planted.y)
    assert search.best_score_ > 0.9
    with sklearn.config_context(enable_metadata_routing=True):
        straight = annotator.set_params(encoder=None)
        pipeline = make_pipeline(CountVectorizer(vocabulary=planted.words, dtype=np.float32), straight)
        pipeline.fit(planted.texts, texts=planted.texts)
        explained = pipeline[-1].explain(planted.texts[:3])
    np.testing.assert_array_equal(explained["annotation"].to_numpy().reshape(3, 4), planted.has[:3])


# What is bought already


def test_only_what_is_bought_is_given_and_nothing_asked(given, rule_server, planted, monkeypatch):
    given.transform(planted.texts[:4])
    n_requests = len(rule_server.requests)
    monkeypatch.delenv("OPENAI_API_KEY")
    given.set_params(cached_only=True, on_error=0)
    with pytest.warns(UserWarning, match="4 of 12 annotations are not stored, and cached_only=True asks for none"):
        annotations = given.transform(planted.texts[:6])
    assert len(rule_server.requests) == n_requests
    np.testing.assert_array_equal(annotations[:4], planted.has[:4][:, [3, 1]])
    assert np.isnan(annotations[4:]).all()
    assert given.usage_["failed"] == 0
    with pytest.warns(UserWarning, match="are not stored"):
        assert np.isnan(given.set_params(on_error="raise", batch=True).transform(planted.texts[5:7])).all()
    assert len(rule_server.requests) == n_requests


def test_a_fit_from_what_is_bought(annotator, rule_server, planted):
    bought = annotator.fit(planted.texts).hypotheses_
    n_requests = len(rule_server.requests)
    annotator.set_params(cached_only=True).fit(planted.texts)
    assert annotator.hypotheses_.equals(bought)
    with pytest.raises(ValueError, match="4 of 4 interpretations are not stored, and cached_only=True asks for none"):
        annotator.set_params(interpreter="another").fit(planted.texts)
    assert len(rule_server.requests) == n_requests


def test_nothing_is_bought_where_nothing_is_kept(given, planted):
    with pytest.raises(ValueError, match="cached_only=True needs the folder"):
        given.set_params(cached_only=True, cache_dir=None).transform(planted.texts)


# Names that are given


def test_given_names_are_scored_as_the_names_of_neurons_are(annotator, rule_server, planted):
    names = [f"mentions {word}" for word in planted.words] + ["mentions visit", "mentions nothing"]
    activations = np.hstack([planted.has, planted.has[:, :2]]).astype(float)
    scores = score_hypotheses(names, activations, planted.texts, annotator=annotator)
    assert scores["hypothesis"].tolist() == names
    assert scores["fidelity_f1"].round(2).tolist() == [1, 1, 1, 1, 0.67, 0]
    assert scores["n_scored"].tolist() == [annotator.n_scoring_examples] * 6
    np.testing.assert_allclose(scores["density"], activations.mean(axis=0))
    assert scores.attrs["usage"]["requests"] == len(rule_server.requests) == 6 * annotator.n_scoring_examples
    assert not hasattr(annotator, "usage_")
    again = score_hypotheses(names, activations, planted.texts, annotator=annotator)
    assert again.equals(scores)
    assert len(rule_server.requests) == 6 * annotator.n_scoring_examples


def test_given_names_of_words_are_scored_too(planted):
    names = ['mentions "rude"', 'mentions "cold" or "music"']
    scores = score_hypotheses(
        names, planted.has[:, [3, 1]] * 1.0, planted.texts, annotator=KeywordHypothesisAnnotator(random_state=0)
    )
    assert scores["fidelity_f1"][0] == 1
    assert scores["fidelity_recall"][1] == 1
    assert 0.5 < scores["fidelity_precision"][1] < 1
    assert scores.attrs["usage"] == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activations": np.ones((120, 3))}, "one column for each hypothesis; got 3 columns and 1 hypotheses"),
        ({"activations": np.ones((12, 1))}, "inconsistent numbers of samples"),
        ({"hypotheses": [" "]}, "hypotheses has an empty text in row 0"),
        ({"annotator": LLMHypothesisAnnotator(n_scoring_examples=0)}, "needs texts to score on"),
        ({"annotator": LLMHypothesisAnnotator(annotator_prompt="{text}")}, "annotator_prompt lacks {properties} and"),
        ({"annotator": KeywordHypothesisAnnotator()}, r"hypotheses\[0\] quotes no word to look for"),
    ],
)
def test_what_cannot_be_scored_is_refused(planted, change, message):
    whole = {"hypotheses": ["mentions rude"], "activations": planted.has[:, [3]] * 1.0, "texts": planted.texts}
    with pytest.raises(ValueError, match=message):
        score_hypotheses(**whole | change)


def test_names_are_not_scored_by_what_needs_more_than_a_name(planted):
    with pytest.raises(TypeError, match="judge by the name alone; got QuoteHypothesisAnnotator"):
        score_hypotheses(["a"], planted.has[:, [3]], planted.texts, annotator=QuoteHypothesisAnnotator(quote=False))
