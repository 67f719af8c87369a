"""Many requests at once, through the real openai client against a real server."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sklearn_sae.utils.server import Connection, ask_all, check_base_url, resolve_base_url

KEY = "sk-test-0123456789"  # as the fixture sets it


async def chat(client, request):
    reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": request}])
    return reply.choices[0].message.content


def echo(body):
    return body["messages"][0]["content"].upper()


@pytest.fixture
def ask(openai_server):
    openai_server.reply = echo

    def run(requests, **options):
        on_answer = options.pop("on_answer", None)
        options = {"base_url": openai_server.base_url, "max_concurrency": 4, "timeout": 10, "max_retries": 2, **options}
        options.setdefault("api_key_env", "OPENAI_API_KEY" if "OPENAI_API_KEY" in os.environ else None)
        return ask_all(chat, requests, connection=Connection(**options), model="m", on_answer=on_answer)

    return run


REQUESTS = [f"question {i}" for i in range(20)]
ANSWERS = [request.upper() for request in REQUESTS]


@pytest.fixture(autouse=True)
def _threads_of_others():
    """Other packages keep threads of these names too, as Zarr does once an array was opened."""
    _OF_OTHERS.clear()
    _OF_OTHERS.update(threading.enumerate())


_OF_OTHERS = set()


def threads():
    started = set(threading.enumerate()) - _OF_OTHERS
    return [thread for thread in started if "openai" in thread.name or "asyncio" in thread.name]


def test_answers_are_in_order(ask, openai_server):
    openai_server.fail = lambda body, n: time.sleep(0.03) if n % 3 == 0 else None  # some are slower
    assert ask(REQUESTS) == ANSWERS
    assert ask([]) == []


@pytest.mark.parametrize("n", [1, 4, 30])
def test_concurrency_is_obeyed_and_used(ask, openai_server, n):
    all_here = threading.Barrier(min(n, len(REQUESTS)))  # each request is answered when so many are in work

    def wait(body, so_far):
        all_here.wait(60)

    openai_server.fail = wait
    ask(REQUESTS, max_concurrency=n, timeout=90)
    assert openai_server.max_in_flight == min(n, len(REQUESTS))


def test_the_key_is_sent(ask, openai_server):
    ask(REQUESTS[:1])
    assert openai_server.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"


def test_an_answer_is_handed_over_before_its_place_is_given_on(ask, openai_server):
    seen = []
    openai_server.fail = lambda body, n: seen.append(("asked", n))
    ask(REQUESTS, max_concurrency=1, on_answer=lambda i, answer: seen.append(("answered", i)))
    assert seen == [event for i in range(20) for event in (("asked", i), ("answered", i))]


def test_an_error_in_on_answer_stops_everything(ask, openai_server):
    def on_answer(i, answer):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        ask(REQUESTS, on_answer=on_answer)
    assert len(openai_server.requests) <= 8
    assert threads() == []


def test_inside_a_running_loop(ask):
    async def notebook_cell():
        return ask(REQUESTS)

    assert asyncio.run(notebook_cell()) == ANSWERS


def test_from_several_threads(ask):
    results = []
    workers = [threading.Thread(target=lambda: results.append(ask(REQUESTS))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [ANSWERS] * 3


def test_no_thread_and_no_connection_is_left(ask, openai_server):
    ask(REQUESTS)
    assert threads() == []
    deadline = time.monotonic() + 30
    while openai_server._sockets and time.monotonic() < deadline:
        time.sleep(0.01)
    assert openai_server._sockets == set()


# --- failures ----------------------------------------------------------------------------------


def fail_on(text, answer):
    return lambda body, n: answer if body["messages"][0]["content"] == text else None


def error(code=None):
    return {"error": {"message": f"You sent {KEY} and {REQUESTS[7]}", "code": code}}


def test_a_rate_limit_is_obeyed(ask, openai_server):
    arrivals = []

    def fail(body, n):
        arrivals.append(time.monotonic())
        return (429, error("rate_limit_exceeded"), {"Retry-After": "0.3"}) if n == 0 else None

    openai_server.fail = fail
    assert ask(REQUESTS[:1]) == ANSWERS[:1]
    assert arrivals[1] - arrivals[0] >= 0.25


@pytest.mark.parametrize("failure", [(500, error(), {"Retry-After": "0.01"}), "cut"])
def test_one_failure_is_retried(ask, openai_server, failure):
    openai_server.fail = lambda body, n: failure if n == 5 else None
    assert ask(REQUESTS) == ANSWERS
    assert len(openai_server.requests) == 21


def test_a_request_that_fails_for_good_is_its_own_loss(ask, openai_server):
    openai_server.fail = fail_on(REQUESTS[7], (500, error(), {"Retry-After": "0.01"}))
    handed = []
    answers = ask(REQUESTS, on_answer=lambda i, answer: handed.append(i))
    assert isinstance(answers[7], Exception)
    assert answers[:7] + answers[8:] == ANSWERS[:7] + ANSWERS[8:]
    assert sorted(handed) == [i for i in range(20) if i != 7]
    assert len(openai_server.requests) == 22  # 2 retries


def test_one_bad_request_among_good_ones_is_its_own_loss(ask, openai_server):
    openai_server.fail = fail_on(REQUESTS[7], (400, error("content_filter"), {}))
    answers = ask(REQUESTS, max_concurrency=1)
    assert [i for i, answer in enumerate(answers) if isinstance(answer, Exception)] == [7]


@pytest.mark.parametrize(
    ("status", "code", "kind", "message"),
    [
        (401, None, PermissionError, "rejected the API key; check OPENAI_API_KEY"),
        (403, None, PermissionError, "rejected the API key"),
        (404, None, ValueError, "has no model 'm' or no such address"),
        (400, "bad_thing", ValueError, r"refused a request to model 'm' as bad \(bad_thing\)"),
        (429, "insufficient_quota", PermissionError, "no credit left"),
    ],
)
def test_what_is_fatal_stops_everything(ask, openai_server, status, code, kind, message):
    openai_server.fail = lambda body, n: (status, error(code), {"Retry-After": "0.01"})
    with pytest.raises(kind, match=message) as caught:
        ask(REQUESTS)
    assert len(openai_server.requests) <= 12  # not 20 of them
    assert KEY not in str(caught.value)
    assert "question" not in str(caught.value)


def test_a_key_that_is_revoked_midway_stops_everything(ask, openai_server):
    openai_server.fail = lambda body, n: (401, error(), {}) if n >= 10 else None
    with pytest.raises(PermissionError):
        ask(REQUESTS, max_concurrency=1)
    assert len(openai_server.requests) == 11


def test_a_server_that_is_too_slow(ask, openai_server):
    openai_server.latency = 0.5
    with pytest.raises(TimeoutError, match="did not answer in time; raise timeout"):
        ask(REQUESTS[:1], timeout=0.05, max_retries=0)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://no-such-host.invalid/v1", f"http://{'a' * 70}.org"])
def test_a_server_that_is_not_there_is_tried_once(ask, url):
    # With the client's own retries, a thousand of them, this would not end.
    with pytest.raises(ConnectionError, match="cannot be reached; check base_url"):
        ask(REQUESTS, base_url=url, max_retries=1000)
    assert threads() == []


def test_no_key(ask, monkeypatch, openai_server):
    monkeypatch.delenv("OPENAI_API_KEY")
    for url in (None, "https://api.openai.com/v1/"):
        with pytest.raises(ValueError, match="No API key: set the environment variable OPENAI_API_KEY"):
            ask(REQUESTS, base_url=url)
    assert ask(REQUESTS) == ANSWERS  # a server of one's own needs none
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.base_url)
    assert ask(REQUESTS, base_url=None) == ANSWERS


def test_keys_that_cannot_be(ask, monkeypatch, openai_server):
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    ask(REQUESTS[:1])
    assert openai_server.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    for key in ("sk-tést", "sk-a\nb"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(ValueError, match="OPENAI_API_KEY holds characters") as caught:
            ask(REQUESTS)
        assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://host/v1", "http://", "host", "http://host:port/v1", "http://[::1/v1", "http://host:0"],
)
def test_addresses_that_cannot_be(url):
    with pytest.raises(ValueError, match="base_url must look like"):
        check_base_url(url)


def test_addresses_with_a_password(ask, monkeypatch):
    url = "http://me:hunter2@127.0.0.1:9/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    for base_url in (url, None):
        with pytest.raises(ValueError, match="must not hold a user name or password") as caught:
            ask(REQUESTS, base_url=base_url)
        assert "hunter2" not in str(caught.value)


def test_where_requests_go(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert resolve_base_url(None) == "https://api.openai.com/v1"
    assert resolve_base_url("http://host/v1/") == "http://host/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://there/v1")
    assert resolve_base_url(None) == "http://there/v1"
    assert resolve_base_url("http://host/v1") == "http://host/v1"


# --- Ctrl-C ------------------------------------------------------------------------------------

INTERRUPTED = """
import sys, threading
from sklearn_sae.utils.server import Connection, ask_all

async def chat(client, request):
    await client.chat.completions.create(model="m", messages=[{"role": "user", "content": request}])

try:
    connection = Connection(base_url=sys.argv[1], max_concurrency=8, timeout=60, max_retries=2)
    ask_all(chat, ["a"] * 100, connection=connection, model="m",
            on_answer=lambda i, answer: print("answered", flush=True))
except KeyboardInterrupt:
    print([thread.name for thread in threading.enumerate()])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_cancels_what_is_in_flight(openai_server):
    end = threading.Event()

    def fail(body, n):
        if n >= 8:
            end.wait(90)

    openai_server.fail = fail
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, openai_server.base_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    for _ in range(8):
        assert process.stdout.readline() == "answered\n"
    deadline = time.monotonic() + 60
    while len(openai_server.requests) < 16 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    try:
        out, errors = process.communicate(timeout=60)  # the server itself does not answer before
    finally:
        end.set()
    assert out == "['MainThread']\n"
    assert errors == ""
    assert process.returncode == 0
    assert len(openai_server.requests) == 16
