"""A real language model, SmolLM2-135M-Instruct, behind the real servers of transformers and of llama.cpp.

It is a weak model: of its answers in a chat no more is asked than that they can be read, since in our own words it says
yes to the same texts whatever the property is. That it is asked the right thing shows in its log-probabilities, which
llama.cpp's server gives, where it goes on from examples and does not chat.
"""

import shutil
import signal
import subprocess
import sys
import time
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from sklearn_sae import LLMHypothesisAnnotator
from sklearn_sae._persistence import save_model
from sklearn_sae.utils.server import _local

pytestmark = pytest.mark.slow

FOOTBALL = [
    "The striker scored twice before half time.",
    "Arsenal lost two goals to nil away from home.",
    "The goalkeeper saved a late penalty.",
    "The referee showed a red card in the second half.",
    "The club signed a new midfielder from Madrid.",
    "Fans sang in the stadium after the derby.",
    "The match ended in a draw after extra time.",
    "The coach praised the defence after the win.",
]
FOOD = [
    "The soup was cold but the bread was fresh.",
    "We ordered two pizzas and a salad.",
    "The steak was tender and the fries were crisp.",
    "I had pancakes with maple syrup for breakfast.",
    "The curry was far too salty for me.",
    "Great sushi, and the tempura was light.",
    "Dessert was a warm chocolate cake with ice cream.",
    "The burger came with cheese and onions.",
]
TEXTS = FOOTBALL + FOOD
MORE_FOOTBALL = [
    "A corner in the last minute gave them the cup.",
    "He missed the penalty and they went out.",
    "The home side pressed high from the kick-off.",
    "Their captain was injured and left the pitch.",
    "The league title will be decided on Sunday.",
    "An own goal settled a dull game.",
    "The winger crossed and the forward headed it in.",
    "The team trained in the rain before the final.",
    "Two defenders were booked for a foul on the keeper.",
    "The transfer of the young striker cost forty million.",
    "They played with ten men for most of the match.",
    "The world cup begins in June with eight groups.",
]
MORE_FOOD = [
    "The pasta was overcooked and the sauce was bland.",
    "They serve the best tacos in town.",
    "My omelette was full of mushrooms and ham.",
    "The lobster was sweet and came with melted butter.",
    "A bowl of noodles with pork costs nine dollars.",
    "The salad had wilted leaves and no dressing.",
    "We shared a plate of olives, hummus and flat bread.",
    "The chicken wings were spicy and the dip was creamy.",
    "Their coffee is bitter, but the croissants are flaky.",
    "I would come back for the fried rice alone.",
    "The fish was grilled with lemon and herbs.",
    "The waiter brought a sandwich without any cheese.",
]


@pytest.fixture(scope="module", params=["transformers", "llama.cpp"])
def served(request, tmp_path_factory):
    """The parameters of an annotator that asks the model, whose server ends with the tests."""
    if request.param == "transformers":
        missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
        if missing:
            pytest.skip(f"needs transformers[serving]; missing: {', '.join(missing)}")
        model = request.getfixturevalue("smollm2")
    else:
        model = request.getfixturevalue("smollm2_file")
        if shutil.which("llama-server") is None and find_spec("xllamacpp") is None:
            pytest.skip("needs llama.cpp's server: pip install --no-deps xllamacpp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("LLAMA_ARG_THREADS", "1")  # because two threads crawl where other tests run beside
        patch.setattr(_local, "_held", held := {})
        base_url = _local.local_address(request.param, model)
        greedy = {"temperature": 0}  # because a reply that is drawn at random now and then says nothing
        params = {"annotator_params": greedy, "interpreter_params": greedy}
        yield {"base_url": base_url, "annotator": model, "interpreter": model, **params}
        for file in held.values():
            file.close()


def test_one_concept_a_call(served):
    own = LLMHypothesisAnnotator(hypotheses=["is about food"], **served)
    annotations = own.transform(TEXTS)
    assert np.isfinite(annotations).mean() >= 0.95
    assert own.usage_["requests"] <= 2 * len(TEXTS)
    assert own.usage_["completion_tokens"] <= 32 * own.usage_["requests"]


def test_two_concepts_a_call(served, request):
    own = LLMHypothesisAnnotator(hypotheses=["is about food", "is about football"], concepts_per_call=2, **served)
    least = 1 if request.node.callspec.params["served"] == "llama.cpp" else 0.95  # that one holds replies to a schema
    assert np.isfinite(own.transform(TEXTS[4:12])).mean() >= least


def test_a_second_run_asks_nothing(served, tmp_path):
    own = LLMHypothesisAnnotator(hypotheses=["is about food"], cache_dir=tmp_path, **served)
    first = own.transform(TEXTS[6:10])
    answered = np.flatnonzero(np.isfinite(first[:, 0]))
    assert len(answered) >= 2
    again = clone(own).set_params(max_requests=0)
    np.testing.assert_array_equal(again.transform([TEXTS[6 + i] for i in answered]), first[answered])
    assert again.usage_["cached"] == len(answered)


def test_answers_with_a_third(served):
    """A weak model repeats the property in place of an answer: what cannot be read is NaN, and nothing else ends."""
    answers = {"yes": 1, "no": 0, "cannot tell": 0.5}
    own = LLMHypothesisAnnotator(hypotheses=["is about food"], answers=answers, on_error="nan", **served)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        annotations = own.transform(TEXTS[6:10])
    assert set(annotations[np.isfinite(annotations)]) <= {0, 0.5, 1}
    assert own.usage_["failed"] == np.isnan(annotations).sum()


def test_probability(served, request):
    own = LLMHypothesisAnnotator(hypotheses=["is about football"], output="probability", **served)
    if request.node.callspec.params["served"] == "transformers":
        with pytest.raises(ValueError, match="log-probabilities"):
            own.transform(TEXTS[:2])
        return
    probabilities = own.transform(TEXTS[6:10])[:, 0]
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert len(set(probabilities)) == 4


# Goes on from what is said, without the marks of a chat, so that examples are a pattern to go on with.
BARE = """
import sys, threading, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.cpuparams.n_threads = sys.argv[1], 1
params.use_jinja, params.chat_template = True, "{{ messages | map(attribute='content') | join('\\n\\n') }}"
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
threading.Event().wait()
"""
SHOTS = {
    "The cake was sweet.": "food",
    "The tennis player won the race.": None,
    "The goalkeeper caught the ball.": "football",
    "We ate rice and beans.": "food",
    "He bought a new car.": None,
    "Their team won the cup.": "football",
    "The tea came with biscuits.": "food",
    "Her shot hit the post in the second half.": "football",
}


@pytest.fixture
def bare_server(smollm2_file, tmp_path):
    """The address of llama.cpp's server, with a template of bare words."""
    pytest.importorskip("xllamacpp", reason="needs llama.cpp's server: pip install --no-deps xllamacpp")
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", BARE, smollm2_file], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        while not (line := process.stdout.readline()).startswith("http"):
            assert line, (tmp_path / "log").read_text(errors="replace")
        yield f"{line.strip()}/v1"
    finally:
        process.kill()
        process.communicate()


def test_what_the_model_says_is_true(bare_server, smollm2_file):
    """Whether a text is about food rather than football, by which of the two properties is the likelier for it.

    The difference is of the answers to two questions about one text, because of this model the text alone moves all.
    By it the area is 0.97 (by one property alone 0.65 and 0.87); where the property or the text did not arrive it would
    be 0.5, with a standard deviation of 0.09.
    """
    prompt = "Is it true of the text? {form}\n\n"
    for i, (text, topic) in enumerate(SHOTS.items()):
        for asked in [("football", "food"), ("food", "football")][i % 2]:
            answer = "yes" if asked == topic else "no"
            prompt += f'<text-0a1b2c3d>\n{text}\n</text-0a1b2c3d>\nThis text "is about {asked}": {answer}\n\n'
    own = LLMHypothesisAnnotator(
        hypotheses=["is about food", "is about football"],
        output="probability",
        annotator=smollm2_file,
        annotator_prompt=prompt + "{text}\nThis text {properties}:",
        annotator_params={"max_tokens": 1},
        base_url=bare_server,
        timeout=600,
    )
    texts = FOOTBALL + MORE_FOOTBALL + FOOD + MORE_FOOD
    food, football = logit(own.transform(texts).clip(1e-6, 1 - 1e-6)).T
    assert len(texts) == 40
    assert roc_auc_score(np.arange(40) >= 20, food - football) > 0.8
    assert own.usage_["failed"] == 0
    assert own.usage_["requests"] == 80


def test_interpretation(served, encoder, planted):
    own = LLMHypothesisAnnotator(encoder, neurons=[0], n_examples=6, n_scoring_examples=4, random_state=0, **served)
    own.fit(planted.texts)
    (name,) = own.get_feature_names_out()
    assert 3 < len(name) <= 300
    assert own.usage_["completion_tokens"] < 2000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT] if hasattr(signal, "SIGKILL") else [])
def test_a_run_that_is_ended_goes_on(served, number, tmp_path):
    texts = [f"{text} Visit {number}." for text in TEXTS[4:12]]
    script = f"""
from sklearn_sae import LLMHypothesisAnnotator
own = LLMHypothesisAnnotator(hypotheses=["is kind"], max_concurrency=2, cache_dir={str(tmp_path)!r}, **{served!r})
own.transform({texts[:1]!r})
print("first", flush=True)
own.transform({texts!r})
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "first\n"
    time.sleep(1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert number == signal.SIGKILL or "KeyboardInterrupt" in errors
    own = LLMHypothesisAnnotator(hypotheses=["is kind"], cache_dir=tmp_path, **served)
    own.transform(texts)
    assert own.usage_["cached"] >= 1


def test_a_server_that_the_command_line_starts(smollm2, rule_server, encoder, planted, tmp_path, monkeypatch):
    """A model is made with another server, and its texts go to the one that is started, which ends with the command."""
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        pytest.skip(f"needs transformers[serving]; missing: {', '.join(missing)}")
    own = LLMHypothesisAnnotator(encoder, neurons=[1, 3], annotator=smollm2, base_url=rule_server.base_url)
    own.set_params(n_scoring_examples=0, random_state=0)
    pipeline = Pipeline([("hypotheses", own), ("impute", SimpleImputer()), ("model", LinearRegression())])
    save_model(pipeline.fit(planted.texts, planted.y), tmp_path / "model.json", {})
    pd.DataFrame({"text": TEXTS[6:10]}).to_csv(tmp_path / "texts.csv", index=False)
    n_before = len(rule_server.requests)
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    command = [sys.executable, "-m", "sklearn_sae", "apply", "model.json", "texts.csv", "--text", "text"]
    command += ["--server", "transformers", "--output", "out.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["text"].tolist() == TEXTS[6:10]
    annotations = table[["mentions cold", "mentions rude"]].to_numpy(dtype=float)
    assert np.isfinite(annotations).mean() >= 0.5
    assert set(annotations[np.isfinite(annotations)]) <= {0, 1}
    assert np.isfinite(table["prediction"]).all()
    assert len(rule_server.requests) == n_before
    (folder,) = (tmp_path / "cache" / "servers").iterdir()
    deadline = time.monotonic() + 30
    while _local._is_running(folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _local._answers(_local._port(folder))
