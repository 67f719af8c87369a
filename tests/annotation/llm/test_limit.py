"""The limit of tokens of a reply, and the form in which a model is asked that does not answer in the usual one."""

import json
import re

import numpy as np
import pytest

from sklearn_sae import LLMHypothesisAnnotator

TEXTS = [f"Meal number {i}." for i in range(12)]
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def limit_of(body):
    return next((body[name] for name in LIMITS if name in body), None)


def said(body):
    return body["messages"][1]["content"] if "messages" in body else body["input"]


def is_plain(body):
    return "Does this hold" in said(body)


@pytest.fixture
def server(openai_server):
    """A server whose replies end at the limit; it counts a word as a token, and `model` says what it would write."""
    openai_server.model = lambda body: "yes"

    def fail(body, n):
        words = openai_server.model(body).split(" ")
        limit = limit_of(body)
        is_cut = limit is not None and len(words) > limit
        text = " ".join(words[:limit] if is_cut else words)
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        if "messages" in body:
            message = {"role": "assistant", "content": text}
            return 200, {"choices": [{"message": message, "finish_reason": "length" if is_cut else "stop"}]}, {}
        content = [{"type": "output_text", "text": text}] if text else []
        output = [{"type": "message", "content": content}]
        return 200, {"status": "incomplete" if is_cut else "completed", "output": output, "usage": usage}, {}

    openai_server.fail = fail
    return openai_server


def annotate(server, n_concepts=1, **params):
    hypotheses = [f"mentions thing {i}" for i in range(n_concepts)]
    own = LLMHypothesisAnnotator(hypotheses=hypotheses, base_url=server.base_url, max_retries=0, **params)
    return own, own.transform(TEXTS)


def bodies(server):
    return [request["body"] for request in server.requests]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize(
    ("params", "reply", "least", "most"),
    [
        ({}, "yes", 16, 16),
        ({"answers": {"strongly": 1, "not at all": 0}}, "strongly", 16, 30),
        ({"rationale": True}, '{"reason": "so", "answer": "yes"}', 100, 400),
    ],
)
def test_the_limit_fits_the_form(server, api, params, reply, least, most):
    server.model = lambda body: reply
    _, annotations = annotate(server, api=api, **params)
    np.testing.assert_array_equal(annotations, 1)
    assert all(least <= limit_of(body) <= most for body in bodies(server))
    assert all("max_output_tokens" in body for body in bodies(server)) == (api == "responses")
    assert len(server.requests) == len(TEXTS)


def test_several_answers_have_more_room(server):
    server.model = lambda body: json.dumps({str(i): "yes" for i in range(1, 21)})
    annotate(server, 20, concepts_per_call=20)
    assert {limit_of(body) for body in bodies(server)} == {20 * 16 + 12}


@pytest.mark.parametrize("value", [7, None])
def test_the_users_limit_is_kept(server, value):
    annotate(server, annotator_params={"max_completion_tokens": value})
    assert all(body["max_completion_tokens"] == value and "max_tokens" not in body for body in bodies(server))


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_model_that_thinks_gets_room_once_and_for_all(server, api):
    """Its thoughts are not in the reply, which is empty if they used up the limit."""
    server.model = lambda body: "" if limit_of(body) else "yes"
    answer = server.fail

    def fail(body, n):
        status, data, headers = answer(body, n)
        if limit_of(body):
            data["status"] = "incomplete"
            if "choices" in data:
                data["choices"][0]["finish_reason"] = "length"
        return status, data, headers

    server.fail = fail
    own, annotations = annotate(server, api=api)
    np.testing.assert_array_equal(annotations, 1)
    assert [limit_of(body) is None for body in bodies(server)] == [False] + [True] * len(TEXTS)
    own.set_params(hypotheses=["another"]).transform(TEXTS)
    assert len(server.requests) == 1 + 2 * len(TEXTS)


def test_a_model_that_thinks_aloud_gets_room(server):
    """There is no mark between its thoughts and its answer."""
    server.model = lambda body: "Okay, let me see what it says. " * 10 + "\nAnswer: yes"
    _, annotations = annotate(server)
    np.testing.assert_array_equal(annotations, 1)
    assert len(server.requests) <= 2 + 1 + len(TEXTS)


def test_a_model_that_never_ends_is_asked_once_without_a_limit(server):
    server.model = lambda body: "The text does have it. " * 50
    with pytest.warns(RuntimeWarning, match="12 of 12 .*unreadable reply"):
        _, annotations = annotate(server)
    assert np.isnan(annotations).all()
    assert sum(limit_of(body) is None for body in bodies(server)) == 1


def test_a_model_that_heeds_what_comes_last_is_asked_in_the_plain_form(server):
    server.model = lambda body: "No." if is_plain(body) else "The text does have it, yes or no? " * 5
    _, annotations = annotate(server)
    np.testing.assert_array_equal(annotations, 0)
    assert all(limit_of(body) == (32 if is_plain(body) else 16) for body in bodies(server))
    assert sum(not is_plain(body) for body in bodies(server)) == 2  # it is remembered
    fenced = r"<(text-\w+)>\nMeal number \d+\.\n</\1>\n\nDoes this hold: the text \"mentions thing 0\"\?"
    assert all(re.match(fenced, said(body)) for body in bodies(server) if is_plain(body))


def test_names_that_can_be_read_say_nothing_of_the_form_of_annotations(server, encoder, planted):
    def model(body):
        if "Does" not in said(body):
            return "mentions thing 0"
        return "No." if is_plain(body) else "The text does have it, yes or no? " * 5

    server.model = model
    own = LLMHypothesisAnnotator(encoder, interpreter="m", base_url=server.base_url, n_scoring_examples=0)
    own.fit(planted.texts)
    n_before = len(server.requests)
    annotate(server, annotator="m")
    assert n_before >= 4
    assert sum(not is_plain(body) for body in bodies(server)[n_before:]) == 2


def test_a_model_that_never_answers_several_at_once_is_asked_one_by_one(server):
    server.model = lambda body: "no" if is_plain(body) or "Does the text have it" in said(body) else "This text is..."
    _, annotations = annotate(server, 3, concepts_per_call=3)
    np.testing.assert_array_equal(annotations, 0)
    assert len(server.requests) == 2 + 3 * len(TEXTS)


@pytest.mark.parametrize("refused", [LIMITS[:1], LIMITS[:2]])
def test_a_limit_that_is_refused_goes_by_another_name_or_is_left_out(server, refused):
    answer = server.fail

    def fail(body, n):
        name = next((name for name in refused if name in body), None)
        if name is None:
            return answer(body, n)
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        return 400, {"error": {"message": message, "code": "unsupported_parameter", "param": name}}, {}

    server.fail = fail
    _, annotations = annotate(server)
    np.testing.assert_array_equal(annotations, 1)
    assert len(server.requests) == len(refused) + len(TEXTS)
    assert ("max_completion_tokens" in bodies(server)[-1]) == (refused == LIMITS[:1])


def test_answers_that_were_stored_before_are_found(server):
    own, _ = annotate(server)
    n_requests = len(server.requests)
    own.transform(TEXTS)
    assert len(server.requests) == n_requests
