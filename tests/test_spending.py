"""What `discover` is going to ask and cost, before it does: `--dry-run`, `--max-cost`, `max_cost=`."""

import os
import re
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from types import SimpleNamespace
from unittest import mock

import pandas as pd
import pytest

from sklearn_sae import LLMHypothesisAnnotator, discover
from sklearn_sae.annotation.llm._tokens import count_tokens
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

PRICES = {"gpt-5.2": (1.75, 14), "gpt-5-mini": (0.25, 2)}
OPTIONS = ["--prices", "gpt-5.2=1.75,14", "--prices", "gpt-5-mini=0.25,2"]
SMALL = {"n_hypotheses": 3, "n_components": 8, "k": 2, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(200, n_concepts=5, random_state=0)


@pytest.fixture
def file(reviews, tmp_path):
    path = tmp_path / "reviews.csv"
    pd.DataFrame({"review": reviews.data, "stars": reviews.target}).to_csv(path, index=False)
    return path


def run(file, *options, key="sk-test"):
    small = ["--text", "review", "--target", "stars", "--n-hypotheses", "3", "-M", "8", "-K", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    environment |= {"OPENAI_API_KEY": key} if key else {}
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err), mock.patch.dict(os.environ, environment, clear=True):
        try:
            code = main(["discover", str(file), *small, *options])
        except SystemExit as end:  # of argparse
            code = end.code
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def llm(server):
    return ["--naming", "llm", "--base-url", server.base_url]


def names_by_rule():
    """Return a reply that gives every neuron another word that most sets its texts apart, and judges by the word."""
    given = set()

    def reply(body):
        user = body["messages"][1]["content"]
        if "Group A" not in user:
            text = re.search(r"<text-\w+>\n(.*?)\n</text", user, re.DOTALL)[1]
            return "yes" if re.search(r'mentions (\w+)"', user)[1] in text.lower() else "no"
        groups = re.findall(r"<text-\w+ ([AB])\d+>\n(.*?)\n</text", user, re.DOTALL)
        count = Counter()
        for group, text in groups:
            for word in set(re.findall(r"[a-z]{4,}", text.lower())) - given:
                count[word] += 1 if group == "A" else -1
        given.add(count.most_common(1)[0][0])
        return f"Property: mentions {count.most_common(1)[0][0]}\nHolds for: 9"

    return reply


def test_a_dry_run_asks_and_writes_nothing(file, openai_server, tmp_path):
    written = ["--output", str(tmp_path / "out.csv"), "--save", str(tmp_path / "model")]
    result = run(file, *llm(openai_server), *OPTIONS, *written, "--dry-run", key=None)  # a plan needs no key
    assert result.returncode == 0, result.stderr
    assert not openai_server.requests
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".sqlite") == ["reviews.csv"]
    assert "Hypotheses are found on 160 texts and tested on the other 40." in result.stdout
    asked = r"To be asked.*: 603 requests, [\d,]+ prompt tokens, [\d,]+ completion tokens, 0\.\d+ dollars"
    assert re.search(asked, result.stdout)
    assert "hidden thoughts of reasoning models" in result.stdout
    assert result.stdout.endswith("Nothing was asked, trained or written (--dry-run).\n")
    assert "dollars" not in run(file, *llm(openai_server), "--dry-run").stdout
    assert "asked, if" not in run(file, "--dry-run").stdout


def test_what_is_received_is_what_was_planned(file, openai_server):
    openai_server.reply = names_by_rule()
    result = run(file, *llm(openai_server))
    assert result.returncode == 0, result.stderr
    n_planned, n_tokens = (
        int(n.replace(",", "")) for n in re.search(r"read: ([\d,]+) requests, ([\d,]+) prompt", result.stdout).groups()
    )
    n_more = int(re.search(r"Up to ([\d,]+) requests more", result.stdout)[1].replace(",", ""))
    bodies = [request["body"] for request in openai_server.requests if request["method"] == "POST"]
    n_naming = sum("Group A" in body["messages"][1]["content"] for body in bodies)
    assert 3 <= n_naming <= 9
    assert n_naming + 200 <= len(bodies) <= n_planned + n_more  # of three names some may not fit, and then others come
    received = sum(count_tokens(message["content"]) for body in bodies for message in body["messages"])
    assert n_tokens / n_planned == pytest.approx(received / len(bodies), rel=0.25)


def test_what_costs_more_does_not_begin(file, openai_server):
    result = run(file, *llm(openai_server), *OPTIONS, "--max-cost", "0.001")
    assert result.returncode == 1
    sentence = r"sklearn-sae: the run is estimated to cost 0\.\d+, more than --max-cost 0\.001; nothing was asked\.\n"
    assert re.fullmatch(sentence, result.stderr)
    assert not openai_server.requests
    openai_server.reply = names_by_rule()
    assert run(file, *llm(openai_server), *OPTIONS, "--max-cost", "100").returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--naming", "llm", "--max-cost", "3"], "none is known for gpt-5.2 and gpt-5-mini; pass --prices MODEL=P,C."),
        (["--naming", "llm", "--max-cost", "3", *OPTIONS[:2]], "none is known for gpt-5-mini; pass --prices"),
        (["--max-cost", "3"], "--max-cost is for --naming llm."),
        (["--naming", "llm", "--prices", "gpt-5-mini=2"], "not of the form MODEL=P,C"),
        (["--naming", "llm", "--prices", "gpt-5-mini=2,-1"], "not a number from 0 on"),
        (["--naming", "llm", "--max-cost", "much"], "not a number"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(file, options, words):
    result = run(file, *options)
    assert result.returncode
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def embedding(server):
    return ["--embedder", "text-embedding-3-small", "--embedder-url", server.base_url]


@pytest.mark.slow
def test_what_a_server_embeds_is_counted(file, reviews, openai_server):
    openai_server.reply = names_by_rule()
    asked = [*llm(openai_server), *embedding(openai_server), *OPTIONS]
    alone = run(file, *llm(openai_server), *OPTIONS, "--dry-run").stdout
    result = run(file, *asked, "--prices", "text-embedding-3-small=2000,0", "--dry-run")
    assert result.returncode == 0, result.stderr
    n_tokens = int(re.search(r"([\d,]+) embedded tokens", result.stdout)[1].replace(",", ""))
    dollars = [float(re.search(r"([\d.]+) dollars", text)[1]) for text in (result.stdout, alone)]
    assert dollars[0] - dollars[1] == pytest.approx(2000 * n_tokens / 1e6, abs=0.02)
    assert not openai_server.requests
    without_naming = run(file, *embedding(openai_server), "--dry-run").stdout
    assert f"To be asked of the server that embeds: {n_tokens:,} embedded tokens (an estimate)\n" in without_naming
    assert run(file, *embedding(openai_server)).returncode == 0
    bodies = [request["body"] for request in openai_server.requests if request["path"].endswith("/embeddings")]
    received = sum(count_tokens(text) for body in bodies for text in body["input"])
    assert 0.85 * n_tokens <= received <= n_tokens  # equal sentences are embedded once, and planted texts have some


@pytest.mark.slow
def test_what_a_server_embeds_counts_in_what_a_run_may_cost(file, openai_server):
    asked = [*llm(openai_server), *embedding(openai_server), *OPTIONS, "--max-cost", "1"]
    result = run(file, *asked)
    assert "--max-cost needs prices, and none is known for text-embedding-3-small; pass --prices" in result.stderr
    result = run(file, *asked, "--prices", "text-embedding-3-small=2000,0")
    assert re.search(r"estimated to cost \d+\.\d+, more than --max-cost 1; nothing was asked", result.stderr)
    assert not openai_server.requests


def test_in_python(reviews, openai_server):
    naming = LLMHypothesisAnnotator(base_url=openai_server.base_url, prices=PRICES)
    with pytest.raises(ValueError, match=r"estimated to cost 0\.03\d, more than max_cost=0\.01; nothing was asked"):
        discover(reviews.data, reviews.target, naming=naming, max_cost=0.01, **SMALL)
    with pytest.raises(ValueError, match="max_cost needs prices, and none is known for gpt"):
        discover(reviews.data, reviews.target, naming=naming.set_params(prices=None), max_cost=1, **SMALL)
    with pytest.raises(ValueError, match="max_cost is for naming by a language model"):
        discover(reviews.data, reviews.target, max_cost=1, **SMALL)
    assert not openai_server.requests
