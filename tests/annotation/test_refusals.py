"""Servers that refuse a part of a request, a text, or an answer: what it costs, and what is said."""

import json
import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_sae import LLMHypothesisAnnotator

TEXTS = [f"Review number {i}: the soup came {'cold' if i % 3 else 'hot'}." for i in range(12)]
HYPOTHESES = ["mentions cold", "mentions hot"]
EXPECTED = np.array([[float("cold" in text), float("hot" in text)] for text in TEXTS])
FILTERED = (400, {"error": {"message": "content management policy", "code": "content_filter", "param": "prompt"}}, {})


def asked(body):
    """Return the text and the hypotheses of a request, in either protocol."""
    user = body["input"] if "input" in body else body["messages"][1]["content"]
    text, after = re.search(r"<text-\w+>\n(.*?)\n</text(.*)", user, re.DOTALL).groups()
    return text, re.findall(r'"(mentions \w+)"', after)


def honest(body):
    text, hypotheses = asked(body)
    words = ["yes" if one.split()[-1] in text else "no" for one in hypotheses]
    return words[0] if len(words) == 1 else json.dumps({str(i): word for i, word in enumerate(words, 1)})


@pytest.fixture
def server(openai_server):
    openai_server.reply = honest
    return openai_server


@pytest.fixture
def annotator(server):
    return LLMHypothesisAnnotator(hypotheses=HYPOTHESES, base_url=server.base_url, max_concurrency=1, max_retries=3)


def has_schema(body):
    return "response_format" in body or "format" in body.get("text", {})


def reply_with(finish_reason="stop", **message):
    message = {"role": "assistant", "content": None, **message}
    usage = {"prompt_tokens": 10, "completion_tokens": 30}
    return 200, {"choices": [{"index": 0, "finish_reason": finish_reason, "message": message}], "usage": usage}, {}


def without_warning(annotator, texts=TEXTS):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return annotator.transform(texts)


# --- a schema ------------------------------------------------------------------------------------------

LLAMA_CPP = (500, {"error": {"code": 500, "message": "failed to parse grammar", "type": "server_error"}}, {})
OPENROUTER = (
    404,
    {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}},
    {},
)
SCHEMA_REFUSED = {
    "llama.cpp": LLAMA_CPP,
    "not implemented": (501, {"error": {"message": "response_format is not implemented"}}, {}),
    "OpenRouter": OPENROUTER,
    "DeepSeek": (
        400,
        {"error": {"message": "This response_format type is unavailable now", "code": "invalid_request_error"}},
        {},
    ),
    "FastAPI": (422, {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}, {}),
    "an empty answer": reply_with(content=""),
    "no content": reply_with(),
}


@pytest.mark.parametrize("name", SCHEMA_REFUSED)
def test_a_schema_that_is_refused_is_left_out_and_remembered(annotator, server, name):
    server.fail = lambda body, n: SCHEMA_REFUSED[name] if has_schema(body) else None
    annotator.set_params(concepts_per_call=2)
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)
    said_so = SCHEMA_REFUSED[name][0] in (400, 404, 422)
    n_with = sum(has_schema(request["body"]) for request in server.requests)
    assert n_with == (1 if said_so else 2)  # what may be chance is tried twice
    assert len(server.requests) == 12 + n_with
    assert annotator.usage_["failed"] == 0
    server.requests.clear()
    without_warning(clone(annotator).set_params(cache_dir=None))  # this process has not forgotten it
    assert not any(has_schema(request["body"]) for request in server.requests)
    assert len(server.requests) == 12


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_is_not_well_for_a_moment_keeps_its_schema(annotator, server, status):
    server.fail = lambda body, n: (status, {"error": {"message": "busy"}}, {"retry-after-ms": "10"}) if n == 0 else None
    np.testing.assert_array_equal(without_warning(annotator.set_params(concepts_per_call=2)), EXPECTED)
    assert len(server.requests) == 13
    assert sum(has_schema(request["body"]) for request in server.requests) >= 12


def test_one_of_several_servers_behind_an_address_refuses_a_schema(annotator, server):
    server.fail = lambda body, n: OPENROUTER if has_schema(body) and n % 3 == 2 else None
    np.testing.assert_array_equal(without_warning(annotator.set_params(concepts_per_call=2)), EXPECTED)
    assert has_schema(server.requests[-1]["body"]) or has_schema(server.requests[-2]["body"])  # the others still get it


def test_a_parameter_of_the_user_is_named_and_not_dropped(annotator, server):
    message = "Unsupported value: 'temperature' does not support 0 with this model."
    error = {"error": {"message": message, "param": "temperature", "code": "unsupported_value"}}
    server.fail = lambda body, n: (400, error, {}) if "temperature" in body else None
    annotator.set_params(concepts_per_call=2, annotator_params={"temperature": 0})
    with pytest.raises(ValueError, match=r"refused the parameter 'temperature' .*\(unsupported_value\); change it"):
        annotator.transform(TEXTS)
    assert len(server.requests) == 3


# --- a text --------------------------------------------------------------------------------------------

REFUSED = {
    "Azure": FILTERED,
    "a filter behind the model": reply_with("content_filter"),
    "Gemini": reply_with("content_filter: PROHIBITED_CONTENT"),
    "a refusal": reply_with(refusal="I'm sorry, I cannot help with that."),
    "Responses": (200, {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}, {}),
    "a refusal in Responses": (
        200,
        {
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot help with that."}]}],
        },
        {},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("concepts_per_call", [1, 2])
@pytest.mark.parametrize("which", [[0], [5], [0, 1, 2, 3, 4, 5]])
def test_a_refused_text_costs_only_itself(annotator, server, name, concepts_per_call, which):
    server.fail = lambda body, n: REFUSED[name] if asked(body)[0] in [TEXTS[i] for i in which] else None
    annotator.set_params(concepts_per_call=concepts_per_call, api="responses" if "Responses" in name else "chat")
    message = rf"^{2 * len(which)} of 24 annotations have no answer .*\({2 * len(which)} x refused by the provider"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        out = annotator.transform(TEXTS)
    expected = EXPECTED.copy()
    expected[which] = np.nan
    np.testing.assert_array_equal(out, expected)
    assert "soup" not in str(caught[0].message)
    assert (annotator.usage_["failed"], annotator.usage_["refused"]) == (2 * len(which), 2 * len(which))
    assert len(server.requests) == 24 / concepts_per_call  # none is asked again
    server.fail = None  # and a refusal is no answer that is kept
    server.requests.clear()
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)
    assert len(server.requests) == 2 * len(which) / concepts_per_call


def test_a_refused_text_in_a_batch(annotator, server):
    original = server._chat
    server._chat = lambda body: FILTERED if asked(body)[0] in TEXTS[:2] else original(body)
    with pytest.warns(RuntimeWarning, match=r"4 of 24 annotations .*\(4 x refused by the provider"):
        out = annotator.set_params(batch=True).transform(TEXTS)
    np.testing.assert_array_equal(out[2:], EXPECTED[2:])
    assert np.isnan(out[:2]).all()
    assert annotator.usage_["refused"] == 4


def test_a_neuron_whose_examples_are_refused_is_not_named(encoder, rule_server, planted):
    answered = rule_server.reply
    refused = []

    def fail(body, n):
        user = body["messages"][1]["content"]
        if " A1>" in user and answered(body) == "mentions rude":
            refused.append(n)
            return FILTERED
        return None

    rule_server.fail = fail
    annotator = LLMHypothesisAnnotator(encoder, n_scoring_examples=6, base_url=rule_server.base_url, random_state=0)
    with pytest.warns(UserWarning, match=r"could not be named \(1 of 4 interpretations .*1 x refused by the provider"):
        annotator.fit(planted.texts)
    assert annotator.hypotheses_["interpretation"].tolist() == ["mentions cheap", "mentions cold", "mentions music"]
    assert annotator.usage_["refused"] == len(refused) == 1 + 4  # of 20 texts halves are tried, log2(20) at most


@pytest.fixture
def naming(encoder, rule_server):
    """An annotator of two neurons, and the list of requests for names that were refused."""
    rule_server.bad = ()  # texts
    rule_server.asked = []
    original = rule_server._chat

    def chat(body):
        user = body["messages"][1]["content"]
        if " A1>" in user:
            rule_server.asked.append(is_bad := any(text in user for text in rule_server.bad))
            return FILTERED if is_bad else original(body)
        return original(body)

    rule_server._chat = chat
    return LLMHypothesisAnnotator(
        encoder, neurons=[1, 3], n_scoring_examples=6, base_url=rule_server.base_url, random_state=0, on_error="raise"
    )


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("group", ["activating", "non_activating"])
def test_a_neuron_is_named_without_a_text_that_is_refused(naming, rule_server, planted, group, batch, tmp_path):
    row = int(clone(naming).set_params(cache_dir=tmp_path).fit(planted.texts).examples_[1][group][0])
    rule_server.bad, rule_server.asked[:] = [planted.texts[row]], []
    naming.set_params(batch=batch)
    with pytest.warns(UserWarning, match="refuses what some example texts say") as caught:
        naming.fit(planted.texts)
    message = str(caught[0].message)
    assert planted.texts[row] not in message
    left_out = {int(n): json.loads(rows) for n, rows in re.findall(r"neuron (\d+) without (\[[^]]*\])", message)}
    assert 3 in left_out
    assert all(row in rows and len(rows) == 10 for rows in left_out.values())
    assert naming.hypotheses_["interpretation"].tolist() == ["mentions cold", "mentions rude"]
    assert naming.usage_["refused"] == sum(rule_server.asked) <= 2 * len(left_out)
    assert len(rule_server.asked) <= 2 + 2 * len(left_out)
    rule_server.asked.clear()
    with pytest.warns(UserWarning, match="refuses what some example texts say"):
        again = clone(naming).fit(planted.texts)
    assert all(rule_server.asked)  # what is refused is not kept, and what was answered is
    n_requests = len(rule_server.requests)
    with pytest.warns(UserWarning, match="refuses what some example texts say"):
        stored = clone(naming).set_params(cached_only=True).fit(planted.texts)
    assert len(rule_server.requests) == n_requests
    assert again.hypotheses_.equals(naming.hypotheses_)
    assert stored.hypotheses_.equals(naming.hypotheses_)


def test_where_each_text_is_refused_a_name_costs_five_requests_at_most(naming, rule_server, planted):
    rule_server.bad = planted.texts
    with pytest.raises(ValueError, match=r"No neuron could be named.*2 x refused by the provider"):
        naming.set_params(on_error="nan").fit(planted.texts)
    assert len(rule_server.asked) == 2 * 5


# --- an answer that is all thought ---------------------------------------------------------------------

THOUGHTS = {
    "DeepSeek": reply_with(content="", reasoning_content="Let me see. The text says"),
    "OpenRouter": reply_with(reasoning="Let me see. The text says"),
    "a limit of tokens": reply_with("length", content="", reasoning_content="Let me see"),
    "hidden thoughts": reply_with("length", content=""),
    "thoughts in tags": reply_with("length", content="<think>Let me see. The text says"),
    "Responses": (
        200,
        {
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [{"type": "reasoning", "summary": []}],
            "usage": {"input_tokens": 10, "output_tokens": 30},
        },
        {},
    ),
}


@pytest.mark.parametrize("name", THOUGHTS)
@pytest.mark.parametrize("concepts_per_call", [1, 2])
def test_thoughts_without_an_answer_are_not_paid_for_twice(annotator, server, name, concepts_per_call):
    api = "responses" if name == "Responses" else "chat"
    effort = {"responses": r'\{"reasoning": \{"effort": "low"\}\}', "chat": r'\{"reasoning_effort": "low"\}'}[api]
    server.fail = lambda body, n: THOUGHTS[name]
    annotator.set_params(concepts_per_call=concepts_per_call, api=api)
    with pytest.raises(ValueError, match=f"hold thoughts and no answer. Pass annotator_params={effort}"):
        annotator.transform(TEXTS)
    # Of 24, or of 12; once more without a limit of tokens, where that may have ended the thoughts.
    n_requests = 10 if name in ("DeepSeek", "OpenRouter") else 11
    assert len(server.requests) == n_requests
    assert annotator.usage_["completion_tokens"] == 30 * n_requests
    with pytest.raises(ValueError, match="hold thoughts and no answer"):
        annotator.transform(TEXTS[:1])


def test_some_thoughts_without_an_answer_are_counted(annotator, server):
    server.fail = lambda body, n: THOUGHTS["DeepSeek"] if asked(body)[0] == TEXTS[0] else None
    message = r"2 of 24 .*\(2 x thoughts without an answer, which less thought .* in annotator_params may mend\)"
    with pytest.warns(RuntimeWarning, match=message):
        out = annotator.transform(TEXTS)
    np.testing.assert_array_equal(out[1:], EXPECTED[1:])
    assert np.isnan(out[0]).all()
    assert len(server.requests) == 24


def test_thoughts_beside_an_answer_are_no_matter(annotator, server):
    def fail(body, n):
        return reply_with(content=honest(body), reasoning_content="Let me see. No, yes, no.")

    server.fail = fail
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)


# --- what else comes in place of an answer -------------------------------------------------------------

CLOUDFLARE = b"<!DOCTYPE html>\n<html><head><title>502: Bad gateway</title></head><body>Cloudflare</body></html>"
SOON = {"content-type": "text/html", "retry-after-ms": "5"}
BROKEN_OFF = {
    "index": 0,
    "finish_reason": "error",
    "message": {"content": "y"},
    "error": {"code": 502, "message": "gone"},
}
PASSING = {
    "a page with 502": (502, CLOUDFLARE, SOON),
    "a page with 200": (200, CLOUDFLARE, SOON),
    "overload of Anthropic": (529, {"type": "error", "error": {"type": "overloaded_error"}}, SOON),
    "a reply that broke off": (200, {"choices": [BROKEN_OFF]}, SOON),
    "a connection that was kept alive and is not": "cut",
    "half a body": (200, b'{"choices": [{"mess', {"content-length": 500, "connection": "close", **SOON}),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_fails_for_a_moment_is_asked_again_and_nothing_is_lost(annotator, server, name):
    server.fail = lambda body, n: PASSING[name] if n in (3, 9, 10) else None
    annotator.set_params(timeout=2)
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)
    assert len(server.requests) == 24 + 3
    assert annotator.usage_["requests"] == 24
    assert annotator.usage_["retried"] == 3


@pytest.mark.parametrize("name", ["a page with 502", "a page with 200"])
def test_a_server_that_shows_a_page_from_now_on_is_given_up(annotator, server, name):
    texts = [f"{text} Visit {i}." for i in range(20) for text in TEXTS]
    server.fail = lambda body, n: PASSING[name] if n >= 5 else None
    with pytest.warns(RuntimeWarning, match=r"^475 of 480 annotations have no answer .*475 x HTTP 50[23]"):
        annotator.set_params(max_retries=1).transform(texts)
    assert len(server.requests) <= 5 + 2 * 10
    server.fail = None
    server.requests.clear()
    assert np.isfinite(without_warning(annotator, texts)).all()
    assert len(server.requests) == 475  # none of what came before is paid for twice


@pytest.mark.parametrize("mark", ["\ufeff", "\n\n  "])
def test_what_stands_before_the_json_is_no_matter(annotator, server, mark):
    def fail(body, n):
        return 200, f"{mark}{json.dumps(reply_with(content=honest(body))[1])}".encode(), {}

    server.fail = fail
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)
    assert len(server.requests) == 24


@pytest.mark.parametrize(
    "said",
    ["{}\n\nNote: I went by the words {{soup}} and 1: cold.", '```json\n{}\n```\nExplanation: {{"1": "the soup"}}'],
)
@pytest.mark.parametrize("concepts_per_call", [1, 2])
def test_commentary_after_an_answer_is_no_matter(annotator, server, said, concepts_per_call):
    server.fail = lambda body, n: reply_with(content=said.format(honest(body)))
    annotator.set_params(concepts_per_call=concepts_per_call)
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)
    assert len(server.requests) == 24 / concepts_per_call


def test_no_credit_left_ends_a_run_and_what_came_before_is_kept(annotator, server):
    error = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    server.fail = lambda body, n: (429, error, {}) if n >= 9 else None
    with pytest.raises(PermissionError, match="no credit left"):
        annotator.transform(TEXTS)
    assert len(server.requests) == 10
    server.fail = None
    np.testing.assert_array_equal(without_warning(annotator), EXPECTED)
    assert len(server.requests) == 10 + 15


# --- keys ----------------------------------------------------------------------------------------------


def test_the_name_of_a_variable_is_a_parameter_and_its_value_is_nowhere(annotator, server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-mine-1")
    annotator.set_params(api_key_env="MY_KEY").transform(TEXTS[:1])
    assert server.requests[0]["headers"]["authorization"] == "Bearer sk-mine-1"
    assert "sk-mine-1" not in repr(annotator) + repr(vars(annotator)) + annotator._repr_html_()
