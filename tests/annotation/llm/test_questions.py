import asyncio
import http.server
import io
import itertools
import json
import random
import re
import sys
import threading
import time
import warnings
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest

from sklearn_sae import LLMHypothesisAnnotator
from sklearn_sae.annotation.llm._asking import connection_of, interpret, missing_in_words
from sklearn_sae.annotation.llm._cost import count_annotations, count_interpretations
from sklearn_sae.annotation.llm._prompts import interpretation_prompt
from sklearn_sae.annotation.llm._tokens import count_tokens

TEXTS = [f"Meal number {i}: the soup was {'cold' if i % 3 else 'hot'}." for i in range(6)]
CONCEPTS = ["says the soup was cold", "mentions a number below three", "mentions a meal", "is in French"]
PAIRS = [(text, concept) for text in TEXTS for concept in CONCEPTS]
NO_SCHEMA = (400, {"error": {"message": "response_format is not supported", "code": "unsupported"}}, {})


def truth(text, concept):
    number = int(re.search(r"\d+", text).group())
    return {CONCEPTS[0]: "cold" in text, CONCEPTS[1]: number < 3, CONCEPTS[2]: True, CONCEPTS[3]: False}[concept]


NAN = float("nan")
EXPECTED = np.array([float(truth(*pair)) for pair in PAIRS])


def said(body):
    """Return (system, user) of a request."""
    if "messages" in body:
        return tuple(message["content"] for message in body["messages"])
    return body["instructions"], body["input"]


def asked(body):
    """Return the text and the concepts of an annotation request."""
    user = said(body)[1]
    text = re.search(r"<(text-\w+)>\n(.*?)\n</\1>", user, re.DOTALL).group(2)
    quoted = r'"(?:[^"\\]|\\.)*"$|(?<=text )"[^\n]*"$|(?<=text )"[^\n]*"(?=\?)'
    return text, [json.loads(found) for found in re.findall(quoted, user, re.MULTILINE)]


def answer(body):
    """Answer as an honest model would."""
    text, concepts = asked(body)
    answers = ["yes" if truth(text, concept) else "no" for concept in concepts]
    return answers[0] if len(answers) == 1 else json.dumps({str(i): a for i, a in enumerate(answers, 1)})


@pytest.fixture
def server(openai_server):
    openai_server.reply = answer
    return openai_server


class Client:
    """An annotator that is given prompts, or pairs of a text and a concept in any order."""

    def __init__(self, **parameters):
        self.annotator = LLMHypothesisAnnotator(hypotheses=CONCEPTS, **parameters)

    @property
    def usage(self):
        return self.annotator.usage_

    def interpret(self, prompts, *, model, n_candidates, params=None):
        self.annotator.set_params(interpreter=model, n_candidates=n_candidates, interpreter_params=params)
        questions, missing = interpret(self.annotator, [[prompt] * n_candidates for prompt in prompts])
        failures = missing_in_words(self.annotator, missing, questions)
        return [[one.phrase for one in some if one is not None] for some in questions.candidates()], failures

    def annotate(self, texts, concepts, mask=None, *, model, max_words=None, params=None, **parameters):
        self.annotator.set_params(annotator=model, max_words=max_words, annotator_params=params, **parameters)
        self.annotator._check_parameters()
        return self.annotator._annotate(self.annotator._shorten(texts), concepts, mask)

    def annotate_pairs(self, pairs, **options):
        texts, concepts = (list(dict.fromkeys(some)) for some in zip(*pairs, strict=True))
        places = tuple(np.transpose([(texts.index(text), concepts.index(concept)) for text, concept in pairs]))
        mask = np.zeros((len(texts), len(concepts)), dtype=bool)
        mask[places] = True
        annotations = self.annotate(texts, concepts, mask, **options)
        assert np.isnan(annotations[~mask]).all()
        return annotations[places]


@pytest.fixture
def client(server):
    def make(**changes):
        defaults = {"base_url": server.base_url, "max_concurrency": 4, "timeout": 300, "max_retries": 2}
        return Client(**{**defaults, **changes})

    return make


def pairs_asked(server):
    counts = Counter()
    for request in server.requests:
        text, concepts = asked(request["body"])
        counts.update((text, concept) for concept in concepts)
    return counts


# The two protocols


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("concepts_per_call", [1, 3, 4])
def test_annotations(client, server, api, concepts_per_call):
    ours = client(api=api)
    annotations = ours.annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
    np.testing.assert_array_equal(annotations, EXPECTED)
    n_requests = len(TEXTS) * -(-len(CONCEPTS) // concepts_per_call)
    assert len(server.requests) == ours.usage["requests"] == n_requests
    assert server.max_in_flight <= 4
    assert ours.usage["prompt_tokens"] > n_requests
    assert ours.usage["completion_tokens"] > 0
    path = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}[api]
    for request in server.requests:
        assert request["path"] == path
        assert "temperature" not in request["body"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_interpretations(client, server, api):
    server.reply = lambda body: f'- "mentions {said(body)[1].count("Meal")} meals."'
    prompts = [interpretation_prompt(TEXTS[:n], TEXTS[n:4], instructions="Look at food.") for n in (1, 2)]
    ours = client(api=api)
    assert ours.interpret(prompts, model="m", n_candidates=3) == ([["mentions 4 meals"] * 3] * 2, "")
    assert len(server.requests) == ours.usage["requests"] == 6
    assert {said(request["body"]) for request in server.requests} == set(prompts)


@pytest.mark.parametrize(
    ("api", "base_url", "chosen"),
    [
        ("auto", None, "responses"),
        ("auto", "https://api.openai.com/v1", "responses"),
        ("auto", "https://eu.api.openai.com/v1", "responses"),
        ("auto", "http://localhost:8000/v1", "chat"),
        ("auto", "https://notopenai.com/v1", "chat"),
        ("chat", None, "chat"),
        ("responses", "http://localhost:8000/v1", "responses"),
    ],
)
def test_choice_of_api(client, monkeypatch, api, base_url, chosen):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert connection_of(client(api=api, base_url=base_url).annotator).api == chosen


def test_the_environment_may_name_the_server(client, server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    ours = client(base_url=None)
    assert connection_of(ours.annotator).api == "chat"
    assert ours.annotate_pairs(PAIRS[:1], model="m") == EXPECTED[:1]


def test_nothing_to_ask(client, server):
    assert client().annotate([], CONCEPTS, model="m").shape == (0, 4)
    assert client().annotate(TEXTS, [], model="m").shape == (6, 0)
    assert client().interpret([], model="m", n_candidates=2) == ([], "")
    assert server.requests == []


def test_works_while_an_event_loop_runs(client):
    async def notebook():
        return client().annotate_pairs(PAIRS, model="m")

    np.testing.assert_array_equal(asyncio.run(notebook()), EXPECTED)


def test_leaves_no_thread_behind(client):
    before = threading.active_count()
    client(cache_dir=None).annotate_pairs(PAIRS[:2], model="m")
    assert not [t for t in threading.enumerate() if t.name.startswith("sklearn_sae")]
    assert threading.active_count() <= before + 8  # the test's own server keeps a thread a connection


# Bought once


def test_a_second_run_sends_nothing(client, server):
    client().annotate_pairs(PAIRS, model="m")
    n_sent = len(server.requests)
    again = client()
    np.testing.assert_array_equal(again.annotate_pairs(PAIRS[::-1], model="m"), EXPECTED[::-1])
    assert len(server.requests) == n_sent
    counts = {name: value for name, value in again.usage.items() if value and name != "cache_bytes"}
    assert counts == {"cached": len(PAIRS)}


def test_interpretations_are_kept_by_prompt_and_number(client, server):
    numbers = iter("abcdefghij")
    server.reply = lambda body: f"mentions letter {next(numbers)}"
    prompts = [interpretation_prompt(["a"], ["b"], instructions=None)] * 2
    first, _ = client(max_concurrency=1).interpret(prompts, model="m", n_candidates=2)
    assert first == [["mentions letter a", "mentions letter b"]] * 2
    more, _ = client(max_concurrency=1).interpret(prompts[:1], model="m", n_candidates=3)
    assert more == [["mentions letter a", "mentions letter b", "mentions letter c"]]


def test_equal_pairs_are_asked_once(client, server):
    annotations = client().annotate(TEXTS * 3, CONCEPTS * 2, model="m")
    np.testing.assert_array_equal(annotations, np.tile(EXPECTED.reshape(6, 4), (3, 2)))
    assert set(pairs_asked(server).values()) == {1}


def test_texts_that_are_equal_after_truncation_are_asked_once(client, server):
    texts = ["Meal 1 a b c", "Meal 1 d e f", *(f"Meal {i}" for i in range(2, 40))]
    with pytest.warns(UserWarning, match="2 of 40 texts are longer than max_words=2 words and are cut"):
        client().annotate_pairs([(text, CONCEPTS[2]) for text in texts], model="m", max_words=2)
    asked_for = [text for text, _ in pairs_asked(server)]
    assert len(asked_for) == 39
    assert asked_for.count("Meal 1 […]") == 1


def test_texts_that_differ_anywhere_are_told_apart(client, server):
    long = "the same words at both ends " * 30
    client().annotate_pairs([(long + f"{i} " + long, CONCEPTS[2]) for i in range(3)], model="m")
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"api": "responses"},
        {"concepts_per_call": 2},
        {"output": "probability"},
        {"max_words": 3},
    ],
)
def test_whatever_changes_the_answer_is_asked_anew(client, server, change):
    def run(model="m", api="chat", **options):
        client(api=api).annotate_pairs(PAIRS[:2], model=model, **options)
        return len(server.requests)

    first = run()
    assert run(**change) > first
    assert run() == run(**change)


def test_two_servers_do_not_share_answers(client, server):
    other = server.base_url.replace("127.0.0.1", "localhost")  # the same server under another address
    prompt = interpretation_prompt(["a"], ["b"])
    for base_url in (server.base_url, other):
        client(base_url=base_url).annotate_pairs(PAIRS[:2], model="m")
    assert len(server.requests) == 4
    server.reply = lambda body: "mentions waits"
    for base_url in (server.base_url, other):
        client(base_url=base_url).interpret([prompt], model="m", n_candidates=1)
    assert len(server.requests) == 6


def test_the_pairs_of_a_text_are_sent_together(client, server):
    shuffled = random.Random(0).sample(PAIRS, len(PAIRS))
    client(max_concurrency=1).annotate_pairs(shuffled, model="m")
    texts = [asked(request["body"])[0] for request in server.requests]
    assert sum(a != b for a, b in itertools.pairwise(texts)) == len(TEXTS) - 1


def test_only_what_is_missing_is_grouped_anew(client, server):
    client().annotate_pairs([p for p in PAIRS if p[1] != CONCEPTS[2]], model="m", concepts_per_call=3)
    np.testing.assert_array_equal(client().annotate_pairs(PAIRS, model="m", concepts_per_call=3), EXPECTED)
    assert set(pairs_asked(server).values()) == {1}


def test_the_cache_holds_no_text_and_no_key(client, tmp_path):
    client(cache_dir=tmp_path / "here").annotate_pairs(PAIRS, model="gpt-some", concepts_per_call=2)
    written = b"".join(path.read_bytes() for path in (tmp_path / "here").iterdir())
    assert len(written) > 1000
    assert b"gpt-some" in written  # by which `sklearn-sae cache info` counts
    for secret in (b"soup", b"French", b"sk-test", b"127.0.0.1"):
        assert secret not in written


def test_without_a_cache_nothing_is_written(client, server, tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "none"))
    client(cache_dir=None).annotate_pairs(PAIRS[:2], model="m")
    client(cache_dir=None).annotate_pairs(PAIRS[:2], model="m")
    assert len(server.requests) == 4
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("concepts_per_call", [1, 3])
def test_what_another_run_asks_for_now_is_waited_for(client, server, concepts_per_call):
    server.latency = 0.02
    results = []

    def run(order):
        results.append(client().annotate_pairs(PAIRS[::order], model="m", concepts_per_call=concepts_per_call)[::order])

    threads = [threading.Thread(target=run, args=(order,)) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results, [EXPECTED] * 3)
    assert set(pairs_asked(server).values()) == {1}


def test_runs_that_wait_for_each_other_s_failures_end(client, server):
    broken = {(TEXTS[0], CONCEPTS[0]), (TEXTS[1], CONCEPTS[1])}
    server.latency = 0.02
    server.reply = lambda body: "maybe" if (asked(body)[0], asked(body)[1][0]) in broken else answer(body)
    results = []

    def run(shift):
        pairs = PAIRS[shift:] + PAIRS[:shift]
        results.append(np.roll(client().annotate_pairs(pairs, model="m"), shift))

    threads = [threading.Thread(target=run, args=(shift,), daemon=True) for shift in (0, 5, 2, 7)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    expected = np.where([pair in broken for pair in PAIRS], NAN, EXPECTED)
    np.testing.assert_array_equal(results, [expected] * 4)


def test_what_another_run_could_not_get_is_asked_for_again(client, server):
    waits, go = threading.Event(), threading.Event()

    def fail(body, n):
        if n == 0:
            waits.set()
            go.wait(60)
            return 500, {"error": {"message": "oops"}}, {}
        return None

    server.fail = fail
    results = {}

    def run(name):
        results[name] = client(max_retries=0).annotate_pairs(PAIRS[:1], model="m")

    first = threading.Thread(target=run, args=("first",))
    first.start()
    waits.wait(60)
    second = threading.Thread(target=run, args=("second",))
    second.start()
    go.set()
    with pytest.warns(RuntimeWarning, match="1 x HTTP 500"):
        first.join()
    second.join()
    assert np.isnan(results["first"])
    assert results["second"] == EXPECTED[0]


# When the server misbehaves


def sometimes(failure, every=3):
    return lambda body, n: failure if n % every == 0 else None


@pytest.mark.parametrize("concepts_per_call", [1, 4])
@pytest.mark.parametrize(
    "failure",
    [
        (429, {"error": {"message": "slow down"}}, {"retry-after": "0.01"}),
        (500, {"error": {"message": "oops"}}, {"retry-after-ms": "10"}),
        (503, {}, {"retry-after-ms": "10"}),
        "cut",
        (200, {"unexpected": True}, {}),
        (200, {"error": {"message": "upstream failed"}}, {}),
        (200, [], {}),
        (200, {"choices": [None], "usage": "much"}, {}),
    ],
)
def test_what_fails_once_is_answered_in_the_end(client, server, failure, concepts_per_call):
    first = set()

    def fail(body, n):
        new = said(body) not in first and len(first) < 6
        first.add(said(body))
        return failure if new else None

    server.fail = fail
    annotations = client(max_concurrency=2).annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
    np.testing.assert_array_equal(annotations, EXPECTED)
    assert max(Counter(said(request["body"]) for request in server.requests).values()) == 2


@contextmanager
def says(content, kind):
    """A server that says the same to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b""])
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_a_reply_that_is_no_json_is_a_failed_answer(client, content, kind):
    with (
        says(content, kind) as url,
        pytest.warns(RuntimeWarning, match=r"^2 of 2 annotations have no answer .*\(2 x unreadable reply\)"),
    ):
        annotations = client(base_url=url).annotate_pairs(PAIRS[:2], model="m")
    assert np.isnan(annotations).all()


@pytest.mark.parametrize("content", [b"<html>not json</html>", b"\n<!DOCTYPE html><html></html>"])
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_a_page_in_place_of_a_reply_says_where_to_look(client, content, kind):
    with says(content, kind) as url, pytest.raises(ValueError, match="a page and not with JSON; check base_url"):
        client(base_url=url).annotate_pairs(PAIRS[:2], model="m")


def broken(server, how):
    """Let every answer about the first text fail for good."""

    def fail(body, n):
        if asked(body)[0] != TEXTS[0]:
            return None
        return {
            "http": (500, {"error": {"message": f"cannot read {said(body)}"}}, {"retry-after-ms": "1"}),
            "bad": (400, {"error": {"message": f"cannot read {said(body)}"}}, {}),
            "cut": "cut",
        }.get(how)

    def reply(body):
        return "I cannot tell" if asked(body)[0] == TEXTS[0] else answer(body)

    server.fail, server.reply = fail, reply


@pytest.mark.parametrize(
    ("how", "kind"),
    [("http", "HTTP 500"), ("bad", "HTTP 400"), ("cut", "no connection"), ("reply", "unreadable reply")],
)
@pytest.mark.parametrize("concepts_per_call", [1, 4])
def test_failures_become_nan_with_one_warning(client, server, how, kind, concepts_per_call):
    broken(server, how)
    ours = client(max_retries=1)
    pairs = PAIRS[4:] + PAIRS[:4]  # a first answer, so that the server counts as reached
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        annotations = ours.annotate_pairs(pairs, model="m", concepts_per_call=concepts_per_call)
    np.testing.assert_array_equal(annotations, np.r_[EXPECTED[4:], [np.nan] * 4])
    (message,) = [str(w.message) for w in caught if w.category is RuntimeWarning]
    assert message.startswith(f"4 of 24 annotations have no answer after the retries (4 x {kind}); they are NaN.")
    assert "soup" not in message
    assert ours.usage["failed"] == 4
    attempts = Counter(said(request["body"]) for request in server.requests if asked(request["body"])[0] == TEXTS[0])
    assert max(attempts.values()) <= 2

    server.fail, server.reply = None, answer  # nothing that failed was kept
    np.testing.assert_array_equal(
        client().annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call), EXPECTED
    )


def test_failures_may_count_as_zero(client, server):
    broken(server, "reply")
    with pytest.warns(RuntimeWarning, match="4 of 24 annotations .* they count as 0"):
        annotations = client(on_error=0).annotate_pairs(PAIRS, model="m")
    np.testing.assert_array_equal(annotations, np.r_[np.zeros(4), EXPECTED[4:]])


def test_failures_may_raise_after_all_that_arrived_is_kept(client, server):
    broken(server, "http")
    with pytest.raises(RuntimeError, match=r"^4 of 24 annotations .*4 x HTTP 500.*Run again") as raised:
        client(on_error="raise", max_retries=0).annotate_pairs(PAIRS[4:] + PAIRS[:4], model="m")
    assert "soup" not in str(raised.value)
    again = client()
    server.fail, server.reply = None, answer
    np.testing.assert_array_equal(again.annotate_pairs(PAIRS, model="m"), EXPECTED)
    assert again.usage["cached"] == 20


def test_a_failed_interpretation_is_left_out(client, server):
    server.reply = lambda body: "I'm sorry, I cannot." if "one" in said(body)[1] else "mentions waits"
    prompts = [interpretation_prompt([text], ["x"], instructions=None) for text in ("one", "two")]
    ours = client()
    candidates, failures = ours.interpret(prompts, model="m", n_candidates=2)
    assert candidates == [[], ["mentions waits"] * 2]
    assert failures == "2 of 4 interpretations have no answer after the retries (2 x unreadable reply)"
    assert ours.usage["failed"] == 2


def test_an_interpretation_that_was_cut_off_is_refused(client, server):
    whole = {"index": 0, "message": {"role": "assistant", "content": "mentions waits\nbecause they"}}
    server.fail = lambda body, n: (200, {"choices": [{**whole, "finish_reason": "length"}]}, {})
    prompt = interpretation_prompt(["a"], ["b"], instructions=None)
    assert client().interpret([prompt], model="m", n_candidates=1) == ([["mentions waits"]], "")
    whole["message"]["content"] = "mentions wai"
    candidates, failures = client(cache_dir=None).interpret([prompt], model="m", n_candidates=1)
    assert candidates == [[]]
    assert failures.startswith("1 of 1 interpretations")


@pytest.mark.parametrize(
    ("status", "error"), [(401, PermissionError), (403, PermissionError), (404, ValueError), (400, ValueError)]
)
def test_what_can_never_work_fails_at_once(client, server, status, error):
    server.fail = lambda body, n: (status, {"error": {"message": f"{said(body)} sk-test-0123456789"}}, {})
    with pytest.raises(error) as raised:
        client().annotate_pairs(PAIRS, model="m")
    assert len(server.requests) <= 4
    for secret in ("soup", "sk-test", "French"):
        assert secret not in str(raised.value)


@pytest.mark.parametrize("concepts_per_call", [1, 4])
def test_one_text_that_is_too_long_stops_nothing(client, server, concepts_per_call):
    too_long = (400, {"error": {"message": "maximum context length", "code": "context_length_exceeded"}}, {})
    server.fail = lambda body, n: too_long if asked(body)[0] == TEXTS[0] else None
    with pytest.warns(RuntimeWarning, match=r"4 of 24 annotations .*\(4 x too long for the model\)"):
        annotations = client(max_concurrency=1).annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
    np.testing.assert_array_equal(annotations, np.r_[[np.nan] * 4, EXPECTED[4:]])


def test_unreachable_server(client):
    with pytest.raises(ConnectionError, match="base_url"):
        client(base_url="http://127.0.0.1:9/v1", max_retries=0).annotate_pairs(PAIRS, model="m")


def test_no_key(client, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        client(base_url=None).annotate_pairs(PAIRS, model="m")


# Limits


@pytest.mark.parametrize(("concepts_per_call", "n_more_runs"), [(1, 2), (2, 0)])
def test_max_requests_stops_in_time_and_keeps_what_was_bought(client, server, concepts_per_call, n_more_runs):
    ours = client(max_requests=7)
    with pytest.raises(
        RuntimeError, match=r"^max_requests=7 is used up \(7 requests sent\) and \d+ of 24 .* run again"
    ):
        ours.annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
    assert len(server.requests) == 7
    for _ in range(n_more_runs):
        with pytest.raises(RuntimeError, match="still missing"):
            client(max_requests=7).annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
    annotations = client(max_requests=7).annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
    np.testing.assert_array_equal(annotations, EXPECTED)
    assert set(pairs_asked(server).values()) == {1}


def test_max_requests_counts_over_the_life_of_a_client(client, server):
    ours = client(max_requests=8)
    ours.annotate_pairs(PAIRS[:8], model="m")
    ours.annotate_pairs(PAIRS[:8], model="m")
    with pytest.raises(RuntimeError, match="1 of 9 annotations are still missing"):
        ours.annotate_pairs(PAIRS[:9], model="m")
    assert len(server.requests) == 8


def test_max_requests_without_a_cache_says_that_nothing_is_kept(client):
    with pytest.raises(RuntimeError, match="Nothing is kept"):
        client(max_requests=1, cache_dir=None).annotate_pairs(PAIRS, model="m")


# Many concepts a call


def schema_of(body):
    if "response_format" in body:
        return body["response_format"]["json_schema"]["schema"]
    return body.get("text", {}).get("format", {}).get("schema")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_structured_output_is_asked_for(client, server, api):
    client(api=api).annotate_pairs(PAIRS, model="m", concepts_per_call=4)
    for request in server.requests:
        schema = schema_of(request["body"])
        assert schema["required"] == list(schema["properties"]) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_server_without_structured_output(client, server, api):
    server.fail = lambda body, n: NO_SCHEMA if schema_of(body) else None
    ours = client(api=api, max_concurrency=1)
    np.testing.assert_array_equal(ours.annotate_pairs(PAIRS, model="m", concepts_per_call=4), EXPECTED)
    assert [bool(schema_of(request["body"])) for request in server.requests] == [True] + [False] * len(TEXTS)
    assert ours.usage["requests"] == len(TEXTS) + 1


def test_one_bad_request_does_not_end_structured_output(client, server):
    broken(server, "bad")
    with pytest.warns(RuntimeWarning, match="4 x HTTP 400"):
        client(max_concurrency=1).annotate_pairs(PAIRS[4:] + PAIRS[:4] + PAIRS, model="m", concepts_per_call=4)
    ours = [request["body"] for request in server.requests if asked(request["body"])[0] != TEXTS[0]]
    assert all(schema_of(body) for body in ours)


def test_forgotten_concepts_are_asked_for_singly(client, server):
    def forgetful(body):
        said = answer(body)
        return json.dumps({"2": json.loads(said)["2"]}) if said.startswith("{") else said

    server.reply = forgetful
    np.testing.assert_array_equal(client().annotate_pairs(PAIRS, model="m", concepts_per_call=4), EXPECTED)
    sizes = Counter(len(asked(request["body"])[1]) for request in server.requests)
    assert sizes == {4: len(TEXTS), 1: 3 * len(TEXTS)}


# Other answers


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_probabilities(client, server, api):
    server.probability = 0.8
    annotations = client(api=api).annotate_pairs(PAIRS, model="m", output="probability")
    np.testing.assert_allclose(annotations, np.where(EXPECTED == 1, 0.8, 0.2))


def test_spellings_are_summed_at_the_word_that_decides(client, server):
    def tokens(*rows):
        return [
            {
                "token": row[0][0],
                "logprob": row[0][1],
                "top_logprobs": [dict(zip(("token", "logprob"), t, strict=True)) for t in row],
            }
            for row in rows
        ]

    log = np.log
    thought = [("yes", log(1.0))]
    decides = [("Yes", log(0.5)), (" yes", log(0.1)), ("NO", log(0.15)), ("Maybe", log(0.25))]
    content = tokens([("<think>", 0.0)], thought, [("</", 0.0)], [("think>", 0.0)], [("**", 0.0)], decides, thought)
    choice = {"message": {"content": "<think>yes</think>**Yes"}, "logprobs": {"content": content}}
    server.fail = lambda body, n: (200, {"choices": [choice]}, {})
    assert client().annotate_pairs(PAIRS[:1], model="m", output="probability") == pytest.approx([0.6 / 0.75])


def test_no_word_that_decides(client, server):
    server.reply = lambda body: "perhaps"
    with pytest.warns(RuntimeWarning, match="1 x unreadable reply"):
        assert np.isnan(client().annotate_pairs(PAIRS[:1], model="m", output="probability")).all()


def test_one_reply_without_probabilities_is_its_own_loss(client, server):
    bare = {"choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]}
    server.fail = lambda body, n: (200, bare, {}) if CONCEPTS[1] in said(body)[1] else None
    with pytest.warns(RuntimeWarning, match=r"1 of 4 annotations .* \(1 x unreadable reply\)"):
        annotations = client(max_concurrency=1).annotate_pairs(PAIRS[:4], model="m", output="probability")
    assert np.isnan(annotations).tolist() == [False, True, False, False]


def test_an_empty_reply_is_no_lack_of_probabilities(client, server):
    empty = {"choices": [{"message": {"content": ""}, "logprobs": None}]}
    server.fail = lambda body, n: (200, empty, {}) if asked(body)[0] == TEXTS[0] else None
    with pytest.warns(RuntimeWarning, match="4 x unreadable reply"):
        annotations = client().annotate_pairs(PAIRS, model="m", output="probability")
    assert np.isnan(annotations[:4]).all()
    assert not np.isnan(annotations[4:]).any()


@pytest.mark.parametrize(
    "failure",
    [
        (200, {"choices": [{"message": {"content": "yes"}, "logprobs": None}]}, {}),
        (200, {"choices": [{"message": {"content": "yes"}}]}, {}),
        (400, {"error": {"message": "'logprobs' is not supported with this model"}}, {}),
        (403, {"error": {"message": "You are not allowed to request logprobs from this model"}}, {}),
    ],
)
def test_a_server_without_probabilities(client, server, failure):
    server.fail = lambda body, n: failure
    with pytest.raises(ValueError, match=r'log-probabilities.*output="binary"'):
        client().annotate_pairs(PAIRS, model="m", output="probability")


def test_probabilities_need_one_concept_a_call(client, server):
    with pytest.raises(ValueError, match="concepts_per_call=1"):
        client().annotate_pairs(PAIRS, model="m", output="probability", concepts_per_call=2)
    assert server.requests == []


# Answers and parameters

UNSURE = {"yes": 1, "no": 0, "cannot tell": NAN}


def unsure_answer(body):
    """Answer "cannot tell" to whether a meal was in French, else as `answer` does."""
    text, concepts = asked(body)
    answers = ["cannot tell" if "French" in c else "yes" if truth(text, c) else "no" for c in concepts]
    return answers[0] if len(answers) == 1 else json.dumps({str(i): a for i, a in enumerate(answers, 1)})


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("concepts_per_call", [1, 4])
def test_a_third_answer_is_an_answer(client, server, api, concepts_per_call):
    server.reply = unsure_answer
    ours = client(api=api)
    expected = np.where(["French" in concept for _, concept in PAIRS], NAN, EXPECTED)
    for _ in range(2):  # the second time from the cache, and without a warning
        annotations = ours.annotate_pairs(PAIRS, model="m", answers=UNSURE, concepts_per_call=concepts_per_call)
        np.testing.assert_array_equal(annotations, expected)
    assert len(server.requests) == len(PAIRS) / concepts_per_call
    assert ours.usage["failed"] == 0
    assert all("cannot tell" in said(request["body"])[0] for request in server.requests)
    schemas = [json.dumps(request["body"]) for request in server.requests]
    assert all(('"enum": ["yes", "no", "cannot tell"]' in schema) == (concepts_per_call > 1) for schema in schemas)


def test_answers_and_their_values(client, server):
    degrees = {"not at all": 0, "in passing": 0.5, "at length": 1}
    server.reply = lambda body: ["At length.", "in passing", '"not at all"', "maybe"][CONCEPTS.index(asked(body)[1][0])]
    with pytest.warns(RuntimeWarning, match=r"6 of 24 annotations .* \(6 x unreadable reply\)"):
        annotations = client().annotate_pairs(PAIRS, model="m", answers=degrees)
    np.testing.assert_array_equal(annotations, [1, 0.5, 0, NAN] * len(TEXTS))
    n_sent = len(server.requests)
    other_values = {"not at all": -1, "in passing": 0, "at length": 7}
    known = [pair for pair in PAIRS if pair[1] != CONCEPTS[3]]
    np.testing.assert_array_equal(
        client().annotate_pairs(known, model="m", answers=other_values), [7, 0, -1] * len(TEXTS)
    )
    assert len(server.requests) == n_sent
    client().annotate_pairs(known, model="m", answers=dict(reversed(degrees.items())))  # another prompt
    assert len(server.requests) > n_sent


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_parameters_are_sent_and_kept_apart(client, server, api):
    for params in (None, {"reasoning": {"effort": "low"}}, {"reasoning": {"effort": "high"}}):
        client(api=api).annotate_pairs(PAIRS[:1], model="m", params=params)
        client(api=api).annotate_pairs(PAIRS[:1], model="m", params=params)
    assert [request["body"].get("reasoning") for request in server.requests] == [
        None, {"effort": "low"}, {"effort": "high"}
    ]  # fmt: skip
    prompt = interpretation_prompt(TEXTS[:2], TEXTS[2:])
    server.reply = lambda body: "mentions a meal"
    client(api=api).interpret([prompt], model="m", n_candidates=1, params={"top_p": 0.5})
    assert server.requests[-1]["body"]["top_p"] == 0.5


# The batch endpoint


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("concepts_per_call", [1, 4])
def test_annotations_by_batch(client, server, api, concepts_per_call):
    ours = client(api=api, batch=True, prices={"m": (2.0, 10.0)})
    for _ in range(2):
        annotations = ours.annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call)
        np.testing.assert_array_equal(annotations, EXPECTED)
    assert len(server.batches) == 1
    assert not any(request["path"].endswith(("/chat/completions", "/responses")) for request in server.requests)
    usage = ours.usage
    assert usage["requests"] == len(PAIRS) / concepts_per_call
    assert usage["cached"] == len(PAIRS)
    assert usage["prompt_tokens"] > 0
    cost = (2 * usage["prompt_tokens"] + 10 * usage["completion_tokens"]) / 1e6
    assert usage["price"] == pytest.approx(cost / 2)
    np.testing.assert_array_equal(
        client(api=api).annotate_pairs(PAIRS, model="m", concepts_per_call=concepts_per_call), EXPECTED
    )  # one cache for both ways
    assert len(server.batches) == 1


def test_interpretations_by_batch(client, server):
    server.reply = lambda body: "mentions a meal"
    prompts = [interpretation_prompt(TEXTS[:2], TEXTS[2:]), interpretation_prompt(TEXTS[2:], TEXTS[:2])]
    candidates, failures = client(batch=True).interpret(prompts, model="m", n_candidates=2)
    assert candidates == [["mentions a meal"] * 2] * 2
    assert failures == ""


def test_failures_in_a_batch(client, server):
    server.batch_fail = lambda body, i: 500 if "Meal number 1:" in said(body)[1] else None
    with pytest.warns(RuntimeWarning, match=r"4 of 24 annotations .* \(4 x HTTP 500\)"):
        annotations = client(batch=True).annotate_pairs(PAIRS, model="m")
    assert np.isnan(annotations).sum() == 4
    server.batch_fail = None
    np.testing.assert_array_equal(client(batch=True).annotate_pairs(PAIRS, model="m"), EXPECTED)


def test_one_reply_of_a_batch_without_probabilities_is_its_own_loss(client, server):
    whole = server._chat

    def bare_once(body):
        status, reply, headers = whole(body)
        if asked(body) == (TEXTS[0], [CONCEPTS[0]]):  # whose reply is the last one in the file
            reply["choices"][0]["logprobs"] = None
        return status, reply, headers

    server._chat = bare_once
    with pytest.warns(RuntimeWarning, match=r"1 of 24 annotations .* \(1 x unreadable reply\)"):
        annotations = client(batch=True).annotate_pairs(PAIRS, model="m", output="probability")
    assert np.isnan(annotations).tolist() == [True] + [False] * 23


def test_max_requests_of_a_batch(client, server):
    with pytest.raises(RuntimeError, match=r"max_requests=7 is used up \(7 requests sent\) and 17 of 24"):
        client(batch=True, max_requests=7).annotate_pairs(PAIRS, model="m")
    (batch,) = server.batches.values()
    assert batch["request_counts"]["total"] == 7
    ours = client(batch=True, max_requests=17)
    np.testing.assert_array_equal(ours.annotate_pairs(PAIRS, model="m"), EXPECTED)
    assert len(server.batches) == 2


def test_max_requests_lowered_below_what_was_spent(client, server):
    ours = client()
    ours.annotate_pairs(PAIRS[:10], model="m")
    ours.annotator.set_params(batch=True, max_requests=5)
    with pytest.raises(RuntimeError, match="14 of 24 annotations are still missing"):
        ours.annotate_pairs(PAIRS, model="m")
    assert not server.batches
    assert ours.usage["requests"] == 10


def test_a_batch_of_a_server_without_structured_output(client, server):
    server.batch_fail = lambda body, i: 400 if "response_format" in body else None
    ours = client(batch=True)
    np.testing.assert_array_equal(ours.annotate_pairs(PAIRS, model="m", concepts_per_call=4), EXPECTED)
    assert len(server.batches) == 2
    assert ours.usage["requests"] == 2 * len(TEXTS)


def test_a_batch_that_the_server_does_not_take(client, server):
    failure = (500, {"error": {"message": "oops"}}, {"retry-after": "0.01"})
    server.fail = lambda body, n: failure
    with pytest.warns(RuntimeWarning, match=r"24 of 24 annotations .* \(24 x HTTP 500\)"):
        annotations = client(batch=True).annotate_pairs(PAIRS, model="m")
    assert np.isnan(annotations).all()


# Counting, showing, hiding


@pytest.mark.parametrize("concepts_per_call", [1, 3, 4])
def test_count_agrees_with_what_is_sent(client, server, concepts_per_call):
    text = "words " * 256
    pairs = [(f"{text}{i}", concept) for i in range(3) for concept in CONCEPTS]
    server.reply = lambda body: json.dumps(dict.fromkeys(map(str, range(1, len(asked(body)[1]) + 1)), "yes"))
    tokens_per_text = count_tokens(f"{text}0")
    counted = count_annotations(3, CONCEPTS, concepts_per_call=concepts_per_call, tokens_per_text=tokens_per_text)
    ours = client()
    ours.annotate_pairs(pairs, model="m", concepts_per_call=concepts_per_call)
    assert counted["requests"] == ours.usage["requests"]
    sent = sum(count_tokens("".join(said(request["body"]))) for request in server.requests)
    assert counted["prompt_tokens"] == pytest.approx(sent, rel=0.02)


def test_count_of_interpretations():
    counted = count_interpretations(5 * 3, n_examples=20, tokens_per_text=150)
    assert counted["requests"] == 15
    assert 15 * 20 * 150 < counted["prompt_tokens"] < 15 * (20 * 150 + 800)
    assert (
        count_interpretations(0, n_examples=20, tokens_per_text=150)
        == count_annotations(0, CONCEPTS, tokens_per_text=150)
        == count_annotations(9, [], tokens_per_text=150)
        == {"requests": 0, "prompt_tokens": 0, "completion_tokens": 0}
    )


def test_the_bill(client, server):
    server.fail = sometimes((503, {"error": {"message": "busy"}}, {"retry-after": "0.01"}))
    ours = client(prices={"m": (2.0, 10.0)}, max_retries=9)
    ours.annotate_pairs(PAIRS, model="m")
    usage = ours.usage
    assert usage["requests"] == len(PAIRS)
    assert usage["retried"] == len(server.requests) - len(PAIRS) > 0
    assert usage["completion_tokens"] == len(PAIRS)
    assert usage["price"] == pytest.approx((2 * usage["prompt_tokens"] + 10 * usage["completion_tokens"]) / 1e6)
    unpriced = client(cache_dir=None)
    unpriced.annotate_pairs(PAIRS[:1], model="m")
    assert np.isnan(unpriced.usage["price"])


def test_limits_that_are_given_are_kept(client, server):
    arrivals = []
    server.fail = lambda body, n: arrivals.append(time.monotonic())
    client(requests_per_minute=60 * 50).annotate_pairs(PAIRS, model="m")
    assert arrivals[-1] - arrivals[0] >= 23 / 50 * 0.9
    ours = client(tokens_per_minute=60 * 2000, cache_dir=None)
    start = time.monotonic()
    ours.annotate_pairs(PAIRS[:6], model="m")
    sent = sum(len(json.dumps(request["body"])) for request in server.requests[-6:-1])
    assert time.monotonic() - start >= sent / 4 / 2000 * 0.8


def test_the_bar_shows_the_price(client, capsys):
    client(verbose=True, prices={"m": (1e4, 1e4)}).annotate_pairs(PAIRS, model="m")
    assert re.search(r"spent=\d+\.?\d*\b(?! tokens)", capsys.readouterr().err)


class TimedLines(io.StringIO):
    """What is written, and when."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def write(self, text):
        self.lines.append((time.monotonic(), text))
        return super().write(text)


def test_the_bar_of_a_slow_server_shows_its_rate_and_the_time_left(client, server, monkeypatch):
    """Answers that are stored take no time, and must not make those to come look fast."""
    client().annotate(TEXTS[:5], CONCEPTS, model="m")
    server.latency = 0.3
    monkeypatch.setattr(sys, "stderr", screen := TimedLines())
    client(verbose=True, max_concurrency=1).annotate([*TEXTS[:5], "Meal 97", "Meal 98", "Meal 99"], CONCEPTS, model="m")
    end = time.monotonic()
    number = r"(\d+)/32 \[(\d+):(\d+)<(\d+):(\d+), +([\d.]+)(it/s|s/it)"
    shown = [(when, *found.groups()) for when, line in screen.lines if (found := re.search(number, line))]
    middle = [one for one in shown if 22 <= int(one[1]) < 32]
    assert len(middle) >= 5
    for when, n, m, s, m_left, s_left, rate, unit in middle:
        n_asked, passed, left = int(n) - 20, 60 * int(m) + int(s), 60 * int(m_left) + int(s_left)
        rate = float(rate) if unit == "it/s" else 1 / float(rate)
        assert rate <= 1 / server.latency * 1.1
        assert rate == pytest.approx(n_asked / (passed + 0.5), abs=0.6 * n_asked / (passed + 0.5))
        assert left == pytest.approx(end - when, abs=1 + 0.5 * (end - when))


def test_progress_only_when_verbose(client, capsys):
    client().annotate_pairs(PAIRS, model="m")
    assert capsys.readouterr() == ("", "")
    client(verbose=True).annotate_pairs([*PAIRS, ("Meal 99", CONCEPTS[0])], model="m")
    err = capsys.readouterr().err
    assert "annotations" in err
    assert "25/25" in err
    assert "it/s" in err
    assert "cached=96%" in err
    assert "tokens" in err
