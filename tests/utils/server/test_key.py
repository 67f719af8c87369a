"""Who gets which key."""

import pytest

from sklearn_sae.utils.server import Connection, ask_all, find_key

KEY = "sk-test-0123456789"  # as the fixture sets it


async def chat(client, text):
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return await client.post("/chat/completions", body=body, cast_to=str)


@pytest.fixture
def sent(openai_server):
    """Return the headers of a request."""

    def run(**options):
        options = {"base_url": openai_server.base_url, "timeout": 10, "max_retries": 0, **options}
        ask_all(chat, ["a"], connection=Connection(**options), model="m")
        return openai_server.requests[-1]["headers"]

    return run


def test_a_server_of_ones_own_gets_no_key(sent):
    assert sent()["authorization"] == "Bearer none"


@pytest.mark.parametrize(
    "url", ["https://openrouter.ai/api/v1", "http://10.0.0.7:8000/v1", "https://openai.com.evil.example/v1"]
)
def test_openai_s_key_goes_to_openai_only(openai_server, url):
    assert find_key(url).value == "none"
    assert find_key("https://api.openai.com/v1").value == KEY
    assert find_key("https://eu.api.openai.com/v1").value == KEY


def test_the_server_that_the_environment_names_gets_the_key_beside(openai_server, sent, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{openai_server.base_url}/")
    assert sent(base_url=None)["authorization"] == f"Bearer {KEY}"
    assert sent()["authorization"] == f"Bearer {KEY}"
    assert find_key(openai_server.base_url.replace("127.0.0.1", "localhost")).value == "none"


def test_a_key_by_the_name_of_its_variable(sent, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-1\n")
    assert sent(api_key_env="OPENROUTER_API_KEY")["authorization"] == "Bearer sk-or-1"
    with pytest.raises(ValueError, match="api_key_env names the environment variable NO_SUCH_KEY, which is not set"):
        sent(api_key_env="NO_SUCH_KEY")
    assert "sk-or-1" not in repr(find_key("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"))


def test_headers_in_the_place_of_a_key(sent, openai_server, monkeypatch):
    monkeypatch.setenv("GATEWAY", "api-key: secret-1\nX-Title: reviews")
    openai_server.fail = lambda body, n: (200, {"choices": []}, {})
    root = openai_server.base_url.removesuffix("/v1")
    headers = sent(api_key_env="GATEWAY", base_url=f"{root}/openai/v1")
    assert (headers["api-key"], headers["x-title"]) == ("secret-1", "reviews")
    assert "authorization" not in headers
    assert openai_server.requests[0]["path"] == "/openai/v1/chat/completions"  # as Azure has it
    assert "secret-1" not in repr(find_key(root, "GATEWAY"))


@pytest.mark.parametrize("value", ["api-key: a\nno header", "api-key: é", "a\x00b"])
def test_what_cannot_be_sent(sent, monkeypatch, value):
    monkeypatch.setenv("GATEWAY", value.replace("\x00", "\x01"))
    with pytest.raises(ValueError, match="GATEWAY holds characters that no key has"):
        sent(api_key_env="GATEWAY")


def test_headers_do_not_follow_to_another_server(sent, openai_server, monkeypatch):
    monkeypatch.setenv("GATEWAY", "api-key: secret-1")
    elsewhere = openai_server.base_url.replace("127.0.0.1", "localhost")
    openai_server.fail = lambda body, n: (307, {}, {"location": f"{elsewhere}/chat/completions"}) if n == 0 else None
    with pytest.raises(ValueError, match=r"as bad \(307\)"):
        sent(api_key_env="GATEWAY")
    assert len(openai_server.requests) == 1


def test_openai_s_organization_is_told_to_openai_only(sent, monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    assert not [name for name in sent() if name.startswith("openai-")]
