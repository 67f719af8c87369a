"""The way to a server: proxies of the environment, certificates, addresses with a query."""

import http.server
import shutil
import ssl
import subprocess
import threading
import time

import pytest

from sklearn_sae.utils.server import Connection, ask_all, check_base_url, check_server
from sklearn_sae.utils.server._key import is_this_machine

DEAD = "http://me:hunter2@127.0.0.1:9"


async def chat(client, text):
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return await client.post("/chat/completions", body=body, cast_to=str)


def ask(base_url, **options):
    options = {"timeout": 10, "max_retries": 5, **options}
    return ask_all(chat, ["a"], connection=Connection(base_url=base_url, **options), model="m")


@pytest.fixture
def environment(monkeypatch):
    """Set proxies as one would; none is left from the machine's own environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch.setenv


@pytest.mark.parametrize("proxy", [DEAD, "socks5://127.0.0.1:9", "ftp://nonsense"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_no_proxy_stands_before_this_machine(openai_server, environment, proxy, host):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environment(name, proxy)
    assert len(ask(openai_server.base_url.replace("127.0.0.1", host))) == 1
    check_server(Connection(base_url=openai_server.base_url.replace("127.0.0.1", host)))


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("[::1]", True),
        ("localhost", True),
        ("vllm.localhost", True),
        ("192.168.1.5", False),
        ("localhost.example.org", False),
        ("api.openai.com", False),
    ],
)
def test_what_is_on_this_machine(host, is_here):
    assert is_this_machine(f"http://{host}:8000/v1") == is_here


def test_a_server_elsewhere_is_reached_through_the_proxy(openai_server, environment):
    environment("HTTP_PROXY", openai_server.base_url.removesuffix("/v1"))
    openai_server.fail = lambda body, n: (200, {"choices": []}, {})
    assert ask("http://llm.example/v1") == ['{"choices": []}']
    assert openai_server.requests[0]["path"] == "http://llm.example/v1/chat/completions"


@pytest.mark.parametrize("run", [ask, lambda url: check_server(Connection(base_url=url))])
def test_a_proxy_that_is_not_there_is_named(environment, run):
    environment("HTTP_PROXY", DEAD)
    start = time.monotonic()
    with pytest.raises(
        ConnectionError, match=r"through the proxy http://127\.0\.0\.1:9, which the environment"
    ) as caught:
        run("http://llm.example/v1")
    assert "hunter2" not in str(caught.value)
    assert time.monotonic() - start < 3


def test_no_proxy_says_for_whom_there_is_none(environment):
    environment("HTTP_PROXY", DEAD)
    environment("NO_PROXY", "no-such-host.invalid")
    with pytest.raises(ConnectionError, match="cannot be reached; check base_url"):
        ask("http://no-such-host.invalid/v1")


def test_a_socks_proxy_without_its_package(openai_server, environment):
    pytest.importorskip("openai")
    try:
        import socksio  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("socksio is installed")
    port = openai_server.base_url.removesuffix("/v1").rpartition(":")[2]
    environment("ALL_PROXY", f"socks5://me:hunter2@127.0.0.1:{port}")
    message = rf"SOCKS proxy socks5://127\.0\.0\.1:{port}, which needs another package: pip install socksio"
    with pytest.raises(ImportError, match=message) as caught:
        ask("http://llm.example/v1")
    assert "hunter2" not in str(caught.value)


# --- certificates --------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path):
    """A certificate that its own key signed, for this machine."""
    if shutil.which("openssl") is None:
        pytest.skip("this test makes a certificate with the program openssl, which is not installed")
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test"]
    subprocess.run(
        ["openssl", "req", "-x509", *options, "-addext", names, "-keyout", str(key), "-out", str(file)],
        check=True,
        capture_output=True,
    )
    return key, file


@pytest.fixture
def tls_url(openai_server, certificate):
    """The address of a server that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate[1], certificate[0])
    openai_server._server.socket = context.wrap_socket(openai_server._server.socket, server_side=True)
    return openai_server.base_url.replace("http:", "https:")


def test_a_certificate_that_is_not_trusted(openai_server, tls_url, certificate, environment):
    start = time.monotonic()
    with pytest.raises(
        ConnectionError, match=r"certificate of 127\.0\.0\.1 is not trusted \(self.signed.*SSL_CERT_FILE"
    ):
        ask(tls_url)
    assert time.monotonic() - start < 3  # it is not tried again
    assert openai_server.requests == []
    environment("SSL_CERT_FILE", str(certificate[1]))
    assert len(ask(tls_url)) == 1


def test_a_server_that_speaks_no_tls(environment):
    environment("OPENAI_API_KEY", "sk-1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(ConnectionError, match=r"127\.0\.0\.1 does not speak TLS; base_url must begin with http://"):
            ask(f"https://127.0.0.1:{server.server_port}/v1")
        server.shutdown()


# --- addresses -----------------------------------------------------------------------------------------


def test_a_query_is_sent_with_each_request(openai_server):
    ask(f"{openai_server.base_url}/?api-version=2024-10-21&a=")
    assert openai_server.requests[0]["path"] == "/v1/chat/completions?api-version=2024-10-21&a="


def test_a_query_is_not_in_messages(openai_server):
    openai_server.fail = lambda body, n: (404, {}, {})
    with pytest.raises(ValueError, match="no such address") as caught:
        ask(f"{openai_server.base_url}?api-version=2024-10-21")
    assert "2024" not in str(caught.value)


@pytest.mark.parametrize(
    "query", ["?key=hunter2", "?code=hunter2&a=1", "?subscription-key=hunter2", "?sig=hunter2", "#hunter2"]
)
def test_a_key_in_the_address_is_refused(query):
    with pytest.raises(ValueError, match=r"must not hold a key.* api_key_env") as caught:
        check_base_url(f"https://llm.example/v1{query}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("end", ["/chat/completions", "/responses/", "/embeddings"])
def test_the_whole_address_of_a_request_is_refused(end):
    with pytest.raises(ValueError, match=f"base_url must end before {end.rstrip('/')}"):
        check_base_url(f"https://llm.example/v1{end}")
