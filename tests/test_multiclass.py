"""A target of several classes, from texts to the printed table."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_validate, permutation_test_score
from sklearn.pipeline import make_pipeline

from sklearn_sae import (
    ChunkTransformer,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    PairTransformer,
    evaluate_hypotheses,
    make_hypothesis_pipeline,
    match_hypotheses,
)
from sklearn_sae.datasets import make_concept_texts

CLASSES = ["app", "email", "website"]


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(600, n_concepts=5, task="multiclass", noise=0.2, random_state=1)
    reviews.data = np.array(reviews.data, dtype=object)
    return reviews


def small(model="auto"):
    embed = make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(24, random_state=0))
    pipeline = make_hypothesis_pipeline(embed, n_components=16, k=4, n_hypotheses=5, model=model, random_state=0)
    return pipeline.set_params(hypotheses__encoder__sae__max_epochs=8, hypotheses__encoder__sae__target_weight=0.0)


def as_category(y, *, unused):
    return pd.Series(pd.Categorical(y, categories=sorted([*np.unique(y).tolist(), unused])))


# --- the pipeline and searches ------------------------------------------------------------------------------------


def test_the_pipeline_predicts_labels_probabilities_and_accuracy(reviews):
    X, y = reviews.data, reviews.target
    pipeline = small().fit(X[:400], y[:400])
    assert pipeline.classes_.tolist() == CLASSES
    probabilities = pipeline.predict_proba(X[400:])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    predicted = pipeline.predict(X[400:])
    np.testing.assert_array_equal(predicted, pipeline.classes_[probabilities.argmax(axis=1)])
    assert pipeline.score(X[400:], y[400:]) == pytest.approx((predicted == y[400:]).mean())
    assert roc_auc_score(y[400:], probabilities, multi_class="ovr") > 0.55


def test_labels_of_every_kind_give_the_same_predictions(reviews):
    X, y = reviews.data, reviews.target
    expected = small().fit(X[:400], y[:400]).predict(X[400:])
    numbers = np.unique(y, return_inverse=True)[1] + 1
    kinds = [
        (y.astype(object), np.array(CLASSES)),
        (pd.Series(y, dtype="string"), np.array(CLASSES)),
        (as_category(y, unused="fax"), np.array(CLASSES)),
        (as_category(numbers, unused=7), np.array([1, 2, 3])),
    ]
    for labels, classes in kinds:
        pipeline = small().fit(X[:400], labels[:400])
        assert pipeline.classes_.tolist() == classes.tolist()  # and none for the unused category
        np.testing.assert_array_equal(pipeline.predict(X[400:]), classes[np.searchsorted(CLASSES, expected)])
        assert pipeline.score(X[400:], labels[400:]) == pytest.approx((expected == y[400:]).mean())


def test_a_search_by_auc_of_one_against_the_rest(reviews):
    model = small(LogisticRegression())
    assert is_classifier(model)  # so that folds are stratified
    grid = {"hypotheses__encoder__select__n_neurons": [1, 5]}
    search = GridSearchCV(model, grid, scoring="roc_auc_ovr", cv=2, error_score="raise")
    search.fit(reviews.data, reviews.target)
    few, many = search.cv_results_["mean_test_score"]
    assert 0.45 < few < many
    assert search.best_params_ == {"hypotheses__encoder__select__n_neurons": 5}


def test_a_rare_class_is_learned_with_the_others(reviews):
    y = reviews.target.astype(object)
    y[[3, 200, 590]] = "fax"
    model = small(LogisticRegression())
    scores = cross_validate(model, reviews.data, y, cv=3, scoring=["accuracy", "roc_auc_ovr"], error_score="raise")
    assert np.isfinite(scores["test_accuracy"]).all()
    assert np.isfinite(scores["test_roc_auc_ovr"]).all()  # stratified: a text of the class in every fold


def test_a_class_that_a_fold_lacks(reviews):
    """Folds in the order of the rows, of texts sorted by class: the worst case."""
    order = np.argsort(reviews.target, kind="stable")
    X, y = reviews.data[order], reviews.target[order]
    n_classes = [
        len(estimator.classes_)
        for estimator in cross_validate(small(), X, y, cv=KFold(3), return_estimator=True, error_score="raise")[
            "estimator"
        ]
    ]
    assert min(n_classes) == 2
    only = small().fit(X, y)
    some = y != "email"
    assert only.predict_proba(X[some]).shape == (some.sum(), 3)
    assert 0 <= only.score(X[some], y[some]) <= 1


def test_a_permutation_test_with_classes(reviews):
    words = make_pipeline(
        CountVectorizer(vocabulary=["wait", "friendly", "birthday", "prices", "dessert"], binary=True)
    )
    annotator = KeywordHypothesisAnnotator(make_pipeline(words, NeuronSelector(4)), random_state=0)
    model = make_pipeline(annotator, LogisticRegression())
    score, permuted, pvalue = permutation_test_score(
        model, reviews.data, reviews.target, scoring="roc_auc_ovr", cv=2, n_permutations=9, random_state=0
    )
    assert permuted.max() < 0.6 < score
    assert pvalue == pytest.approx(0.1)


# --- selection and naming -----------------------------------------------------------------------------------------

WORDS = ["cold", "music", "rude"]  # in alphabetical order: the columns of the encoder


@pytest.fixture(scope="module")
def visits():
    """Texts in which a word stands for a class: the rude staff is told by app, the cold soup by email."""
    rng = np.random.RandomState(0)
    has = rng.rand(200, 3) < 0.3
    texts = [
        f"Visit {i}. " + " ".join(f"There was {word} {word}." for word, there in zip(WORDS, row, strict=True) if there)
        for i, row in enumerate(has)
    ]
    y = np.where(has[:, 2], "app", np.where(has[:, 0], "email", "website"))
    return texts, y


def words_encoder(**parameters):
    return make_pipeline(CountVectorizer(vocabulary=WORDS, dtype=np.float32), NeuronSelector(2, **parameters))


def test_numbers_as_classes_are_selected_like_names_of_classes(visits):
    texts, y = visits
    activations = CountVectorizer(vocabulary=WORDS, dtype=np.float32).transform(texts)
    named = NeuronSelector(2).fit(activations, y)
    numbers = np.unique(y, return_inverse=True)[1]
    as_classes = NeuronSelector(2, task="multiclass").fit(activations, numbers)
    np.testing.assert_array_equal(as_classes.class_scores_, named.class_scores_)
    categories = NeuronSelector(2).fit(activations, as_category(y, unused="fax"))
    assert categories.class_scores_.shape == (3, 3)
    np.testing.assert_array_equal(categories.class_scores_, named.class_scores_)
    assert NeuronSelector(2).fit(activations, numbers).task_ == "regression"
    assert named.get_feature_names_out().tolist() == ["x0", "x2"]
    assert named.classes_[named.class_scores_[:, [0, 2]].argmax(axis=0)].tolist() == ["email", "app"]


def test_the_annotator_says_of_which_class_a_score_is(visits):
    texts, y = visits
    table = KeywordHypothesisAnnotator(words_encoder(), random_state=0).fit(texts, y).hypotheses_
    assert table["feature"].tolist() == ["cold", "rude"]
    assert table["selection_class"].tolist() == ["email", "app"]
    assert (table["selection_score"] > 0).all()
    assert table["interpretation"].tolist() == ['mentions "cold"', 'mentions "rude"']
    not_rude = np.where(np.char.find(texts, "rude") < 0, "app", np.where(np.arange(200) % 2, "email", "website"))
    table = KeywordHypothesisAnnotator(words_encoder(), random_state=0).fit(texts, not_rude).hypotheses_
    (row,) = np.flatnonzero(table["feature"] == "rude")
    assert table["selection_class"][row] == "app"
    assert table["selection_score"][row] < 0
    for target in (y == "app", np.arange(200.0)):
        table = KeywordHypothesisAnnotator(words_encoder(), random_state=0).fit(texts, target).hypotheses_
        assert "selection_class" not in table


def test_a_language_model_is_never_told_the_classes(visits, openai_server):
    texts, y = visits
    y = np.array([f"told-by-{label}" for label in y])

    def reply(body):
        said = json.dumps(body)
        shown = re.findall(r"<text-\w+ A\d+>\\n(.*?)\\n</text", said)
        if shown:  # name what all of group A have
            return "mentions " + next(word for word in WORDS if all(word in text for text in shown))
        text, concept = re.search(r"<text-\w+>\\n(.*?)\\n</text.*this text \W*mentions (\w+)", said).groups()
        return "yes" if concept in text else "no"

    openai_server.reply = reply
    annotator = LLMHypothesisAnnotator(
        words_encoder(),
        base_url=openai_server.base_url,
        instructions="Visits to a restaurant, and the medium in which each was told.",
        n_scoring_examples=10,
        random_state=0,
    ).fit(texts, y)
    assert annotator.get_feature_names_out().tolist() == ["mentions cold", "mentions rude"]
    assert annotator.hypotheses_["selection_class"].tolist() == ["told-by-email", "told-by-app"]
    assert not any("told-by-" in json.dumps(request["body"]) for request in openai_server.requests)
    evaluation = evaluate_hypotheses(
        annotator.transform(texts[:60]), y[:60], hypotheses=annotator.get_feature_names_out()
    )
    assert evaluation.class_metrics["auc"].iloc[0] == 1.0  # rude is app, and nothing else is


def test_chunks_inherit_their_class_and_pairs_go_without(visits):
    texts, y = visits
    documents = [f"{text} And so on, for some words more, until the end." for text in texts]
    annotator = KeywordHypothesisAnnotator(words_encoder(), random_state=0)
    chunks = ChunkTransformer(annotator, max_words=8).fit(documents, as_category(y, unused="fax"))
    assert len(chunks.chunk_document_) > len(documents)
    assert chunks.transformer_.encoder_[-1].classes_.tolist() == CLASSES
    assert set(chunks.transformer_.hypotheses_["selection_class"]) == {"app", "email"}
    pairs = np.array(texts, dtype=object).reshape(-1, 2)
    which = np.where(y[::2] == y[1::2], "tie", np.where(y[::2] == "app", "first", "second"))
    behind = make_pipeline(PairTransformer(CountVectorizer(vocabulary=WORDS, dtype=np.float64)), NeuronSelector(1))
    assert behind.fit(pairs, which)[-1].classes_.tolist() == ["first", "second", "tie"]
    assert behind.get_feature_names_out().tolist() == ["rude"]
    with pytest.raises(ValueError, match="y to be passed") as raised:
        PairTransformer(annotator).fit(pairs, which)
    assert "more than two classes" in raised.value.__notes__[0]


# --- evaluation ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluation(reviews):
    return evaluate_hypotheses(reviews.concepts, reviews.target, hypotheses=reviews.concept_names)


@pytest.mark.parametrize("options", [{}, {"robust": True}, {"groups": np.arange(600) % 60}])
def test_every_class_is_the_binary_question_of_it_against_the_rest(options, reviews):
    A, y = reviews.concepts, reviews.target
    several = evaluate_hypotheses(A, y, **options)
    assert several.class_metrics["class"].tolist() == CLASSES
    assert several.class_metrics["n_samples"].tolist() == [(y == label).sum() for label in CLASSES]
    for label, block in several.table.groupby("class"):
        alone = evaluate_hypotheses(A, y == label, **options)
        counted = ["significant", "significant_jointly"]
        pd.testing.assert_frame_equal(
            block.drop(columns=["class", *counted]).reset_index(drop=True), alone.table.drop(columns=counted)
        )
        scores = several.class_metrics.set_index("class").loc[label]
        for metric in ("auc", "auprc", "auc_cv"):
            assert scores[metric] == pytest.approx(alone.metrics[metric])
    for metric in ("auc", "auprc", "auc_cv"):
        assert several.metrics[metric] == pytest.approx(several.class_metrics[metric].mean())
    for count in ("n_significant", "n_significant_jointly"):
        assert several.class_metrics[count].sum() == several.metrics[count] > 0
    assert several.metrics["threshold"] == pytest.approx(0.05 / 15)  # all classes count


def test_integers_as_classes(reviews, evaluation):
    numbers = np.unique(reviews.target, return_inverse=True)[1]
    result = evaluate_hypotheses(reviews.concepts, numbers, task="multiclass", hypotheses=reviews.concept_names)
    assert result.table["class"].tolist() == np.repeat([0, 1, 2], 5).tolist()
    columns = ["class", "hypothesis"]
    pd.testing.assert_frame_equal(result.table.drop(columns=columns), evaluation.table.drop(columns=columns))
    assert evaluate_hypotheses(reviews.concepts, numbers).task == "regression"


def test_a_class_of_one_row_costs_its_own_score_only(reviews):
    y = reviews.target.astype(object)
    y[17] = "fax"
    result = evaluate_hypotheses(reviews.concepts, y)
    scores = result.class_metrics.set_index("class")["auc_cv"]
    assert np.isnan(scores["fax"])
    assert result.metrics["auc_cv"] == pytest.approx(scores[CLASSES].mean())
    assert "Class fax: Too few rows for a cross-fitted AUC; left out of its mean." in result.notes
    assert not result.table["significant"][result.table["class"] == "fax"].any()
    assert "AUC nan" not in str(result)


def test_notes_name_the_class_that_they_are_of(reviews):
    y = reviews.target.astype(object)
    y[[3, 200, 590]] = "fax"
    notes = evaluate_hypotheses(reviews.concepts, y).notes
    of_test = [note for note in notes if "t-test" in note]
    assert len(of_test) == 1
    assert of_test[0].startswith("Class fax: ")
    A = np.column_stack([reviews.concepts[:, 0], np.arange(600) < 4])
    (note,) = [note for note in evaluate_hypotheses(A, reviews.target).notes if "t-test" in note]
    assert note.startswith("Classes app, email, website: ")
    assert note.endswith(": 'hypothesis 1'.")


def test_a_class_that_the_rows_lack_has_no_block(reviews):
    some = reviews.target != "email"
    labels = as_category(reviews.target, unused="fax")[some]
    result = evaluate_hypotheses(reviews.concepts[some], labels, task="multiclass")
    assert result.class_metrics["class"].tolist() == ["app", "website"]
    assert set(result.table["class"]) == {"app", "website"}
    assert "email" not in str(result)
    assert "fax" not in str(result)


def test_matching_does_not_ask_for_the_target(reviews):
    flipped = reviews.concepts ^ (np.random.RandomState(0).rand(600, 5) < 0.05)
    assert match_hypotheses(flipped, reviews.concepts).metrics["f1"] == 1


# --- how it reads -------------------------------------------------------------------------------------------------


def test_it_prints_a_row_a_hypothesis_and_a_column_a_class(evaluation):
    lines = evaluation.to_text(wide=True).splitlines()
    counts = [evaluation.metrics[f"n_significant{how}"] for how in ("", "_jointly")]
    assert lines[0] == (
        f"{counts[0]} of 15 class-hypothesis pairs significant, {counts[1]} jointly "
        "(bonferroni, alpha=0.05: p < 0.0033)"
    )
    assert lines[2] == "Both are means over 3 classes, each against the rest"
    assert lines[3].split() == [*CLASSES, "holds", "hypothesis"]
    assert max(map(len, lines)) <= 100
    short = str(evaluation).splitlines()
    assert len(short) < len(lines) - 3
    assert [line.split()[:3] for line in short[4:9]] == [line.split()[1:4] for line in lines[4:14:2]]
    table = evaluation.table.set_index(["hypothesis", "class"])
    for name in evaluation.table["hypothesis"].unique():
        (i,) = [i for i, line in enumerate(lines) if line.endswith(name)]
        separations, coefs = lines[i].split()[:4], lines[i + 1].split()[:4]
        for shown, column, mark, found in (
            (separations, "separation_score", "*", "significant"),
            (coefs, "regression_coef", "+", "significant_jointly"),
        ):
            marks = np.where(table.loc[name][found], mark, "")
            form, unit = ("+.1f", 100) if mark == "*" else ("+.2f", 1)  # points of percentage, and log-odds
            expected = [f"{unit * v:{form}}{one}" for v, one in zip(table.loc[name][column], marks, strict=True)]
            assert shown[1:] == expected
    rows, auc = [line.split() for line in lines if line.startswith(("rows", "AUC  "))]
    assert rows[1:4] == evaluation.class_metrics["n_samples"].astype(str).tolist()
    assert auc[1:4] == [f"{value:.2f}" for value in evaluation.class_metrics["auc_cv"]]


@pytest.mark.parametrize("n_classes", [7, 20])
def test_many_classes_are_printed_in_parts_that_fit(n_classes):
    rng = np.random.default_rng(0)
    labels = np.array([f"a class of number {i}" for i in range(n_classes)])[rng.integers(n_classes, size=800)]
    result = evaluate_hypotheses(rng.integers(2, size=(800, 2)), labels, hypotheses=["short", "long " * 40])
    lines = str(result).splitlines()
    assert max(len(line) for line in lines if not line.startswith("Note")) <= 100
    assert sum("a class of nu…" in line for line in lines) > 1
    assert str(result).count("a class of nu…") == n_classes
    assert sum(len(re.findall(r"\d+", line.split("(")[0])) for line in lines if line.startswith("rows")) == n_classes


def test_labels_and_names_that_collide_are_kept_apart():
    rng = np.random.default_rng(0)
    labels = np.array(["holds", "hypothesis", "-", 1, "1"], dtype=object)[rng.integers(5, size=400)]
    A = rng.integers(2, size=(400, 3))
    A[:, 1] &= A[:, 0]
    result = evaluate_hypotheses(A, labels, hypotheses=["same", "same", "other"])
    shown = [line.split() for line in result.to_text(wide=True).splitlines()]
    separations = np.array([[cell.rstrip("*") for cell in line[1:6]] for line in shown if line[:1] == ["sep."]])
    expected = result.table["separation_score"].to_numpy().reshape(5, 3).T
    np.testing.assert_allclose(separations.astype(float), 100 * expected, atol=0.0501)
    assert result._repr_html_().count("<details>") == 5


def test_the_notebook_has_every_number_behind_its_class(reviews):
    y = np.where(reviews.target == "app", "<b>app</b>", reviews.target)
    result = evaluate_hypotheses(reviews.concepts, y, hypotheses=[f"<i>{name}" for name in reviews.concept_names])
    page = result._repr_html_()
    assert "<b>" not in page
    assert "<i>" not in page
    overview, *details = page.split("<details>")
    assert len(details) == 3
    assert overview.count("&lt;i&gt;mentions a long wait for the food") == 1
    assert "<summary>&lt;b&gt;app&lt;/b&gt; against the rest</summary>" in details[0]
    for block, (_, table) in zip(details, result.table.groupby("class", sort=False), strict=True):
        low, high = table[["regression_ci_low", "regression_ci_high"]].iloc[0]
        assert f"{low:+.3f} to {high:+.3f}" in block.replace("\u00a0", " ")


@pytest.mark.slow
def test_the_command_line_in_a_shell(reviews, tmp_path):
    file, found = tmp_path / "reviews.jsonl", tmp_path / "found.json"
    table = pd.DataFrame({"review": reviews.data, "source": reviews.target})
    table.to_json(file, orient="records", lines=True)
    command = [sys.executable, "-m", "sklearn_sae", "discover", str(file), "--text", "review", "--target", "source"]
    options = ["-M", "16", "-K", "4", "--n-hypotheses", "8", "--target-weight", "0", "--seed", "1"]
    options += ["--output", str(found)]
    result = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert "the target 'source' is 3 classes, each against the rest" in result.stdout
    blocks = {}  # from each class to the effects that are printed below its name
    for line in result.stdout.splitlines():
        if head := re.fullmatch(r" *- (\w+) \(\d+ texts, AUC 0\.\d\d\)", line):
            blocks[head[1]] = []
        elif blocks and (row := re.match(r" *([+-]\d+)[ *] +\d+%", line)):
            blocks[[*blocks][-1]].append(float(row[1]))
    assert [*blocks] == CLASSES
    found = json.loads(found.read_text("utf-8"))
    exact = pd.DataFrame(found["hypotheses"]).pivot(index="hypothesis", columns="class", values="separation_score")
    for label, effects in blocks.items():  # each hypothesis once, under the class that it says most of
        expected = exact.max(axis=1)[exact.idxmax(axis=1) == label]
        np.testing.assert_allclose(effects, 100 * expected.sort_values(ascending=False), atol=0.51)
    assert sum(map(len, blocks.values())) == 8
    assert [row["class"] for row in found["classes"]] == CLASSES
    assert len(found["hypotheses"]) == 24
    assert {row["selection_class"] for row in found["hypotheses"]} <= set(CLASSES)
    assert 0.4 < found["held_out_auc"]["these 8 hypotheses"] < 1
