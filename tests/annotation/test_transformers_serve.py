"""A server that was not written for these tests: `transformers serve`, over tiny models made here on disk.

One model has random weights only, and answers nonsense. The generation settings of the others make them give one
reply, so that what is read from the server can be told from what is not.
"""

import math
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae import LLMHypothesisAnnotator

_MISSING = [name for name in ("accelerate", "fastapi", "transformers", "uvicorn") if find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"needs transformers[serving]; missing: {', '.join(_MISSING)}"),
]

HYPOTHESES = ["mentions a long wait", "praises the staff"]
TEXTS = ["We waited an hour.", "Lovely staff!", "Café crème, 10 €, 好吃 🍜", "The soup came cold."]
REPLIES = {
    "nonsense": None,
    "yes": "Yes",
    "json": '{"1": "yes", "2": "no"}',
    "phrase": "mentions a long wait for a table",
}
_START_SECONDS = 120
_END = "<|end|>"


class Server:
    """A running `transformers serve`; with `model` it takes requests for that one only."""

    def __init__(self, folder, model=None):
        self._log = folder / "server.log"
        self._seen = 0
        settings = {
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HOME": str(folder),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "transformers.cli.transformers", "serve", *([model] if model else [])]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", "0", "--device", "cpu"],
                env=os.environ | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self):
        """Wait until the server listens, and set `base_url`."""
        deadline = time.monotonic() + _START_SECONDS
        while not (listening := re.search(r"running on (http://[\d.:]+)", self.log)):
            assert self._process.poll() is None, f"the server ended:\n{self.log}"
            assert time.monotonic() < deadline, f"the server did not start:\n{self.log}"
            time.sleep(0.05)
        self.base_url = f"{listening.group(1)}/v1"

    def new_test(self):
        """Forget what it has logged so far."""
        self._seen += len(self.log)

    @property
    def log(self):
        return self._log.read_text(errors="replace")[self._seen :]

    def served(self):
        """Return (path, status) of each request in the log."""
        return re.findall(r'"POST /v1(\S+) HTTP/1.1" (\d+)', self.log)

    def stop(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)  # its children are in its group
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The server, and the folders of `models`, which are made while it starts."""
    server = Server(tmp_path_factory.mktemp("serve"))
    try:
        folder = tmp_path_factory.mktemp("models")
        server.models = {name: make_model(folder / name, reply) for name, reply in REPLIES.items()}
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(running, monkeypatch):
    """The server, with the log of this test only, which is shown if it fails."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    running.new_test()
    yield running
    print(running.log)


def make_model(folder, reply=None):
    """Save a random Llama of ten thousand weights that reads bytes, and return its path.

    With `reply`, the whole of which is one token, its generation settings leave it no other.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = [_END, "<|system|>", "<|user|>", "<|assistant|>"]
    tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    if reply is not None:
        (spelling, _), *_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(reply)
        tokens.append(spelling)
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_END,
        pad_token=_END,
        chat_template="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>",
    ).save_pretrained(folder)

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1}
    tokens_of_note = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
    config = LlamaConfig(
        vocab_size=len(tokens), max_position_embeddings=8192, initializer_range=0.5, **sizes, **tokens_of_note
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    if reply is None:  # the server lets a reply have 1,024 tokens or more, so that something else must end it
        how = {"min_new_tokens": 6, "exponential_decay_length_penalty": (12, 2.0)}
    else:
        how = {"sequence_bias": [[[len(tokens) - 1], 1e3], [[len(tokens) - 1, 0], 1e6]]}  # the reply, then the end
    model.generation_config = GenerationConfig(do_sample=False, **tokens_of_note, **how)
    model.save_pretrained(folder)
    return str(folder)


def annotate(server, model, **params):
    params = {"base_url": server.base_url, "max_retries": 0, **params}
    return LLMHypothesisAnnotator(hypotheses=HYPOTHESES, annotator=server.models.get(model, model), **params)


@pytest.mark.parametrize("concepts_per_call", [1, 2])
@pytest.mark.parametrize(("api", "path"), [("chat", "/chat/completions"), ("responses", "/responses")])
def test_nonsense_is_nan(server, api, path, concepts_per_call):
    annotator = annotate(server, "nonsense", api=api, concepts_per_call=concepts_per_call)
    with pytest.warns(RuntimeWarning) as warned:
        out = annotator.transform(TEXTS)
    assert out.shape == (4, 2)
    assert np.isnan(out).all()
    (warning,) = warned
    assert re.match(r"8 of 8 annotations .*unreadable reply.* are NaN", str(warning.message))
    usage = annotator.usage_
    assert usage["failed"] == 8
    assert server.served() == [(path, "200")] * usage["requests"]
    assert usage["prompt_tokens"] > 100 * usage["requests"]  # a token is a byte
    assert usage["completion_tokens"] > 6 * usage["requests"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_answers_are_read_and_counted(server, api):
    annotator = annotate(server, "yes", api=api)
    estimated = annotator.estimate_cost(len(TEXTS))["requests"]
    np.testing.assert_array_equal(annotator.transform(TEXTS), 1)
    assert annotator.usage_["requests"] == estimated == len(server.served()) == 8
    assert annotator.usage_["completion_tokens"] == 2 * 8  # the reply and the end
    np.testing.assert_array_equal(annotator.transform(TEXTS), 1)
    assert len(server.served()) == 8
    assert annotator.usage_["cached"] == 8


def test_tokens_are_those_of_the_server(server):
    """A token is a byte: one more in the text is one more in the request about each hypothesis."""

    def spent(text):
        annotator = annotate(server, "yes")
        annotator.transform([text])
        return annotator.usage_["prompt_tokens"]

    assert spent("a cold soup") - spent("a cold sou") == 2
    assert spent("好") - spent("a") == 2 * 2


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_several_concepts_a_call(server, api):
    """The server ignores the schema; the reply is read all the same."""
    annotator = annotate(server, "json", api=api, concepts_per_call=2)
    np.testing.assert_array_equal(annotator.transform(TEXTS), [[1, 0]] * 4)
    assert annotator.usage_["requests"] == len(server.served()) == 4


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("model", ["nonsense", "yes"])
def test_probability_needs_what_the_server_does_not_give(server, model, api):
    with pytest.raises(ValueError, match="log-probabilities"):
        annotate(server, model, api=api, output="probability", max_concurrency=1).transform(TEXTS)


@pytest.mark.parametrize("max_retries", [0, 1])
def test_unknown_model(server, max_retries):
    """This server calls a model that it cannot load an internal error, and hangs up; it is not asked to the end."""
    annotator = annotate(server, "nobody/no-such-model", max_concurrency=2, max_retries=max_retries)
    texts = [f"{text} Visit {i}." for i in range(10) for text in TEXTS]
    with pytest.warns(RuntimeWarning, match=r"^80 of 80 annotations .*HTTP 500") as warned:
        out = annotator.transform(texts)
    assert np.isnan(out).all()
    assert len(warned) == 1
    assert 0 < len(server.served()) < 40


def test_model_that_a_pinned_server_refuses(server, tmp_path):
    pinned = Server(tmp_path, model=server.models["yes"])
    try:
        pinned.wait()
        pinned.models = server.models
        np.testing.assert_array_equal(annotate(pinned, "yes").transform(TEXTS[:1]), 1)
        with pytest.raises(ValueError, match="nobody/no-such-model"):
            annotate(pinned, "nobody/no-such-model", max_concurrency=1, max_retries=5).transform(TEXTS)
        assert [status for _, status in pinned.served()] == ["200", "200", "400"]
    finally:
        pinned.stop()
        print(pinned.log)


def words(*words):
    return CountVectorizer(vocabulary=words, dtype=np.float32)


def test_names_and_judges(server, planted):
    annotator = LLMHypothesisAnnotator(
        words("cold", "rude"),
        interpreter=server.models["phrase"],
        annotator=server.models["yes"],
        n_scoring_examples=4,
        base_url=server.base_url,
        random_state=0,
    )
    annotator.fit(planted.texts)
    assert annotator.hypotheses_["interpretation"].tolist() == [REPLIES["phrase"]] * 2
    np.testing.assert_array_equal(annotator.hypotheses_["fidelity_recall"], 1)
    np.testing.assert_array_equal(annotator.hypotheses_["fidelity_precision"], 0.5)
    np.testing.assert_array_equal(annotator.transform(planted.texts[:3]), 1)


def test_nonsense_names(server, planted):
    annotator = LLMHypothesisAnnotator(
        words("cold", "rude"),
        interpreter=server.models["nonsense"],
        annotator=server.models["nonsense"],
        base_url=server.base_url,
        random_state=0,
    )
    with pytest.raises(ValueError, match="No neuron could be named: 2 of 2"):
        annotator.fit(planted.texts)


def test_nonsense_about_names(server, planted):
    annotator = LLMHypothesisAnnotator(
        words("cold", "rude"),
        interpreter=server.models["phrase"],
        annotator=server.models["nonsense"],
        n_scoring_examples=4,
        base_url=server.base_url,
        random_state=0,
    )
    with pytest.warns(RuntimeWarning, match=r"^(\d+) of \1 annotations") as warned:
        annotator.fit(planted.texts)
    assert len(warned) == 1
    assert annotator.hypotheses_["fidelity_f1"].isna().all()
    assert list(annotator.get_feature_names_out()) == [REPLIES["phrase"], REPLIES["phrase"] + " (2)"]
    with pytest.warns(RuntimeWarning, match="3 of 3 annotations"):  # the same phrase is asked about once
        assert np.isnan(annotator.transform(planted.texts[:3])).all()


def test_script(server):
    """As a user runs it: exit code 0, a warning, no stack trace."""
    script = f"""
from sklearn_sae import LLMHypothesisAnnotator

annotator = LLMHypothesisAnnotator(
    hypotheses={HYPOTHESES!r}, annotator={server.models["nonsense"]!r}, base_url={server.base_url!r}
)
print(annotator.transform({TEXTS!r}).tolist())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([[math.nan] * 2] * 4)
    assert done.stderr.count("RuntimeWarning: 8 of 8 annotations") == 1
    assert "Traceback" not in done.stderr
