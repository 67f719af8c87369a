import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae.annotation._prompts import Prompt
from sklearn_sae.annotation._protocols import (
    reply_logprobs,
    reply_text,
    reply_tokens,
    request_body,
    was_cut,
    yes_probability,
)

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
    needed = {"chat": {"model", "messages"}, "responses": {"model", "instructions", "input", "store"}}
    assert set(plain) == needed[api]
