"""What providers really say when they refuse, through the real client: a sentence and a decision for each."""

import copy
import json

import pytest

from sklearn_sae.utils.server import REFUSED, TOO_LONG, Connection, ask_all, reason_of

KEY = "sk-test-0123456789"  # as the fixture sets it
TEXTS = [f"the soup came cold to table {i}" for i in range(20)]


async def chat(client, text):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 5}
    return await client.post("/chat/completions", body=body, cast_to=str)


@pytest.fixture
def ask(openai_server):
    def run(texts=TEXTS, **options):
        settings = {"api_key_env": "OPENAI_API_KEY", "max_concurrency": 1, "timeout": 10, "max_retries": 1, **options}
        return ask_all(chat, texts, connection=Connection(base_url=openai_server.base_url, **settings), model="m")

    return run


def openai(message, kind="invalid_request_error", param=None, code=None):
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


GEMINI_KEY = [
    {
        "error": {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
        }
    }
]
PAGE = "<!DOCTYPE html>\n<html><head><title>Access denied</title></head><body>Ask your administrator</body></html>"

# name: status, body, exception, what the sentence says
ENDS_THE_RUN = {
    "OpenAI, wrong key": (
        401,
        openai(
            "Incorrect API key provided: sk-tes******6789. You can find it in your account.", code="invalid_api_key"
        ),
        PermissionError,
        r"rejected the API key; check OPENAI_API_KEY \(invalid_api_key\)",
    ),
    "Anthropic, wrong key": (
        401,
        {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}},
        PermissionError,
        r"rejected the API key; check OPENAI_API_KEY \(authentication_error\)",
    ),
    "Gemini, wrong key": (400, GEMINI_KEY, PermissionError, "rejected the API key; check OPENAI_API_KEY"),
    "OpenAI, model not in the project": (
        403,
        openai("Project `proj_1` does not have access to model `m`", code="model_not_found"),
        PermissionError,
        r"key in OPENAI_API_KEY has no access to model 'm' .*\(model_not_found\)",
    ),
    "OpenAI, scopes of the key": (
        401,
        openai("You have insufficient permissions for this operation. Missing scopes: model.request."),
        PermissionError,
        "key in OPENAI_API_KEY has not the permission to ask",
    ),
    "OpenAI, country": (
        403,
        openai(
            "Country, region, or territory not supported",
            "request_forbidden",
            None,
            "unsupported_country_region_territory",
        ),
        PermissionError,
        r"does not serve the country .*\(unsupported_country_region_territory\)",
    ),
    "Gemini, country": (
        400,
        [{"error": {"code": 400, "message": "User location is not supported.", "status": "FAILED_PRECONDITION"}}],
        PermissionError,
        r"does not serve the country .*\(FAILED_PRECONDITION\)",
    ),
    "OpenAI, organization not verified": (
        403,
        openai("Your organization must be verified to use the model `m`. Please go to: https://platform.openai.com/"),
        PermissionError,
        "for verified organizations only",
    ),
    "OpenAI, no organization": (
        401,
        openai("You must be a member of an organization to use the API."),
        PermissionError,
        "knows no organization of the key in OPENAI_API_KEY",
    ),
    "a firewall's page instead of a key": (401, PAGE, PermissionError, r"A page came \(HTTP 401\) and no answer"),
    "a proxy that wants a password": (407, PAGE, PermissionError, "proxy .*wants a user name and password"),
    "OpenAI, no credit": (
        429,
        openai("You exceeded your current quota.", "insufficient_quota", None, "insufficient_quota"),
        PermissionError,
        r"no credit left \(insufficient_quota\)",
    ),
    "DeepSeek, no credit": (
        402,
        openai("Insufficient Balance", "unknown_error", None, "invalid_request_error"),
        PermissionError,
        "no credit left",
    ),
    "Anthropic, no credit": (
        400,
        {"error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}},
        PermissionError,
        "no credit left",
    ),
    "vLLM, another model": (
        404,
        {"object": "error", "message": "The model `m` does not exist.", "type": "NotFoundError", "code": 404},
        ValueError,
        r"has no model 'm', or not for this key; check the model's name \(NotFoundError\)",
    ),
    "Ollama, another model": (
        404,
        openai('model "m" not found, try pulling it first', "api_error"),
        ValueError,
        "has no model 'm', or not for this key",
    ),
    "OpenRouter, another model": (
        400,
        {"error": {"message": "m is not a valid model ID", "code": 400}},
        ValueError,
        "no model 'm'",
    ),
    "Azure, another deployment": (
        404,
        {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}},
        ValueError,
        r"has no model 'm', .*\(DeploymentNotFound\)",
    ),
    "FastAPI, another address": (404, {"detail": "Not Found"}, ValueError, "no such address; .*ends in /v1"),
    "Go, another address": (404, "404 page not found", ValueError, "no such address"),
    "LM Studio, another address": (
        200,
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"},
        ValueError,
        "no such address",
    ),
}
# The same, before any request was answered.
ENDS_THE_RUN_AT_FIRST = {
    "a page with 403": (403, PAGE, PermissionError, r"A page came \(HTTP 403\) and no answer"),
    "403": (403, openai("Forbidden"), PermissionError, "rejected the API key; check OPENAI_API_KEY"),
    "OpenAI, temperature": (
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0 with this model.",
            param="temperature",
            code="unsupported_value",
        ),
        ValueError,
        r"refused the parameter 'temperature' for model 'm' \(unsupported_value\); change it or leave it out",
    ),
    "OpenAI, max_tokens": (
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        ValueError,
        r"refused the parameter 'max_tokens' for model 'm' \(unsupported_parameter\)",
    ),
    "a gateway, without a param": (
        400,
        {
            "error": {
                "message": "litellm.UnsupportedParamsError: x does not support parameters: ['temperature']",
                "code": "400",
            }
        },
        ValueError,
        "refused the parameter 'temperature'",
    ),
    "Mistral": (
        422,
        {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_tokens"]}]}},
        ValueError,
        "refused the parameter 'max_tokens'",
    ),
    "OpenRouter, parameters": (
        404,
        {"error": {"message": "No endpoints found that can handle the requested parameters.", "code": 404}},
        ValueError,
        "nobody to answer a request with these parameters",
    ),
    "OpenAI, a bad message": (
        400,
        openai("Invalid type", param="messages[0].content", code="invalid_type"),
        ValueError,
        r"refused a request to model 'm' as bad \(invalid_type, messages\)",
    ),
    "anything else": (400, openai("What?", code="odd"), ValueError, r"refused a request to model 'm' as bad \(odd\)"),
}
# Refused for what the text says.
FLAGGED = {
    "Azure": (
        400,
        {
            "error": {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management "
                "policy. Please modify your prompt and retry.",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
            }
        },
    ),
    "OpenAI": (
        400,
        openai(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="invalid_prompt"
        ),
    ),
    "Alibaba": (
        400,
        openai(
            "Input data may contain inappropriate content.", "data_inspection_failed", None, "data_inspection_failed"
        ),
    ),
    "OpenRouter": (
        403,
        {
            "error": {
                "message": 'm requires moderation on OpenAI. Your input was flagged for "violence".',
                "code": 403,
                "metadata": {"reasons": ["violence"], "flagged_input": "the soup...", "provider_name": "OpenAI"},
            }
        },
    ),
    "xAI": (403, {"code": "forbidden", "error": "Content violates usage guidelines."}),
    "DeepSeek": (400, openai("Content Exists Risk")),
    "Moonshot": (
        400,
        {
            "error": {
                "message": "The request was rejected because it was considered high risk",
                "type": "content_filter",
            }
        },
    ),
    "Zhipu": (
        400,
        {
            "contentFilter": [{"level": 1}],
            "error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"},
        },
    ),
    "OpenRouter, inside a 200": (
        200,
        {"error": {"code": 403, "message": "flagged", "metadata": {"flagged_input": "the soup"}}},
    ),
}


def told(body):
    """Return the same body with the key and a text in its message."""
    body = copy.deepcopy(body)
    inner = body[0] if isinstance(body, list) else body
    if isinstance(inner, str):
        return f"{inner} {KEY} {TEXTS[0]}"
    holder = inner["error"] if isinstance(inner.get("error"), dict) else inner
    holder["message"] = f"{holder.get('message', '')} {KEY} {TEXTS[0]}"
    holder.setdefault("param", TEXTS[0])
    return body


def raw(body):
    return body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize("name", [*ENDS_THE_RUN, *ENDS_THE_RUN_AT_FIRST])
def test_one_sentence_says_why_nothing_is_answered(ask, openai_server, name):
    status, body, kind, message = {**ENDS_THE_RUN, **ENDS_THE_RUN_AT_FIRST}[name]
    for said in (body, told(body)):
        openai_server.requests.clear()
        openai_server.fail = lambda _, n, said=said: (status, raw(said), {})
        with pytest.raises(kind, match=message) as caught:
            ask()
        assert len(openai_server.requests) == (3 if name in ENDS_THE_RUN_AT_FIRST else 1)
        assert KEY not in str(caught.value)
        assert "soup" not in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ENDS_THE_RUN)
def test_it_ends_a_run_that_was_going_well(ask, openai_server, name):
    status, body, kind, message = ENDS_THE_RUN[name]
    openai_server.fail = lambda _, n: (status, raw(body), {}) if n >= 5 else None
    with pytest.raises(kind, match=message):
        ask()
    assert len(openai_server.requests) == 6


@pytest.mark.parametrize("name", ENDS_THE_RUN_AT_FIRST)
@pytest.mark.parametrize("which", [0, 7])
def test_what_only_one_request_meets_costs_only_that(ask, openai_server, name, which):
    status, body, _, _ = ENDS_THE_RUN_AT_FIRST[name]
    openai_server.fail = lambda _, n: (status, raw(body), {}) if n == which else None
    answers = ask()
    assert [i for i, answer in enumerate(answers) if isinstance(answer, Exception)] == [which]


@pytest.mark.parametrize("name", FLAGGED)
@pytest.mark.parametrize("which", [[0], [7], [0, 1, 2, 3, 4]])
def test_a_text_that_is_refused_costs_only_itself(ask, openai_server, name, which):
    status, body = FLAGGED[name]
    openai_server.fail = lambda asked, n: (
        (status, body, {}) if asked["messages"][0]["content"] in [TEXTS[i] for i in which] else None
    )
    answers = ask()
    assert [i for i, answer in enumerate(answers) if isinstance(answer, Exception)] == which
    assert {reason_of(answers[i]) for i in which} == {REFUSED}
    assert len(openai_server.requests) == 20


def test_where_every_text_is_refused_a_hundred_are_enough(ask, openai_server):
    status, body = FLAGGED["Azure"]
    openai_server.fail = lambda _, n: (status, body, {})
    with pytest.raises(ValueError, match=r"refuses what the texts say \(content_filter\)"):
        ask(TEXTS * 10)
    assert len(openai_server.requests) == 100


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),  # OpenAI
        (
            400,
            "the request exceeds the available context size. try increasing it",
            "exceed_context_size_error",
        ),  # llama.cpp
        (413, "Request too large", "request_too_large"),  # Anthropic
    ],
)
def test_a_text_that_is_too_long_costs_only_itself(ask, openai_server, status, message, code):
    openai_server.fail = lambda _, n: (status, openai(message, code=code), {}) if n == 0 else None
    answers = ask()
    assert reason_of(answers[0]) == TOO_LONG
    assert not any(isinstance(answer, Exception) for answer in answers[1:])


def test_no_key_is_said_where_none_was_sent(ask, openai_server):
    openai_server.fail = lambda _, n: (401, openai("You didn't provide an API key."), {})
    with pytest.raises(PermissionError, match=r"wants an API key, and got none .*: .* api_key_env"):
        ask(api_key_env=None)
    openai_server.fail = lambda _, n: (403, openai("No key"), {})
    with pytest.raises(PermissionError, match=r"refuses to answer without an API key .*: .* api_key_env"):
        ask(api_key_env=None)


def test_a_code_that_quotes_is_not_shown(ask, openai_server):
    text = "soup"
    openai_server.fail = lambda _, n: (400, openai("no", code=text, param=text), {})
    with pytest.raises(ValueError, match=r"as bad \(invalid_request_error\)") as caught:
        ask([text])
    assert "soup" not in str(caught.value)
    openai_server.fail = lambda _, n: (400, json.loads(json.dumps(openai("no", kind=KEY, code=KEY))), {})
    with pytest.raises(ValueError, match=r"as bad \(400\)"):
        ask([text])
