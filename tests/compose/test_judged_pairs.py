"""Pairs that a language model judges side by side: `PairTransformer(judge="pairs")`."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_sae import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, PairTransformer, evaluate_hypotheses

PART = re.compile(r"<(text-\w+)([ .\d]*) (prompt|response A|response B)>\n(.*?)\n</\1>", re.DOTALL)


def parts(body):
    """Return the parts of the pair in a request as a dict."""
    return {head: text for _, _, head, text in PART.findall(body["messages"][1]["content"])}


def judge(openai_server, reply, **params):
    openai_server.reply = reply
    params = {"hypotheses": ["mentions soup"], "base_url": openai_server.base_url, "max_retries": 0, **params}
    return PairTransformer(LLMHypothesisAnnotator(**params), judge="pairs")


def made(n, seed=0):
    """Return pairs of which half have soup in the first text and half in the second, with a prompt each."""
    rng = np.random.default_rng(seed)
    rows = [(f"What did you eat on day {i}?", f"Soup, {i}.", f"Bread, {i}.") for i in range(n)]
    return [(prompt, *answers[:: rng.choice([-1, 1])]) for prompt, *answers in rows]


def test_more_of_it_wherever_it_stands(openai_server):
    bodies = []

    def reply(body):
        bodies.append(body)
        return "A" if "Soup" in parts(body)["response A"] else "Response B."

    pairs = made(40)
    annotations = judge(openai_server, reply).fit(pairs).transform(pairs)
    assert annotations.ravel().tolist() == [1 if "Soup" in first else -1 for _, first, _ in pairs]
    assert len(bodies) == 40  # one request a pair
    assert {parts(body)["prompt"] for body in bodies} == {prompt for prompt, *_ in pairs}
    shown_first = np.array([parts(body)["response A"] for body in bodies])
    given_first = np.array([first for _, first, _ in pairs])
    assert 10 < np.isin(given_first, shown_first).sum() < 30  # about half are shown in the order given


def test_the_reverse_has_the_opposite_answer_and_costs_nothing(openai_server):
    bodies = []
    pairs = made(12)
    model = judge(openai_server, lambda body: bodies.append(body) or ("A", "B", "neither")[len(bodies) % 3])
    annotations = model.fit(pairs).transform(pairs)
    assert set(annotations.ravel()) == {-1, 0, 1}
    reverse = [(prompt, second, first) for prompt, first, second in pairs]
    np.testing.assert_array_equal(model.transform(reverse), -annotations)
    assert len(bodies) == 12


def test_a_model_that_always_says_a_has_no_effect(openai_server):
    """Where the first text wins more often than not, a preference for what is read first is no effect."""
    pairs = made(400)
    wins = np.random.default_rng(1).random(400) < 0.7
    annotations = judge(openai_server, lambda body: "A").fit(pairs).transform(pairs)
    assert 150 < (annotations == 1).sum() < 250
    row = evaluate_hypotheses(annotations, wins).table.iloc[0]
    assert abs(row["separation_score"]) < 0.06
    assert row["pvalue"] > 0.05
    assert judge(openai_server, lambda body: "A").fit(pairs).transform([("Same?", "Yes.", "Yes.")])[0, 0] == 0


@pytest.mark.parametrize("on_error", ["nan", "raise"])
def test_equal_texts_are_not_asked(openai_server, on_error):
    bodies = []
    pairs = [("Same?", "Yes.", "Yes."), *made(3), ("Again?", "No. Not today.", "No. Not ever.")]
    model = judge(openai_server, lambda body: bodies.append(body) or "A", max_words=2, on_error=on_error).fit(pairs)
    annotations = model.transform(pairs).ravel()
    assert set(annotations[1:4]) <= {-1, 1}
    assert annotations[[0, 4]].tolist() == [0, 0]  # the last two are equal as they are shown, cut to their first words
    assert not np.signbit(annotations[[0, 4]]).any()
    assert len(bodies) == model.transformer_.usage_["requests"] == 3
    assert model.transform([("Same?", "Yes.", "Yes.")]).tolist() == [[0]]
    assert len(bodies) == 3


def test_neither_is_zero_without_a_sign_in_either_order(openai_server):
    pairs = made(12)
    annotations = judge(openai_server, lambda body: "neither").fit(pairs).transform(pairs)
    assert not annotations.any()
    assert not np.signbit(annotations).any()


def test_names_come_from_pairs_with_their_prompts(openai_server):
    asked = []

    def reply(body):
        user = body["messages"][1]["content"]
        if body["model"] == "gpt-5.2":
            asked.append((body["messages"][0]["content"], user))
            return "Property: mentions soup\nHolds for: 5"
        found = parts(body)
        return "A" if "Soup" in found["response A"] else "B" if "Soup" in found["response B"] else "neither"

    openai_server.reply = reply
    pairs = [*made(24), *((f"Day {i}?", f"Rice {i}.", f"Tea {i}.") for i in range(8))]
    encoder = make_pipeline(CountVectorizer(vocabulary=["soup"], dtype=np.float32), MaxAbsScaler())
    annotator = LLMHypothesisAnnotator(
        encoder, n_scoring_examples=6, base_url=openai_server.base_url, max_retries=0, random_state=0
    )
    pair = PairTransformer(annotator, order="before", judge="pairs").fit(pairs)
    assert pair.get_feature_names_out().tolist() == ["mentions soup"]
    assert pair.transformer_.hypotheses_["fidelity_f1"].tolist() == [1]
    annotations = pair.transform(pairs).ravel()
    assert annotations.tolist() == [1 if "Soup" in a else -1 if "Soup" in b else 0 for _, a, b in pairs]
    (system, user), *_ = asked
    assert "response A has more of than response B" in system
    group_1 = user.partition("Group 2")[0]
    shown = [(head, text) for _, _, head, text in PART.findall(group_1)]
    assert {head for head, _ in shown} == {"prompt", "response A", "response B"}
    assert all("Soup" in text for head, text in shown if head == "response A")
    assert any(text.startswith("What did you eat") for _, text in shown)


def test_several_concepts_and_long_texts(openai_server):
    bodies = []
    model = judge(
        openai_server,
        lambda body: bodies.append(body) or '{"1": "A", "2": "neither"}',
        hypotheses=["is long", "is rude"],
        concepts_per_call=2,
        max_words=5,
    )
    pairs = [(f"Why {'very ' * 10}late {i}?", "one " * 9 + str(i), "two " * 9) for i in range(4)]
    with pytest.warns(UserWarning, match="longer than max_words=5 words"):
        annotations = model.fit(pairs).transform(pairs)
    assert np.abs(annotations).tolist() == [[1, 0]] * 4
    assert all(len(text.split()) < 8 for body in bodies for text in parts(body).values())
    assert all(len(parts(body)) == 3 for body in bodies)


def test_a_column_called_prompt_may_stand_anywhere(openai_server):
    bodies = []
    frame = pd.DataFrame(made(4), columns=["prompt", "response_a", "response_b"])
    model = judge(openai_server, lambda body: bodies.append(body) or "A").fit(frame)
    one = model.transform(frame)
    np.testing.assert_array_equal(model.transform(frame[["response_a", "prompt", "response_b"]]), one)
    assert len(bodies) == 4


def test_the_prompt_is_not_embedded():
    pairs = made(6)
    with_prompt = PairTransformer(CountVectorizer()).fit(pairs)
    without = PairTransformer(CountVectorizer()).fit([pair[1:] for pair in pairs])
    np.testing.assert_array_equal(
        with_prompt.transform(pairs).toarray(), without.transform([p[1:] for p in pairs]).toarray()
    )
    assert "day" not in with_prompt.get_feature_names_out()


@pytest.mark.parametrize(
    ("transformer", "options", "message"),
    [
        (CountVectorizer(), {}, "needs an LLMHypothesisAnnotator; got a CountVectorizer"),
        (KeywordHypothesisAnnotator(CountVectorizer()), {}, "needs an LLMHypothesisAnnotator; got a Keyword"),
        (LLMHypothesisAnnotator(make_pipeline(CountVectorizer(), MaxAbsScaler())), {}, 'needs order="before"'),
    ],
)
def test_what_judges_no_pairs(transformer, options, message):
    with pytest.raises(ValueError, match=message):
        PairTransformer(transformer, judge="pairs", **options).fit(made(4))


@pytest.mark.parametrize("params", [{"answers": {"yes": 1, "no": 0}}, {"output": "probability"}])
def test_other_answers_are_refused(openai_server, params):
    with pytest.raises(ValueError, match="pairs are judged by A, B or neither"):
        judge(openai_server, lambda body: "A", **params).fit(made(4)).transform(made(4))
