import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae.annotation.llm._fields import reply_logprobs, reply_text, reply_tokens, was_cut, yes_probability
from sklearn_sae.annotation.llm._prompts import Prompt
from sklearn_sae.annotation.llm._questions import check_params, request_body

CHAT = {
    "choices": [
        {
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "yes"},
            "logprobs": {
                "content": [{"token": "yes", "logprob": -0.1, "top_logprobs": [{"token": "no", "logprob": -2}]}]
            },
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
RESPONSES = {
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {
            "type": "message",
            "content": [
                {
                    "type": "output_text",
                    "text": "yes",
                    "logprobs": [{"token": "yes", "logprob": -0.1, "top_logprobs": [{"token": "no", "logprob": -2}]}],
                }
            ],
        },
    ],
    "usage": {"input_tokens": 3, "output_tokens": 1},
}


@pytest.mark.parametrize("data", [CHAT, RESPONSES])
def test_a_whole_reply(data):
    assert reply_text(data) == "yes"
    assert not was_cut(data)
    assert reply_tokens(data) == (3, 1)
    assert reply_logprobs(data) == [{"yes": -0.1, "no": -2.0}]


def test_content_in_parts():
    parts = [{"type": "text", "text": "y"}, {"type": "image"}, {"type": "text", "text": "es"}]
    assert reply_text({"choices": [{"message": {"content": parts}}]}) == "yes"


def test_probability_of_one_token():
    assert yes_probability([{"yes": math.log(0.9)}]) == 1
    assert yes_probability([{"No": math.log(0.6), " yes": math.log(0.2)}]) == pytest.approx(0.25)
    assert yes_probability([{"yes": -math.inf}]) is None
    assert yes_probability([{"maybe": -0.1, "yes": -2.0}]) is None
    assert yes_probability([]) is None


def broken(value):
    """Return a strategy for `value` with any one part in it replaced."""
    anything = st.sampled_from(
        [None, True, 0, -1.5, math.nan, "", "yes", "\ud800", [], {}, [[]], [None], [{}], {"": []}]
    )
    options = [anything]
    if isinstance(value, dict):
        options += [broken(inner).map(lambda new, key=key: {**value, key: new}) for key, inner in value.items()]
        options += [st.just({k: v for k, v in value.items() if k != key}) for key in value]
    if isinstance(value, list):
        options += [
            broken(inner).map(lambda new, i=i: [*value[:i], new, *value[i + 1 :]]) for i, inner in enumerate(value)
        ]
    return st.one_of(options)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken(CHAT) | broken(RESPONSES))
def test_a_broken_reply_reads_as_nothing_there(data):
    data = json.loads(json.dumps(data))
    assert reply_text(data).encode("utf-8") is not None
    assert was_cut(data) in (True, False)
    assert all(isinstance(count, int) for count in reply_tokens(data))
    probability = yes_probability(reply_logprobs(data))
    assert probability is None or 0 <= probability <= 1


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_body_asks_for_no_more_than_needed(api):
    plain = request_body(api, Prompt("system", "user"), model="m")
    needed = {"chat": {"model", "messages"}, "responses": {"model", "instructions", "input", "store", "stream"}}
    assert set(plain) == needed[api]


PROMPT = Prompt("system", "user")


def answer_schema(api, body):
    return body["response_format"]["json_schema"] if api == "chat" else body["text"]["format"]


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("answers", [None, ("not at all", "somewhat", "strongly")])
def test_the_schema_holds_each_answer_to_the_answers(api, answers):
    schema = answer_schema(api, request_body(api, PROMPT, model="m", n_answers=2, answers=answers))
    assert schema["strict"] is True
    assert schema["schema"]["required"] == ["1", "2"]
    assert schema["schema"]["additionalProperties"] is False
    answer = {"type": "string", "enum": list(answers or ("yes", "no"))}
    assert schema["schema"]["properties"] == {"1": answer, "2": answer}


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_answers_change_no_body_without_a_schema(api):
    assert request_body(api, PROMPT, model="m", answers=("a", "b")) == request_body(api, PROMPT, model="m")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_params_are_added_last_and_left_as_they_are(api):
    params = {"temperature": 0, "store": True, "top_logprobs": 5, "reasoning": {"effort": "low"}}
    check_params(params, "annotator_params")
    plain = request_body(api, PROMPT, model="m", n_answers=2, logprobs=True)
    assert request_body(api, PROMPT, model="m", n_answers=2, logprobs=True, params=params) == {**plain, **params}
    assert params == {"temperature": 0, "store": True, "top_logprobs": 5, "reasoning": {"effort": "low"}}


def test_verbosity_stands_beside_the_schema():
    params = {"text": {"verbosity": "low"}}
    check_params(params, "annotator_params")
    plain = request_body("responses", PROMPT, model="m", n_answers=2)
    body = request_body("responses", PROMPT, model="m", n_answers=2, params=params)
    assert body["text"] == {"verbosity": "low", **plain["text"]}
    assert request_body("responses", PROMPT, model="m", params=params)["text"] == {"verbosity": "low"}
    assert params == {"text": {"verbosity": "low"}}


@pytest.mark.parametrize("params", [None, {}, {"temperature": 0.5}, {"provider": {"order": ["a"], "x": None}}])
def test_params_that_pass(params):
    check_params(params, "interpreter_params")


LOOP = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "params",
    [
        *({key: 1} for key in ("model", "messages", "instructions", "input", "response_format")),
        *({key: 1} for key in ("logprobs", "include", "stream", "n")),
        {"text": {"format": {"type": "text"}}},
        {"text": "low"},
        {1: 2},
        {"x": object()},
        {"x": {1, 2}},
        {"x": math.nan},
        {"x": [math.inf]},
        {"x": LOOP},
        {"x": "\ud800"},
        {"\ud800": 1},
    ],
)
@pytest.mark.parametrize("name", ["interpreter_params", "annotator_params"])
def test_params_refused(params, name):
    with pytest.raises(ValueError, match=rf"^{name} ") as refused:
        check_params(params, name)
    assert str(refused.value).count(name) == 1


def test_refused_params_are_not_quoted():
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the message is what is looked at)
        check_params({"metadata": {"token": "secret-1234", "when": object()}}, "annotator_params")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("params", ["temperature", [("temperature", 0)], 1])
def test_params_of_the_wrong_type(params):
    with pytest.raises(TypeError, match=r"^annotator_params "):
        check_params(params, "annotator_params")
