"""The pace of requests, through the real openai client against a real server."""

import json
import threading
import time

import numpy as np
import pytest

from sklearn_sae.utils.server import Connection, RateLimiter, ask_all

TOO_MANY = (429, {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, {"Retry-After": "0.02"})


async def chat(client, request):
    reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": request}])
    return reply.choices[0].message.content


@pytest.fixture
def ask(openai_server):
    openai_server.reply = lambda body: "yes"

    def run(rate_limiter, n, *, max_retries=20, timeout=20):
        requests = [f"question {i}" for i in range(n)]
        connection = Connection(base_url=openai_server.base_url, timeout=timeout, max_retries=max_retries)
        return ask_all(chat, requests, connection=connection, model="m", rate_limiter=rate_limiter)

    return run


def test_a_crowded_server_is_served_at_its_own_pace(ask, openai_server):
    in_work, lock = [0], threading.Lock()
    refused, limits = [], []
    limiter = RateLimiter(32)

    def fail(body, n):
        with lock:
            limits.append(limiter.limit)
            if in_work[0] >= 4:
                refused.append(n)
                return TOO_MANY
            in_work[0] += 1
        time.sleep(0.03)
        with lock:
            in_work[0] -= 1
        return None

    openai_server.fail = fail
    # On a machine that has other things to do, the same request can be refused many times: who comes first is luck.
    assert ask(limiter, 300, max_retries=100) == ["yes"] * 300
    assert min(limits) <= 8
    assert limiter.n_repeats == len(openai_server.requests) - 300 == len(refused)
    late = [n for n in refused if n >= len(openai_server.requests) // 2]
    assert len(late) < len(openai_server.requests) / 4  # it has learned what the server takes


def test_it_recovers_by_itself(ask, openai_server):
    openai_server.fail = lambda body, n: TOO_MANY if n < 24 else None
    limiter = RateLimiter(8)
    assert ask(limiter, 200) == ["yes"] * 200
    assert limiter.limit == 8


def test_one_wave_of_refusals_halves_once(ask, openai_server):
    all_here = threading.Barrier(16)

    def fail(body, n):
        if n < 16:
            all_here.wait(30)
            return TOO_MANY
        return None

    openai_server.fail = fail
    limiter = RateLimiter(16)
    ask(limiter, 16)
    assert 8 <= limiter.limit < 11  # 8, and what 16 good answers added


def test_a_server_that_does_one_thing_at_a_time(ask, openai_server):
    one = threading.Lock()

    def fail(body, n):
        with one:
            time.sleep(0.02)

    openai_server.fail = fail
    limiter = RateLimiter(16)
    assert ask(limiter, 100, max_retries=5, timeout=0.2) == ["yes"] * 100
    assert limiter.limit < 16


def test_a_retry_after_holds_back_all(ask, openai_server):
    arrivals = []

    def fail(body, n):
        arrivals.append(time.monotonic())
        return (*TOO_MANY[:2], {"Retry-After": "0.5"}) if n == 3 else None

    openai_server.fail = fail
    ask(RateLimiter(1), 3)
    ask(RateLimiter(2), 20)
    pauses = np.diff(arrivals)
    assert max(pauses) >= 0.4


def test_requests_per_minute(ask, openai_server):
    arrivals = []
    openai_server.fail = lambda body, n: arrivals.append(time.monotonic())
    ask(RateLimiter(8, requests_per_minute=60 * 40), 20)
    assert arrivals[-1] - arrivals[0] >= 19 / 40 * 0.95


def test_repeated_requests_count_too(ask, openai_server):
    arrivals = []

    def fail(body, n):
        arrivals.append(time.monotonic())
        return TOO_MANY if n < 10 else None

    openai_server.fail = fail
    ask(RateLimiter(8, requests_per_minute=60 * 40), 10)
    assert arrivals[-1] - arrivals[0] >= (len(arrivals) - 1) / 40 * 0.9


def test_the_pace_is_kept_after_a_pause(ask, openai_server):
    arrivals = []

    def fail(body, n):
        arrivals.append(time.monotonic())
        return (*TOO_MANY[:2], {"Retry-After": "0.5"}) if n == 3 else None

    openai_server.fail = fail
    ask(RateLimiter(8, requests_per_minute=60 * 20), 15)
    assert np.diff(arrivals)[4:].min() > 0.5 / 20  # without the pace, all that waited would arrive at once


def test_a_rate_limiter_serves_one_run_after_another(ask):
    limiter = RateLimiter(4, requests_per_minute=60 * 100)
    for _ in range(3):
        assert ask(limiter, 10) == ["yes"] * 10


def test_runs_in_two_threads_keep_one_pace(ask, openai_server):
    arrivals = []
    openai_server.fail = lambda body, n: arrivals.append(time.monotonic())
    limiter = RateLimiter(4, requests_per_minute=60 * 40)
    results = []
    threads = [threading.Thread(target=lambda: results.append(ask(limiter, 10))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [["yes"] * 10] * 2
    assert max(arrivals) - min(arrivals) >= 19 / 40 * 0.9


def test_what_was_learned_is_shared_by_all_who_ask_alike(ask, openai_server):
    openai_server.fail = lambda body, n: TOO_MANY if n < 3 else None
    limits = {"base_url": openai_server.base_url, "max_concurrency": 8}
    limiter = Connection(**limits).rate_limiter()
    ask(limiter, 2)
    assert limiter.limit < 8
    assert limiter.n_repeats == 3
    assert Connection(**limits, timeout=7).rate_limiter() is limiter
    assert Connection(**limits, requests_per_minute=60).rate_limiter() is not limiter


def test_an_error_inside_a_good_status_is_tried_again(ask, openai_server):
    openai_server.fail = lambda body, n: (200, {"error": {"code": 429, "message": "later"}}, {}) if n < 5 else None
    assert ask(RateLimiter(2), 10) == ["yes"] * 10
    assert len(openai_server.requests) == 15


@pytest.mark.parametrize("max_concurrency", [1, 4])
def test_requests_that_always_fail_do_not_cost_the_others(ask, openai_server, max_concurrency):
    poison = ("question 0", "question 1", "question 5")
    failure = (500, {}, {"Retry-After": "0.01"})
    openai_server.fail = lambda body, n: failure if body["messages"][0]["content"] in poison else None
    answers = ask(RateLimiter(max_concurrency), 30, max_retries=1)
    assert sum(answer == "yes" for answer in answers) == 27


def test_a_forbidden_text_is_its_own_loss(ask, openai_server):
    flagged = {"error": {"code": 403, "message": "flagged", "metadata": {"flagged_input": "..."}}}
    openai_server.fail = lambda body, n: (403, flagged, {}) if body["messages"][0]["content"] == "question 0" else None
    answers = ask(RateLimiter(1), 10)
    assert answers[1:] == ["yes"] * 9


def test_tokens_per_minute(ask, openai_server):
    arrivals = []
    openai_server.fail = lambda body, n: arrivals.append(time.monotonic())
    limiter = RateLimiter(8, tokens_per_minute=60 * 400)
    ask(limiter, 10)
    n_bytes = len(json.dumps(openai_server.requests[0]["body"], separators=(",", ":")))
    assert arrivals[-1] - arrivals[0] >= 9 * n_bytes / 4 / 400 * 0.95
    limiter.count_tokens(200)
    start = time.monotonic()
    ask(limiter, 1)
    assert time.monotonic() - start >= 0.45


def test_no_credit_is_not_waited_for(ask, openai_server):
    error = {"error": {"message": "no money", "type": "insufficient_quota", "code": "insufficient_quota"}}
    openai_server.fail = lambda body, n: (429, error, {})
    with pytest.raises(PermissionError, match="no credit left"):
        ask(RateLimiter(1), 10)
    assert len(openai_server.requests) == 1


def test_a_server_that_goes_down_is_given_up(ask, openai_server):
    openai_server.fail = lambda body, n: (500, {}, {"Retry-After": "0.01"}) if n >= 10 else None
    answers = ask(RateLimiter(4), 100, max_retries=1)
    assert answers[:8] == ["yes"] * 8
    assert sum(answer == "yes" for answer in answers) == 10
    assert all(isinstance(answer, Exception) for answer in answers if answer != "yes")
    assert len(openai_server.requests) <= 10 + 2 * (10 + 4)
