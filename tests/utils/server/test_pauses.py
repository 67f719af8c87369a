"""Pauses that a server asks for."""

import _thread
import threading
import time
from email.utils import formatdate

import pytest

from sklearn_sae.utils._notes import Note
from sklearn_sae.utils.server import Connection, ask_all


async def chat(client, text):
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return await client.post("/chat/completions", body=body, cast_to=str)


@pytest.fixture
def ask(openai_server):
    def run(n=1, **options):
        connection = Connection(base_url=openai_server.base_url, timeout=10, max_retries=1)
        return ask_all(chat, ["a"] * n, connection=connection, model="m", **options)

    return run


def pause(n_requests, value, status=429):
    return lambda body, n: (
        (status, {"error": {"message": "later"}}, {"Retry-After": value()}) if n < n_requests else None
    )


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_date_is_waited_for(ask, openai_server, status):
    openai_server.fail = pause(1, lambda: formatdate(time.time() + 2, usegmt=True), status)
    start = time.monotonic()
    (answer,) = ask()
    assert isinstance(answer, str)
    assert 0.9 < time.monotonic() - start < 4  # a date has no fractions of a second
    assert len(openai_server.requests) == 2


@pytest.mark.parametrize("value", ["soon", "-5", "nan", formatdate(0, usegmt=True), "Thu, 99 Foo"])
def test_what_is_no_pause_is_the_client_s_to_wait_for(ask, openai_server, value):
    openai_server.fail = pause(1, lambda: value)
    assert isinstance(ask()[0], str)


def interrupt_after(seconds):
    threading.Timer(seconds, _thread.interrupt_main).start()


def test_minutes_are_waited_for_with_a_note_and_ctrl_c_ends_them(ask, openai_server):
    openai_server.fail = pause(1000, lambda: "300")
    interrupt_after(1.5)
    start = time.monotonic()
    message = r"asks for a pause of 5 minutes \(Retry-After\). The run goes on by itself at \d\d:\d\d; Ctrl-C ends it"
    with pytest.warns(Note, match=message) as caught, pytest.raises(KeyboardInterrupt):
        ask(50)
    assert len(caught) == 1
    assert time.monotonic() - start < 5
    assert len(openai_server.requests) <= 8


def test_a_countdown_is_shown(ask, openai_server, capsys):
    openai_server.fail = pause(1, lambda: "130")
    interrupt_after(3.5)
    with pytest.raises(KeyboardInterrupt):
        ask(verbose=True)
    shown = capsys.readouterr().err
    assert "pause that the server asks for" in shown
    assert "| 2/1" in shown  # seconds of 130, or of 129
    assert len(openai_server.requests) == 1


def test_a_pause_of_hours_ends_the_run_and_says_so(ask, openai_server):
    openai_server.fail = lambda body, n: (429, {}, {"Retry-After": "7200"}) if n == 3 else None
    with pytest.raises(TimeoutError, match=r"asks for a pause of 2.0 hours; run again after it"):
        ask(50)
    assert len(openai_server.requests) < 30
