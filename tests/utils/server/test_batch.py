"""The batch endpoint, through the real client against a real server: nothing is bought twice, nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from sklearn_sae.annotation.llm._fields import reply_text
from sklearn_sae.annotation.llm._prompts import Prompt
from sklearn_sae.annotation.llm._questions import request_body
from sklearn_sae.annotation.llm._replies import parse_annotations
from sklearn_sae.utils.server import Connection, RateLimiter, _batch, ask_all
from sklearn_sae.utils.server._batch import Batches, BatchRequest
from sklearn_sae.utils.store import digest, open_store

SECRET = "a private thing"
N = 12


def key(i):
    return digest("answer", str(i))


def prompt(i):
    return Prompt("Say yes or no.", f"{SECRET} {i}")


def read(reply, n_answers):
    labels = parse_annotations(reply_text(reply), n_answers) or [None] * n_answers
    return [None if label is None else str(label).encode() for label in labels]


def store_with(store, read):
    """Return a function that stores the answers which `read` finds in replies, and counts those without one."""

    def store_replies(replies):
        answers = [pair for keys, reply in replies for pair in zip(keys, read(reply, len(keys)), strict=True)]
        store.put([(key, answer) for key, answer in answers if answer is not None])
        return Counter("unreadable reply" for _, answer in answers if answer is None)

    return store_replies


def buy(
    base_url,
    cache_dir,
    numbers=range(N),
    *,
    api="chat",
    size=1,
    read=read,
    client_retries=3,
    on_progress=None,
    open_store=open_store,
):
    """Buy the answers that are not stored, as an annotator does; return those found, and what failed."""
    _batch._FIRST_WAIT = 0.01
    keys = [key(i) for i in numbers]
    on_progress = on_progress or (lambda n_done: None)

    connection = Connection(base_url=base_url, api=api, timeout=20, max_retries=client_retries)

    async def work(client, _):
        batches = Batches(client, store, store_replies=store_with(store, read), on_progress=on_progress)
        await batches.collect_open(keys)
        stored = store.get(keys)
        missing = [i for i in numbers if key(i) not in stored]
        groups = [missing[start : start + size] for start in range(0, len(missing), size)]
        requests = [
            BatchRequest([key(i) for i in group], request_body(api, prompt(group[0]), model="test-model"))
            for group in groups
        ]
        return await batches.ask(requests, connection.path)

    with open_store(cache_dir, "store") as store:
        (failures,) = ask_all(work, [None], connection=connection, model="test-model", rate_limiter=RateLimiter(1))
        if isinstance(failures, Exception):
            raise failures
        return store.get(keys), failures


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(_batch, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(_batch, "_LONGEST_WAIT", 0.05)
    monkeypatch.setattr(_batch, "_PATIENCE", 30)


@pytest.fixture
def server(openai_server):
    openai_server.reply = lambda body: "yes"
    return openai_server


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "store"


def rows(cache_dir):
    with open_store(cache_dir, "store") as store:
        return dict(store._connection.execute("SELECT key, value FROM store"))


def bought(server):
    """How often each prompt was put to the model."""
    done = [batch for batch in server.batches.values() if batch["status"] != "failed"]
    return Counter(request["body"]["messages"][1]["content"] for batch in done for request in batch["requests"])


def check_all_bought_once(server, cache_dir, **options):
    answers, failures = buy(server.base_url, cache_dir, **options)
    assert answers == {key(i): b"1" for i in range(N)}
    assert failures == Counter()
    assert bought(server) == {prompt(i).user: 1 for i in range(N)}
    assert server.files == {}
    assert rows(cache_dir) == answers  # and nothing of the batches


def submitted(server):
    return [r for r in server.requests if r["path"] == "/v1/batches"]


def fail_at(server, method_and_path, answer, times=1):
    """Answer so to the first requests to a path (which may be a beginning)."""
    left = [times]

    def fail(body, so_far):
        if left[0] and server.requests[-1]["path"].startswith(method_and_path):
            left[0] -= 1
            return answer() if callable(answer) else answer
        return None

    server.fail = fail


def broken(status, code=None):
    return status, {"error": {"message": SECRET, "code": code}}, {"Retry-After": "0.01"}


# --- the plain way ------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_answers_come_from_a_batch(server, cache, api):
    uploads = []
    server.fail = lambda body, n: uploads.append(body["file"]) if "file" in body else None
    server.batch_seconds = 0.1
    progress = []
    answers, failures = buy(server.base_url, cache, api=api, on_progress=progress.append)
    assert answers == {key(i): b"1" for i in range(N)}
    assert failures == Counter()
    assert progress == sorted(progress)
    assert progress[-1] == N
    ((name, content),) = uploads
    assert name.endswith(".jsonl")
    lines = [json.loads(line) for line in content.decode().splitlines()]
    assert [line["body"] for line in lines] == [request_body(api, prompt(i), model="test-model") for i in range(N)]
    assert {(line["method"], line["url"]) for line in lines} == {
        ("POST", f"/v1{Connection(base_url=server.base_url, api=api).path}")
    }
    (batch,) = server.batches.values()
    assert (batch["status"], batch["endpoint"]) == (
        "completed",
        f"/v1{Connection(base_url=server.base_url, api=api).path}",
    )
    assert server.files == {}
    assert rows(cache) == answers


def test_what_is_stored_is_not_asked_for(server, cache):
    buy(server.base_url, cache, range(4))
    check_all_bought_once(server, cache)
    n_requests = len(server.requests)
    check_all_bought_once(server, cache)
    assert len(server.requests) == n_requests


def test_several_answers_in_one_reply(server, cache):
    server.reply = lambda body: '{"1": "yes", "2": "no", "3": "yes"}'
    answers, failures = buy(server.base_url, cache, size=3)
    assert answers == {key(i): b"0" if i % 3 == 1 else b"1" for i in range(N)}
    assert failures == Counter()
    assert bought(server).total() == N / 3


def test_without_a_disk(server):
    answers, failures = buy(server.base_url, None)
    assert len(answers) == N
    assert failures == Counter()


@pytest.mark.parametrize(("limit", "value", "n_batches"), [("_MAX_REQUESTS", 5, 3), ("_MAX_BYTES", 1500, 3)])
def test_more_than_one_batch_may_hold(server, cache, monkeypatch, limit, value, n_batches):
    monkeypatch.setattr(_batch, limit, value)
    server.batch_seconds = 0.1
    check_all_bought_once(server, cache)
    assert len(server.batches) == n_batches


def test_a_text_of_lone_surrogates_and_line_ends(server, cache):
    strange = "a\udcff b\u2028 c\x85 d\r\n e"
    request = BatchRequest([key(0)], request_body("chat", Prompt("Judge.", strange), model="m"))

    connection = Connection(base_url=server.base_url, timeout=20, max_retries=0)

    async def work(client, _):
        return await Batches(client, store, store_replies=store_with(store, read), on_progress=int).ask(
            [request], connection.path
        )

    with open_store(cache, "store") as store:
        assert ask_all(work, [None], connection=connection, model="m") == [Counter()]
    (batch,) = server.batches.values()
    assert batch["requests"][0]["body"]["messages"][1]["content"] == strange


# --- killed and resumed -------------------------------------------------------------------------


def start(server, cache_dir, *, n=N, die_at_reply=0):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, server.base_url, str(cache_dir), str(n), str(die_at_reply)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def main(base_url, cache_dir, n, die_at_reply):
    replies = []

    def read_or_die(reply, n_answers):
        replies.append(reply)
        if len(replies) == int(die_at_reply):
            os.kill(os.getpid(), signal.SIGKILL)
        return read(reply, n_answers)

    _batch._LINES_AT_ONCE = 2
    _batch._FIRST_WAIT = 0.01
    buy(base_url, cache_dir, range(int(n)), read=read_or_die)


def create_and_die(server, die):
    server._respond("POST", "/v1/batches", server.requests[-1]["body"])
    return die()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize(
    "stage",
    ["created", *(pytest.param(s, marks=pytest.mark.slow) for s in ("uploaded", "in progress", "storing", "deleting"))],
)
def test_killed_at(server, cache, stage):
    ready = threading.Event()

    def die():
        ready.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return "cut"

    def upload_and_die():
        server._respond("POST", "/v1/files", server.requests[-1]["body"])
        return die()

    def fail(body, so_far):
        method, path = server.requests[-1]["method"], server.requests[-1]["path"]
        here = {
            "uploaded": ("POST", "/v1/files", upload_and_die),
            "created": ("POST", "/v1/batches", lambda: create_and_die(server, die)),
            "in progress": ("GET", "/v1/batches/", die),
            "deleting": ("DELETE", "/v1/files/", die),
        }.get(stage)
        return here[2]() if here and method == here[0] and path.startswith(here[1]) else None

    server.fail = fail
    process = start(server, cache, die_at_reply=8 if stage == "storing" else 0)
    ready.set()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert len(server.batches) == (stage != "uploaded")
    left = rows(cache)
    assert not any(SECRET.encode() in row for item in left.items() for row in item)
    assert len(left) > N  # it did leave its notes
    server.fail = None
    check_all_bought_once(server, cache)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_killed_again_and_again(server, cache):
    server.batch_seconds = 1.0
    server.latency = 0.02
    for seconds in (0.05, 0.2):
        n_requests = len(server.requests)
        process = start(server, cache)
        while process.poll() is None and len(server.requests) == n_requests:
            time.sleep(0.001)
        time.sleep(seconds)
        process.kill()
        process.communicate(timeout=60)
    check_all_bought_once(server, cache)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process")
def test_ctrl_c_leaves_the_batch_running(server, cache):
    server.batch_seconds = 1e6
    process = start(server, cache)
    while sum("/v1/batches/" in r["path"] for r in server.requests) < 3:
        time.sleep(0.01)
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in errors
    assert SECRET not in errors
    (batch,) = server.batches.values()
    assert batch["status"] == "in_progress"
    server.batch_seconds = 0.0
    check_all_bought_once(server, cache)


class Stop(Exception):
    """Ends a run when its batches are on their way."""


def leave_open(server, cache_dir, numbers=range(N)):
    """Submit batches and go away while they are in work."""

    def stop(n_done):
        raise Stop

    server.batch_seconds = 1e6
    with pytest.raises(Stop):
        buy(server.base_url, cache_dir, numbers, on_progress=stop)
    server.batch_seconds = 0.0


def test_one_of_its_answers_brings_in_the_whole_batch(server, cache):
    leave_open(server, cache)
    done = []
    answers, _ = buy(server.base_url, cache, [3, 100], on_progress=done.append)
    assert set(answers) == {key(3), key(100)}
    assert done[0] == 1  # the batch is one answer of the two wanted
    assert len(rows(cache)) == N + 1
    assert bought(server).total() == N + 1


def test_several_open_batches(server, cache, monkeypatch):
    monkeypatch.setattr(_batch, "_MAX_REQUESTS", 5)
    leave_open(server, cache, range(4))
    leave_open(server, cache, range(20, 32))
    assert len(server.batches) == 4
    answers, _ = buy(server.base_url, cache, [*range(4), *range(20, 32)])
    assert len(answers) == 16
    assert len(server.batches) == 4


def test_created_only_after_it_was_looked_for(server, cache):
    """The kill left a request on its way, which reaches the server late."""
    fail_at(server, "/v1/batches", "cut")
    with pytest.raises(Exception, match=r"(?i)connection|reached"):
        buy(server.base_url, cache, client_retries=0)
    (late,) = submitted(server)

    def look_and_create():
        answer = server._respond("GET", "/v1/batches", {})
        server._respond("POST", "/v1/batches", late["body"])
        return answer

    fail_at(server, "/v1/batches", look_and_create)
    check_all_bought_once(server, cache)
    assert [batch["status"] for batch in server.batches.values()] == ["failed", "completed"]


def test_a_lost_id_is_found_on_a_late_page(server, cache):
    fail_at(server, "/v1/batches", lambda: create_and_die(server, lambda: broken(400, "anything")))
    with open_store(cache, "store") as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(store), "drop", lambda self, keys: None)  # as if killed
        with pytest.raises(ValueError, match="anything"):
            buy(server.base_url, cache)
    server.fail = None
    for _ in range(230):
        others = {"input_file_id": "other", "endpoint": "/v1/responses", "completion_window": "24h"}
        server._create_batch({**others, "metadata": {"purpose": "other"} if _ % 2 else None})
    mine = next(iter(server.batches.values()))
    mine["input_file_id"] = server._write("x.jsonl", _jsonl(range(N)), "batch")["id"]
    answers, _ = buy(server.base_url, cache)
    assert len(answers) == N
    assert len(server.batches) == 231


def _jsonl(numbers):
    bodies = [request_body("chat", prompt(i), model="test-model") for i in numbers]
    lines = [
        json.dumps({"custom_id": str(i), "method": "POST", "url": "/v1/chat/completions", "body": body})
        for i, body in enumerate(bodies)
    ]
    return "\n".join(lines).encode()


# --- not all is answered ------------------------------------------------------------------------


def test_requests_that_fail(server, cache):
    server.batch_fail = lambda body, i: {1: 429, 2: 500, 3: 500, 4: 400}.get(i)
    server.reply = lambda body: "hm" if body["messages"][1]["content"].endswith(" 7") else "yes"
    answers, failures = buy(server.base_url, cache)
    assert len(answers) == N - 5
    assert failures == {"HTTP 429": 1, "HTTP 500": 2, "HTTP 400": 1, "unreadable reply": 1}
    assert rows(cache) == answers
    assert server.files == {}
    server.batch_fail, server.reply = None, lambda body: "yes"
    assert len(buy(server.base_url, cache)[0]) == N
    assert bought(server).total() == N + 5  # only what was missing is asked for again


def test_all_requests_fail(server, cache):
    server.batch_fail = lambda body, i: 400
    assert buy(server.base_url, cache, size=3) == ({}, {"HTTP 400": N})


def test_expired_halfway(server, cache):
    server.batch_expire = True
    answers, failures = buy(server.base_url, cache)
    assert len(answers) == N / 2
    assert failures == {"expired": N / 2}
    server.batch_expire = False
    assert len(buy(server.base_url, cache)[0]) == N
    assert sorted(bought(server).values()) == [1] * (N // 2) + [2] * (N // 2)


def test_cancelled_by_somebody(server, cache):
    leave_open(server, cache)
    (name,) = server.batches
    server.batch_seconds = 1e6
    server._batches("POST", [name, "cancel"], {}, {})
    server.batch_seconds = 0.0
    answers, failures = buy(server.base_url, cache)  # collects the half, and asks for the rest
    assert len(answers) == N
    assert failures == Counter()
    assert bought(server).total() == N + N / 2


def test_the_replies_are_gone(server, cache):
    leave_open(server, cache)
    fail_at(server, "/v1/files/", broken(404))
    assert len(buy(server.base_url, cache)[0]) == N
    assert bought(server).total() == 2 * N


def test_the_batch_is_gone(server, cache):
    leave_open(server, cache)
    server.batches.clear()
    answers, _ = buy(server.base_url, cache)
    assert len(answers) == N
    assert rows(cache) == answers


def test_lines_that_no_one_can_read(server, cache):
    junk = b'not json\n[1]\n{"custom_id": {}}\n{"custom_id": "99", "response": {"status_code": 200}}\n'
    rest = [
        {"custom_id": "0", "response": None, "error": {"code": f"see {SECRET}"}},
        {"custom_id": "1", "response": "?", "error": None},
        {"custom_id": "2", "response": {"status_code": 200, "body": None}, "error": None},
        {"custom_id": "3", "response": None, "error": {"code": "request_timeout"}},
    ]
    server.batch_seconds = 0.0
    content = junk + "\n".join(map(json.dumps, rest)).encode()
    fail_at(server, "/v1/files/", (200, content, {}))
    answers, failures = buy(server.base_url, cache, range(6))
    assert answers == {}
    assert failures == {"no reply": 4, "unreadable reply": 1, "request_timeout": 1}


# --- refused ------------------------------------------------------------------------------------


def test_a_batch_that_fails_validation(server, cache):
    server.batch_refuse = lambda batch, others: "model_not_found"
    with pytest.raises(ValueError, match="model_not_found") as caught:
        buy(server.base_url, cache)
    assert SECRET not in str(caught.value)
    assert server.files == {}
    assert rows(cache) == {}
    server.batch_refuse = None
    check_all_bought_once(server, cache)


def test_an_earlier_batch_that_failed_validation_is_asked_anew(server, cache):
    leave_open(server, cache)
    for batch in server.batches.values():
        batch["status"] = "failed"
    check_all_bought_once(server, cache)


@pytest.mark.parametrize("limit", [1, 2, 5, 11])
def test_a_limit_of_tokens_on_the_way(server, cache, monkeypatch, limit):
    monkeypatch.setattr(_batch, "_MAX_REQUESTS", 7)
    in_work = []

    def refuse(batch, others):
        in_work.append(sum(len(b["requests"]) for b in [batch, *others]))
        if in_work[-1] <= limit:
            return None
        server.batch_seconds = 0.05
        return "token_limit_exceeded"

    server.batch_refuse = refuse
    server.batch_seconds = 1e6  # until the limit was met
    check_all_bought_once(server, cache)
    assert max(in_work) > limit


def test_a_limit_that_others_use_up(server, cache):
    server.batch_refuse = lambda batch, others: "token_limit_exceeded"
    with pytest.raises(ValueError, match="run again when those have ended"):
        buy(server.base_url, cache)
    assert server.files == {}
    assert rows(cache) == {}


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("room", ["/v1/files", "/v1/batches"])
def test_a_server_without_batches(server, cache, status, room):
    fail_at(server, room, broken(status), times=10**9)
    with pytest.raises(ValueError, match="batch=True needs a server with a batch endpoint"):
        buy(server.base_url, cache)
    assert rows(cache) == {}


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (broken(401), PermissionError),
        (broken(429, "insufficient_quota"), PermissionError),
        (broken(400, "invalid_value"), ValueError),
    ],
)
def test_refused_at_the_door(server, cache, failure, kind):
    fail_at(server, "/v1/batches", failure, times=10**9)
    with pytest.raises(kind) as caught:
        buy(server.base_url, cache)
    assert SECRET not in str(caught.value)
    assert len(submitted(server)) == 1
    server.fail = None
    check_all_bought_once(server, cache)


# --- a bad line to the server -------------------------------------------------------------------


@pytest.mark.parametrize("failure", [broken(500), broken(503), broken(429), "cut"])
@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches/", "/v1/files/"])
def test_the_server_is_away_for_a_while(server, cache, path, failure):
    fail_at(server, path, failure, times=1 if path == "/v1/files" else 5)  # 5: more than the client repeats by itself
    check_all_bought_once(server, cache, client_retries=1)


@pytest.mark.parametrize("failure", [broken(500), broken(429), "cut"])
def test_a_batch_is_created_once(server, cache, failure):
    fail_at(server, "/v1/batches", failure)
    check_all_bought_once(server, cache)
    assert len(server.batches) == 1


@pytest.mark.parametrize("failure", [broken(500), "cut"])
def test_the_answer_to_create_is_lost(server, cache, failure):
    fail_at(server, "/v1/batches", lambda: create_and_die(server, lambda: failure))
    check_all_bought_once(server, cache)
    assert len(server.batches) == 1


def test_the_server_goes_away_while_a_batch_is_created(server, cache):
    away = []

    def fail(body, so_far):
        if server.requests[-1]["path"].startswith("/v1/batches"):
            if not away:
                create_and_die(server, lambda: None)
            away.append(1)
            return broken(500)
        return None

    server.fail = fail
    with pytest.raises(Exception, match="500"):
        buy(server.base_url, cache, client_retries=1)
    server.fail = None
    check_all_bought_once(server, cache)
    assert len(server.batches) == 1


def test_the_server_stays_away(server, cache, monkeypatch):
    monkeypatch.setattr(_batch, "_PATIENCE", 0)
    leave_open(server, cache)
    server.fail = lambda body, n: broken(503)
    with pytest.raises(Exception, match="503"):
        buy(server.base_url, cache, client_retries=0)
    server.fail = None
    check_all_bought_once(server, cache)


def test_a_rejected_key_loses_nothing(server, cache):
    leave_open(server, cache)
    server.fail = lambda body, n: broken(401)
    with pytest.raises(PermissionError):
        buy(server.base_url, cache)
    server.fail = None
    check_all_bought_once(server, cache)


# --- a bad disk ---------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_replies_with_the_provider(server, cache):
    leave_open(server, cache)

    def read_while_the_disk_fills(reply, n_answers):
        full_disk["store"]._connection.execute("PRAGMA query_only = ON")
        return read(reply, n_answers)

    full_disk = {}

    @contextmanager
    def open_and_show(*args):
        with open_store(*args) as full_disk["store"]:
            yield full_disk["store"]

    with pytest.warns(RuntimeWarning, match="Cannot write"):
        answers, _ = buy(server.base_url, cache, read=read_while_the_disk_fills, open_store=open_and_show)
    assert len(answers) == N
    assert [file["purpose"] for file in server.files.values()] == ["batch_output"]
    assert len(buy(server.base_url, cache)[0]) == N
    assert bought(server).total() == N
    assert server.files == {}


def test_a_store_that_lost_its_notes(server, cache):
    leave_open(server, cache)
    with open_store(cache, "store") as store:
        store.drop(rows(cache).keys() & {k for k, v in rows(cache).items() if v.startswith(b"[")})
    answers, _ = buy(server.base_url, cache)
    assert len(answers) == N
    assert rows(cache) == answers


if __name__ == "__main__":
    main(*sys.argv[1:])
