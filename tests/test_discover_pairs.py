"""discover on pairs of texts."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import LLMHypothesisAnnotator, PairTransformer, discover, evaluate_hypotheses, show_neurons
from sklearn_sae._text_pairs import copies_of_pairs
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

SMALL = {"n_components": 12, "k": 3, "n_hypotheses": 4, "random_state": 0}


@pytest.fixture(scope="module")
def answers():
    """Pairs of reviews with a prompt each, of which the one with more stars wins."""
    reviews = make_concept_texts(1000, n_concepts=5, noise=0.2, random_state=0)
    pairs = np.array(reviews.data, dtype=object).reshape(-1, 2)
    stars = reviews.target.reshape(-1, 2)
    return pd.DataFrame(
        {
            "prompt": [f"How was visit number {i} to the place in street {i % 97}?" for i in range(500)],
            "response_a": pairs[:, 0],
            "response_b": pairs[:, 1],
            "winner": np.where(stars[:, 0] > stars[:, 1], "response_a", "response_b"),
            "lead": stars[:, 0] - stars[:, 1],
        }
    )


TEXTS = ["prompt", "response_a", "response_b"]


@pytest.fixture(scope="module")
def found(answers):
    with pytest.warns(UserWarning, match=r"difference in length is a control, .* control_length=False leaves it out"):
        return discover(answers[TEXTS], answers["winner"], **SMALL)


def test_the_tests_are_of_win_rates_beyond_length(answers, found):
    pairs = answers[TEXTS].to_numpy()[found.test]
    annotations = found.pipeline["hypotheses"].transform(pairs)
    assert set(np.unique(annotations)) == {-1, 0, 1}
    n = np.array([[len(text) for text in row[1:]] for row in pairs], dtype=float)
    of_all = np.log([[len(text) for text in row[1:]] for row in answers[TEXTS].to_numpy()]) @ [1, -1]
    ratio = np.log(n) @ [1, -1]
    length = np.column_stack([ratio, n @ [1, -1], np.tanh(ratio / of_all.std())])
    again = evaluate_hypotheses(
        annotations,
        answers["winner"].to_numpy()[found.test] == "response_a",
        hypotheses=found.pipeline["hypotheses"].get_feature_names_out(),
        controls=length,
    ).table
    given = found.evaluation.table
    for column in ("separation_score", "pvalue", "controlled_score", "controlled_pvalue"):
        np.testing.assert_allclose(given[column], again[column], err_msg=column)
    assert found.evaluation.controls == ("length",)
    assert found.table["significant"].any()
    assert found.scores["auc"] > 0.65


def test_classes_that_are_called_first_and_second_are_said_once(answers):
    winner = answers["winner"].map({"response_a": "first", "response_b": "second"})
    with pytest.warns(UserWarning, match="difference in length"):
        printed = " ".join(str(discover(answers[TEXTS], winner, **SMALL)).split())
    assert re.search(r"which text wins: the first \(\d+%\) or the second\. ", printed)


def test_a_swapped_pair_has_the_opposite_prediction(answers, found):
    swapped = answers[["prompt", "response_b", "response_a"]].to_numpy()
    probability = found.pipeline.predict_proba(answers[TEXTS].to_numpy())
    np.testing.assert_allclose(found.pipeline.predict_proba(swapped), probability[:, ::-1], atol=1e-12)
    assert set(found.pipeline.predict(swapped)) == {"response_a", "response_b"}


@pytest.mark.parametrize("width", [80, 100])
def test_what_is_printed(found, width):
    text = found.to_text(width=width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "500 pairs of texts; the target 'winner' is which text wins: the first (response_a, " in words
    assert "They are found in what length leaves of the target" in words
    assert "effect: win rate above 50%, in points of percentage, of the text for which the hypothesis holds" in words
    assert "differs: where it holds for one alone" in words


def test_the_page_shows_prompts_above_both_texts(found, tmp_path):
    page = found.to_html(tmp_path / "page.html", texts="all").read_text("utf-8")
    assert "How was visit number" in page
    assert "it wins in" in page
    assert "Rows are pairs of texts: the autoencoder was trained on single texts" in page
    first = page.index('<p class="side">Prompt</p>')
    assert first < page.index('<p class="side">First</p>', first) < page.index('<p class="side">Second</p>', first)
    assert "How was visit" not in found.to_html(tmp_path / "none.html", texts="none").read_text("utf-8")


def test_neurons_are_shown_with_prompts(answers, found):
    rows = answers[TEXTS].to_numpy()[:200]
    shown = str(show_neurons(found, rows, answers["winner"][:200], n=1))
    assert "prompt: How was visit number" in " ".join(shown.split())
    assert "stronger in the first" in shown


def test_a_lead_and_no_control(answers):
    pairs = list(zip(answers["response_a"], answers["response_b"], strict=True))
    found = discover(pairs, answers["lead"], control_length=False, **SMALL)
    assert found.evaluation.task == "regression"
    assert found.evaluation.controls == ()
    assert "effect: lead in lead of the text" in " ".join(str(found).split())
    assert found.scores["r2"] > 0


def test_length_alone_is_nothing_beyond_length():
    """The longer text mostly wins, and texts with apples are longer."""
    rng = np.random.default_rng(0)
    words = ["river", "stone", "cloud", "green", "window", "paper", "music", "garden"]

    def text():
        long = rng.random() < 0.5
        some = [*rng.choice(words, size=rng.integers(30, 50) if long else rng.integers(10, 30))]
        return " ".join([*some, *["apple"] * (long and rng.random() < 0.8)])

    pairs = np.array([[text(), text()] for _ in range(600)], dtype=object)
    wins = [(len(a) > len(b)) == (rng.random() < 0.85) for a, b in pairs]
    options = {"n_components": 8, "k": 2, "n_hypotheses": 3, "random_state": 0}
    plain = discover(pairs, wins, control_length=False, **options).table
    apples = plain["hypothesis"].str.contains("apple")
    assert plain.loc[apples, "significant"].any()
    table = discover(pairs, wins, **options).table
    apples = table["hypothesis"].str.contains("apple")
    assert not table["significant_controlled"].any()
    assert (table.loc[apples, "controlled_score"].abs() < 0.12).all()


def test_length_controls_single_texts_on_request():
    reviews = make_concept_texts(300, n_concepts=3, random_state=0)
    assert discover(reviews.data, reviews.target, **SMALL).evaluation.controls == ()
    assert discover(reviews.data, reviews.target, control_length=True, **SMALL).evaluation.controls == ("length",)


def test_pairs_that_share_a_text_are_on_one_side(answers):
    rows = answers[["response_a", "response_b"]].to_numpy().copy()
    rows[1::5, 0] = rows[::5, 1]  # of each five the second pair begins with what the first one ends with
    found = discover(rows, answers["winner"], **SMALL)
    is_test = np.isin(np.arange(500), found.test)
    np.testing.assert_array_equal(is_test[::5], is_test[1::5])
    assert any("pairs share a prompt or, at least nearly, a text with others" in note for note in found.notes)
    assert found.evaluation.standard_errors == "clustered"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.tile(["good", "bad"], 250), "y must say which text of a pair wins: 1 or 0.* it has 'bad', 'good'"),
        (np.resize(["a", "b", "tie"], 500), "it has 'a', 'b', 'tie'. Leave ties out"),
    ],
)
def test_targets_that_do_not_say_who_wins(answers, y, message):
    with pytest.raises(ValueError, match=message):
        discover(answers[TEXTS], y, **SMALL)


def test_a_language_model_compares(answers, openai_server):
    def reply(body):
        user = body["messages"][1]["content"]
        if body["model"] == "gpt-5.2":
            return "mentions the wait"
        a = user.partition("response A>\n")[2].partition("</text")[0]
        b = user.partition("response B>\n")[2]
        waits = ["wait" in a, "wait" in b.partition("</text")[0]]
        return "neither" if waits[0] == waits[1] else "A" if waits[0] else "B"

    openai_server.reply = reply
    annotator = LLMHypothesisAnnotator(
        base_url=openai_server.base_url, cache_dir=None, n_scoring_examples=10, max_retries=0, random_state=0
    )
    some = answers[:150]
    found = discover(some[TEXTS], some["winner"], naming=annotator, **{**SMALL, "n_hypotheses": 1})
    step = found.pipeline["hypotheses"]
    assert isinstance(step, PairTransformer)
    assert (step.order, step.judge) == ("before", "pairs")
    assert step.transformer_.encoder_["sae"].signed
    assert found.table["hypothesis"].tolist() == ["mentions the wait"]
    assert set(np.unique(step.transform(some[TEXTS]))) <= {-1, 0, 1}


def test_the_command_line(answers, tmp_path, capsys):
    file, report = tmp_path / "answers.csv", tmp_path / "report.html"
    answers.to_csv(file, index=False)
    options = ["--text", "response_a", "--text-b", "response_b", "--prompt", "prompt", "--target", "winner"]
    sizes = ["-M", "12", "-K", "3", "--n-hypotheses", "4"]
    main(["discover", str(file), *options, *sizes, "--report", str(report)])
    printed = capsys.readouterr().out
    assert "500 pairs of texts; the target 'winner' is which text wins" in printed
    assert "win rate above 50%" in " ".join(printed.split())
    assert "How was visit number" in report.read_text("utf-8")
    main(["discover", str(file), *options, *sizes, "--no-control-length", "--verbose"])
    printed = capsys.readouterr()
    assert "length leaves" not in printed.out
    assert "Embedding 400 pairs, then" in printed.err


def test_prompts_of_one_template_are_no_copies():
    words = np.random.default_rng(0).permutation([f"w{i}" for i in range(2400)]).reshape(-1, 12)
    texts = np.array([" ".join(row) for row in words], dtype=object).reshape(-1, 2)
    template = "Please write a short and friendly answer to the following question of a customer of our shop: "
    prompts = [template + str(i) for i in range(len(texts))]
    prompts[1] = prompts[0]
    pairs = np.column_stack([np.array(prompts, dtype=object), texts])
    groups = copies_of_pairs(pairs)
    assert groups[0] == groups[1]
    assert len(np.unique(groups)) == len(pairs) - 1
