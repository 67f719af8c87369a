"""discover: the whole way in one call."""

import inspect
import json
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score

from sklearn_sae import (
    Discovery,
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    QuoteHypothesisAnnotator,
    TopKSAETransformer,
    discover,
    evaluate_hypotheses,
    match_hypotheses,
)
from sklearn_sae._plan_discovery import plan_discovery
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._sentences import split_sentences
from sklearn_sae.utils._validation import text_identity
from sklearn_sae.utils._words import words

SMALL = {"n_components": 8, "k": 2, "n_hypotheses": 3, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    """300 planted reviews, as two columns of a frame whose index says nothing of the order."""
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target.round(2)})
    return table.set_index(np.random.default_rng(0).permutation(300) + 1000)


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews["review"], reviews["stars"], **SMALL)


def test_hypotheses_are_found_on_some_texts_and_tested_on_the_others(reviews, found):
    assert isinstance(found, Discovery)
    assert sorted([*found.train, *found.test]) == list(range(300))
    assert len(found.test) == 60
    texts, y = reviews["review"].to_numpy()[found.test], reviews["stars"].to_numpy()[found.test]
    annotator = found.pipeline["hypotheses"]
    annotations = annotator.transform(texts)
    again = evaluate_hypotheses(annotations, y, hypotheses=annotator.get_feature_names_out())
    pd.testing.assert_frame_equal(again.table, found.evaluation.table)
    expected = again.table.sort_values("separation_score", ascending=False, ignore_index=True)
    pd.testing.assert_frame_equal(found.table[list(expected)], expected)
    assert found.table["fidelity_f1"].notna().all()
    assert found.scores["r2"] == pytest.approx(r2_score(y, found.pipeline.predict(texts)))


def test_the_others_play_no_part_in_the_finding(reviews, found):
    """Where the texts held out say something else, the same hypotheses are found."""
    texts, y = reviews["review"].to_numpy(dtype=object), reviews["stars"].to_numpy(copy=True)
    texts[found.test] = [f"Nothing to see, number {row}." for row in found.test]
    y[found.test] = np.random.default_rng(0).normal(size=len(found.test))
    again = discover(texts, y, **SMALL)
    assert again.test.tolist() == found.test.tolist()
    assert set(again.table["hypothesis"]) == set(found.table["hypothesis"])
    assert not again.evaluation.table.equals(found.evaluation.table)


def test_what_is_planted_is_found():
    reviews = make_concept_texts(1000, n_concepts=5, noise=0.1, random_state=2)
    found = discover(reviews.data, reviews.target, n_hypotheses=6, random_state=0)
    annotations = found.pipeline["hypotheses"].transform(np.array(reviews.data, dtype=object)[found.test])
    planted = reviews.concepts[found.test][:, reviews.coef != 0]
    between = match_hypotheses(annotations, planted).correlations
    assert (between.abs().max() > 0.35).all()  # each concept that has an effect
    assert found.scores["r2"] > 0.35 > found.scores["r2_words"]
    assert found.evaluation.metrics["n_significant"] >= 3


@pytest.mark.parametrize("container", [list, np.array, lambda column: pd.Series(column.to_list())])
def test_no_container_and_no_index_changes_the_result(container, reviews, found):
    again = discover(container(reviews["review"]), container(reviews["stars"]), **SMALL)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.scores == found.scores


def test_the_command_line_finds_prints_and_writes_the_same(reviews, found, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    reviews.to_csv(tmp_path / "reviews.csv", index=False)
    columns = ["--text", "review", "--target", "stars"]
    options = ["-M", "8", "-K", "2", "--n-hypotheses", "3", "--output", str(tmp_path / "found.json")]
    assert main(["discover", str(tmp_path / "reviews.csv"), *columns, *options]) == 0
    printed = str(found).replace(".to_text(wide=True)", "--wide").replace(".to_text(full=True)", "--full")
    said = capsys.readouterr().out
    assert said.split() == f"{printed}\nWritten to {tmp_path / 'found.json'}.\n".split()  # lines end elsewhere
    assert said.splitlines()[:7] == printed.splitlines()[:7]
    written = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert written["hypotheses"] == json.loads(found.table.to_json(orient="records"))
    assert list(written["held_out_r2"].values()) == list(found.scores.values())


def test_classes(reviews):
    stars = reviews["stars"].clip(2, 4).round().astype(int)
    found = discover(reviews["review"], stars.astype("category"), **SMALL)
    assert found.evaluation.task == "multiclass"
    assert found.table["class"].tolist() == np.repeat([2, 3, 4], 3).tolist()
    texts, y = reviews["review"].to_numpy()[found.test], stars.to_numpy()[found.test]
    expected = roc_auc_score(y, found.pipeline.predict_proba(texts), multi_class="ovr")
    assert found.scores["auc"] == pytest.approx(expected)
    assert "is 3 classes, each against the rest" in str(found)
    assert discover(reviews["review"], stars, **SMALL).evaluation.task == "regression"


@pytest.mark.parametrize("labels", [(False, True), ("bad", "good"), (0, 1)])
def test_two_classes_keep_their_shares(labels, reviews):
    y = np.array(labels, dtype=object)[(np.arange(300) < 30).astype(int)].tolist()
    found = discover(reviews["review"], y, **SMALL)
    assert (found.test < 30).sum() == 6
    assert f"the target is {labels[1]} (effects are on its share, 10%) or {labels[0]}" in str(found)
    probability = found.pipeline.predict_proba(reviews["review"].to_numpy()[found.test])[:, 1]
    assert found.scores["auc"] == pytest.approx(roc_auc_score(found.test < 30, probability))


def test_copies_of_a_text_are_never_on_both_sides(reviews):
    twice = pd.concat([reviews["review"], reviews["review"].str.upper() + " "])
    found = discover(twice, pd.concat([reviews["stars"]] * 2), **SMALL)
    assert len(found.test) == 120
    sides = [{text_identity(text) for text in twice.to_numpy()[rows]} for rows in (found.train, found.test)]
    assert not sides[0] & sides[1]


def test_groups_are_never_on_both_sides_and_copies_join_theirs(reviews):
    texts, groups = reviews["review"].to_list(), np.array([f"author {row // 6}" for row in range(300)])
    for row in range(0, 60, 6):  # author 0 has a text of author 10, and so on
        texts[row] = texts[row + 60].upper()
    found = discover(texts, reviews["stars"], groups=groups, test_size=0.3, **SMALL)
    sides = [set(groups[rows]) for rows in (found.train, found.test)]
    assert not sides[0] & sides[1]
    for author in range(10):
        assert (f"author {author}" in sides[0]) == (f"author {author + 10}" in sides[0])
    assert found.evaluation.standard_errors == "clustered"
    assert found.evaluation.metrics["n_groups"] == len(
        {int(author.split()[1]) % 10 if int(author.split()[1]) < 20 else author for author in sides[1]}
    )  # two that share a text are one
    assert 0.2 < len(found.test) / 300 < 0.4
    assert any("groups" in note for note in found.notes)
    assert any(note.startswith("50 groups count as 40, because those that have copies") for note in found.notes)


def test_an_answer_that_many_give_is_named_where_it_joins_all_groups(reviews):
    texts, groups = reviews["review"].to_list(), np.array([f"author {row // 6}" for row in range(300)])
    texts[::6] = ["nothing"] * 50
    with pytest.raises(
        ValueError, match=r"^1 group of texts is too few .* 50 groups count as 1, because those that have "
    ):
        discover(texts, reviews["stars"], groups=groups, **SMALL)


def test_a_language_model_names(reviews, openai_server):
    openai_server.reply = lambda body: (
        f"mentions {len(str(body))} things" if body["model"] == "gpt-5.2" else "yes" if len(str(body)) % 2 else "no"
    )
    naming = LLMHypothesisAnnotator(base_url=openai_server.base_url, n_scoring_examples=4, random_state=0)
    found = discover(reviews["review"][:80], reviews["stars"][:80], naming=naming, **SMALL)
    assert found.table["hypothesis"].str.match(r"mentions \d+ things").all()
    assert found.pipeline["hypotheses"].usage_["requests"] > 0
    assert not hasattr(naming, "hypotheses_")  # a clone was fitted


def test_few_texts_are_noted_and_get_few_hypotheses(reviews):
    few = reviews["review"][:80], reviews["stars"][:80]
    found = discover(*few, **SMALL)
    assert found.notes[0] == "80 texts are few: expect chance findings and an unsure score."
    assert found.notes[-len(found.evaluation.notes) :] == list(found.evaluation.notes)
    with pytest.warns(UserWarning, match="1 hypothesis is looked for, one for every 10 of the 16 different texts"):
        found = discover(*few, **{**SMALL, "n_hypotheses": "auto"})
    assert len(found.table) == 1
    assert "groups" not in found.notes[0]
    grouped = discover(*few, groups=np.arange(80) // 2, **{**SMALL, "n_hypotheses": "auto"})
    assert "one for every 10 of the 8 groups of texts to test on" in grouped.notes[0]


def test_each_note_is_one_warning_and_few_lines_are_printed(reviews):
    answers = ["never", "rarely", "sometimes", "often", "always"]
    y = pd.Series(answers).iloc[np.arange(30) % 5].set_axis(reviews.index[:30]).rename("how often")
    with pytest.warns(UserWarning, match="texts are few") as caught:
        found = discover(reviews["review"][:30], y, n_hypotheses=20, n_components=20, test_size=0.5, random_state=0)
    said = [str(warning.message) for warning in caught]
    assert [note for note in said if note in found.notes] == found.notes
    lines = str(found).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Note:"))
    end = next(i for i, line in enumerate(lines) if line.startswith("Held-out"))
    assert end - start <= 5 < len(found.notes)
    assert any(re.fullmatch(r"Note: \d+ more; \.to_text\(full=True\)\.", line) for line in lines)
    assert all(f"Note: {note}" in " ".join(found.to_text(full=True).split()) for note in found.notes)


def test_what_one_cannot_act_on_is_noted_behind_the_sizes(reviews):
    texts = reviews["review"][:80] + "<br>"
    found = discover(texts, reviews["stars"][:80], **{**SMALL, "n_hypotheses": "auto"})
    order = [next(i for i, note in enumerate(found.notes) if part in note) for part in ("looked for", "HTML tags")]
    assert order == sorted(order)


def test_an_ordinal_target_is_the_places_on_its_scale(reviews):
    answers = np.array(["awful", "poor", "fair", "good", "excellent"])
    y = pd.Series(answers[pd.qcut(reviews["stars"], 5, labels=False)], index=reviews.index, name="verdict")
    ordinal = discover(reviews["review"], y, task="ordinal", **SMALL)
    places = pd.qcut(reviews["stars"], 5, labels=False) + 1
    as_numbers = discover(reviews["review"], places.rename("verdict"), **SMALL)
    pd.testing.assert_frame_equal(ordinal.table, as_numbers.table)
    assert ordinal.scale == tuple(answers)
    assert "the target 'verdict' is places 1 to 5 on the scale awful to excellent" in str(ordinal)
    assert "mean place, from awful (1) to excellent (5)" in " ".join(str(ordinal).split())
    classes = discover(reviews["review"], y, **SMALL)
    assert any("has ordered classes, awful to excellent" in note for note in classes.notes)


@pytest.mark.parametrize("kind", ["categorical", "task"])
def test_numbers_as_classes_keep_their_type(kind, reviews):
    stars = reviews["stars"].clip(2, 4).round().astype(int)
    if kind == "categorical":
        found = discover(reviews["review"], stars.astype("category"), **SMALL)
    else:
        found = discover(reviews["review"], stars.astype(str), task="multiclass", **SMALL)
    predicted = found.pipeline.predict(reviews["review"])
    assert set(map(str, predicted)) <= {"2", "3", "4"}
    assert found.pipeline["hypotheses"].encoder_["select"].task_ == "multiclass"


def test_of_ordered_categories_the_later_is_the_positive_one(reviews):
    y = pd.Series(np.where(reviews["stars"] > 3, "high", "low"), index=reviews.index)
    ordered = discover(reviews["review"], y.astype(pd.CategoricalDtype(["low", "high"], ordered=True)), **SMALL)
    plain = discover(reviews["review"], y, **SMALL)
    assert "the target is high (effects are on its share" in str(ordered)
    assert "the target is low (effects are on its share" in str(plain)
    probability = ordered.pipeline.predict_proba(reviews["review"].to_numpy()[ordered.test])[:, 1]
    assert ordered.scores["auc"] == pytest.approx(roc_auc_score(y.to_numpy()[ordered.test] == "high", probability))
    assert set(ordered.pipeline.predict(reviews["review"][:20])) <= {"low", "high"}


def test_five_classes_are_one_table_with_a_row_a_hypothesis(reviews):
    y = pd.Series([f"a class of the name {row % 5}" for row in range(300)])
    found = discover(reviews["review"].to_list(), y, n_hypotheses=8, n_components=16, random_state=0)
    for width in (80, 100):
        lines = found.to_text(width=width).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("effect: "))
        assert max(map(len, lines)) <= width
        assert sum(line.lstrip().startswith("- a class of the") for line in lines[:start]) == 5
        assert sum(bool(re.match(" *[+-]?[0-9]+(\\.[0-9])?[* ]  ", line)) for line in lines[1:start]) == 8
        assert len(lines) < 65
    assert found.evaluation.metrics["n_hypotheses"] == 8


# --- copies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_hypotheses", [20, "auto"])
@pytest.mark.parametrize("retweets", [False, True])
def test_copies_do_not_make_chance_significant(retweets, n_hypotheses):
    """Without heed of copies 16 of 20 are, with a held-out R² of -0.6; and retweets have one of 0.83."""
    reviews = make_concept_texts(200, n_concepts=5, random_state=0)
    y = np.random.default_rng(0).permutation(reviews.target)
    texts = [f"RT @user{copy}: {text}" if retweets and copy else text for copy in range(5) for text in reviews.data]
    found = discover(texts, np.tile(y, 5), n_hypotheses=n_hypotheses, random_state=0)
    assert found.evaluation.metrics["n_significant"] <= 1  # One draw in twenty has one by chance.
    assert found.scores["r2"] < 0.1
    assert not set(found.train % 200) & set(found.test % 200)
    assert found.evaluation.metrics["n_groups"] == len(set(found.test % 200))
    assert any(note.startswith("1,000 of 1,000 texts have copies, near ones too: they are 200") for note in found.notes)


def test_without_copies_the_errors_are_those_of_rows(found):
    assert found.evaluation.standard_errors == "classical"
    assert not any("copies" in note for note in found.notes)


def test_it_prints_in_a_hundred_columns_and_survives_a_pickle(found):
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("300 texts; the target 'stars' is numbers from")
    assert lines[3].split() == ["effect", "texts", "mentions", "any", "of"]
    wide = found.to_text(wide=True).splitlines()
    assert wide[3].split()[:6] == ["effect", "p", "adds", "p", "texts", "fidelity"]
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


def test_the_seed_decides(reviews, found):
    other = discover(reviews["review"], reviews["stars"], **{**SMALL, "random_state": 1})
    assert other.test.tolist() != found.test.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": ["one text", "another"]}, "values for 2 rows"),
        ({"texts": "text"}, "texts is a single string"),
        ({"texts": ["a", None]}, "texts has a missing text in row 1"),
        ({"y": None}, "y is required"),
        ({"y": np.ones(300)}, "y is constant"),
        ({"y": pd.Series(np.ones(300), name="stars")}, "the target 'stars' is constant"),
        ({"y": [f"id {row}" for row in range(300)]}, "y has 300 different values"),
        ({"y": np.r_[np.nan, np.arange(299)]}, "y contains NaN"),
        ({"y": ["a", "b", "c"] * 100, "task": "ordinal"}, "classes of no known order"),
        (
            {"y": pd.Series(np.arange(300.0)[::-1], index=range(299, -1, -1)), "texts": pd.Series(["text"] * 300)},
            "texts and y have the same index in different orders: row 0 is 0 in texts and 299 in y",
        ),
        ({"y": ["rare"] + ["common"] * 299}, "fewer than 2 texts of class 'rare'"),
        ({"y": [1.0] + [0.0] * 299, "groups": range(300)}, "is constant"),
        ({"groups": [1, 2]}, "groups must be one label a row"),
        ({"groups": [None] + [1] * 299}, "groups has no label in row 0"),
        ({"y": np.arange(300.0), "groups": np.arange(300)}, "groups and the target are the same"),
        (
            {"texts": [f"text {i}" for i in range(300)], "groups": [f"text {i}" for i in range(300)]},
            "groups and the texts are the same",
        ),
        ({"y": np.arange(300.0) ** 2, "task": "multiclass"}, 'too many for task="multiclass"; without it they count'),
        ({"y": ["a", "b", ""] * 100}, "row 2 has no target"),
        ({"groups": [1] * 300}, "1 group of texts is too few"),
        ({"groups": np.arange(300) % 2}, "2 groups of texts are too few"),
        ({"test_size": 0.9999}, "300 different texts are too few to hold out a share of 0.9999"),
        ({"test_size": 1.0}, "'test_size' parameter of discover"),
        ({"alpha": 0}, "'alpha' parameter of discover"),
        ({"n_hypotheses": 0}, "'n_hypotheses' parameter of discover"),
        ({"n_hypotheses": 9}, "n_hypotheses is too large"),
        ({"k": 9}, "k=9 is larger than n_components=8"),
        ({"naming": "numbers"}, "'naming' parameter of discover"),
        ({"naming": KeywordHypothesisAnnotator(n_keywords=0)}, "'n_keywords' parameter"),
        ({"naming": QuoteHypothesisAnnotator(n_quotes=0), "embedder": HashingVectorizer()}, "'n_quotes' parameter"),
        ({"naming": "llm"}, "OPENAI_API_KEY"),
        ({"embedder": 3}, "'embedder' parameter of discover"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(change, message, reviews, monkeypatch):
    monkeypatch.setattr(TopKSAETransformer, "fit", lambda *_: pytest.fail("trained before the check"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    arguments = {"texts": reviews["review"], "y": reviews["stars"].to_numpy(), **SMALL, **change}
    with pytest.raises((TypeError, ValueError), match=message):
        discover(**arguments)


# --- baselines and names ------------------------------------------------------------------------------------------


class CountingEmbedder(TransformerMixin, BaseEstimator):
    """Hashed words, and a list of all texts that were embedded."""

    embedded = []

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        self.embedded.extend(X)
        return HashingVectorizer(n_features=32).transform(X).toarray()


def test_the_baselines_are_like_for_like_and_the_embedding_is_made_once(reviews):
    CountingEmbedder.embedded.clear()
    found = discover(reviews["review"], reviews["stars"], embedder=CountingEmbedder(), **SMALL)
    assert sorted(CountingEmbedder.embedded) == sorted(reviews["review"])
    assert list(found.scores) == ["r2", "r2_words", "r2_as_many_words", "r2_embedding"]
    texts, y = reviews["review"].to_numpy(), reviews["stars"].to_numpy()
    vectors = HashingVectorizer(n_features=32).transform(texts).toarray()
    vectors /= np.sqrt(vectors[found.train].var(axis=0).mean())
    ridge = RidgeCV(np.logspace(0, 5, 11)).fit(vectors[found.train], y[found.train])
    expected = ridge.score(vectors[found.test], y[found.test])
    assert found.scores["r2_embedding"] == pytest.approx(expected)
    n_words = len({word for name in found.table["hypothesis"] for word in words(name)})
    full = found.to_text(full=True)
    assert f"  {found.scores['r2_as_many_words']:6.3f}  {n_words} words, as many as the names have" in full
    assert f"  {expected:6.3f}  the embedding (ridge regression)" in full
    assert f"{found.scores['r2_as_many_words']:.2f} as many as in all names, {expected:.2f} embedding." in str(found)
    assert pickle.loads(pickle.dumps(found)).pipeline["hypotheses"].encoder_.memory is None


def test_sentences_may_be_the_unit(reviews):
    CountingEmbedder.embedded.clear()
    texts = reviews["review"] + " We came back for the wine list."
    found = discover(texts, reviews["stars"], embedder=CountingEmbedder(), unit="sentence", **SMALL)
    sentences = {sentence for text in texts for sentence in split_sentences(text)}
    assert set(CountingEmbedder.embedded) == sentences
    assert list(found.scores) == ["r2", "r2_words", "r2_as_many_words", "r2_neurons"]
    assert found.pipeline["hypotheses"].transform(texts[:7]).shape == (7, len(found.table))
    fewest = discover(texts[:60], reviews["stars"][:60], embedder=CountingEmbedder(), unit="sentence")
    assert fewest.pipeline["hypotheses"].encoder_["sentences"].transformer_["sae"].n_components_ == 64
    with pytest.raises(ValueError, match="n_hypotheses is too large: n_neurons=9 is more than the 8"):
        discover(texts, reviews["stars"], unit="sentence", **SMALL | {"n_hypotheses": 9})


def test_baselines_of_classes_are_aucs(reviews):
    stars = reviews["stars"].clip(2, 4).round().astype(int)
    for y in (stars.astype("category"), reviews["stars"] > 3):
        found = discover(reviews["review"], y, **SMALL)
        assert list(found.scores) == ["auc", "auc_words", "auc_as_many_words", "auc_embedding"]
        assert all(0.3 < value <= 1 for value in found.scores.values())


def test_hypotheses_differ_and_what_was_passed_over_is_said():
    rng = np.random.default_rng(0)
    has = rng.random((300, 6)) < 0.3
    texts = [
        f"Visit {row}, " + " and ".join(w for w, there in zip(["kind", "rude", "cold"], some, strict=False) if there)
        for row, some in enumerate(has)
    ]
    y = 1.0 * has[:, 0] - has[:, 1] + 0.5 * has[:, 2] + 0.3 * rng.random(300)
    found = discover(texts, y, n_components=16, k=3, n_hypotheses=10, random_state=0)
    names = found.table["hypothesis"]
    assert not names.str.contains(r"\(2\)").any()
    annotations = found.pipeline["hypotheses"].transform(np.array(texts, dtype=object)[found.train])
    between = np.corrcoef(annotations[:, np.ptp(annotations, axis=0) > 0].T) - np.eye(annotations.shape[1])
    assert np.abs(between).max() <= 0.7
    (note,) = [note for note in found.notes if "passed over" in note]
    assert re.search(r"\d+ whose name.*; \d of 10 hypotheses are left", note)


def test_of_names_that_a_model_answers_alike_the_best_is_left(openai_server):
    """Its names differ in their words, and two of three are answered alike."""
    rng = np.random.default_rng(0)
    has = rng.random((200, 3)) < 0.4
    texts = [f"Visit {row}." + " rude" * a + " cold" * b + " loud" * c for row, (a, b, c) in enumerate(has.tolist())]
    y = has @ [2.0, -1.0, 0.5] + 0.1 * rng.random(200)
    n_named = []

    def reply(body):
        if body["model"] == "gpt-5.2":
            n_named.append(1)
            return f"mentions {['rude staff', 'rude waiters', 'cold food'][len(n_named) % 3]} and thing {len(n_named)}"
        text, concept = body["messages"][1]["content"].split("</text", 1)
        return "yes" if ("rude" if "rude" in concept else "cold") in text else "no"

    openai_server.reply = reply
    naming = LLMHypothesisAnnotator(base_url=openai_server.base_url, n_scoring_examples=0, random_state=0)
    found = discover(texts, y, naming=naming, n_components=8, k=2, n_hypotheses=6, random_state=0)
    annotator = found.pipeline["hypotheses"]
    assert len(found.table) == len(annotator.hypotheses_) == len(annotator.examples_) == 2
    assert found.pipeline["model"].coef_.shape == (2,)
    assert len(annotator.passed_over_) == 4
    assert {one["reason"] for one in annotator.passed_over_} == {"whose name says nearly the same"}
    (note,) = [note for note in found.notes if note.startswith("Hypotheses are left out, 4 of 6")]
    assert re.search(r"correlation above 0\.9\): 'mentions .*' as 'mentions .*' and 2 more\.", note)
    distinct_questions = 200 * len(n_named)
    assert annotator.usage_["requests"] <= distinct_questions + len(n_named)  # nothing is asked for the comparison


class WarningEmbedder(CountingEmbedder):
    """An embedder of another library, which warns."""

    def transform(self, X):
        warnings.warn("what another library says", UserWarning, stacklevel=2)
        return super().transform(X)


def test_only_our_own_warnings_are_notes(reviews, openai_server):
    openai_server.reply = lambda body: "mentions food" if body["model"] == "gpt-5.2" else "no"
    texts = reviews["review"][:60].to_list()
    naming = LLMHypothesisAnnotator(base_url=openai_server.base_url, max_words=8, n_scoring_examples=0, random_state=0)
    with pytest.warns(UserWarning, match="what another library says"):
        found = discover(texts, reviews["stars"][:60].to_list(), naming=naming, embedder=WarningEmbedder(), **SMALL)
    assert not any("another library" in note for note in found.notes)
    cut = [note for note in found.notes if "max_words=8" in note]
    assert [note.startswith("In the texts held out: ") for note in cut] == [False, True]
    assert f"of {len(found.test)} texts are longer" in cut[1]


def test_rows_that_are_joined_by_their_place_are_noted(reviews):
    with pytest.warns(UserWarning, match="different indexes"):
        found = discover(reviews["review"], reviews["stars"].set_axis(range(300)), **SMALL)
    assert any("texts and y have different indexes" in note for note in found.notes)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rare_class_that_a_few_words_tell_is_found(seed):
    """Two texts in a hundred have one of four words; as one direction among hundreds they were lost (AUC 0.58)."""
    rng = np.random.default_rng(seed)
    texts, rare = list(make_concept_texts(2000, n_concepts=6, random_state=seed).data), np.zeros(2000, dtype=bool)
    rare[rng.permutation(2000)[:40]] = True
    for row in np.flatnonzero(rare):
        said = texts[row].split(" ")
        said.insert(rng.integers(len(said) + 1), rng.choice(["refund", "lawyer", "poisoned", "hospital"]))
        texts[row] = " ".join(said)
    found = discover(texts, np.where(rare, "sued", "fine"), random_state=seed)
    assert found.scores["auc"] > 0.98
    best = found.table.sort_values("pvalue").iloc[0]
    assert sum(word in best["hypothesis"] for word in ("refund", "lawyer", "poisoned", "hospital")) >= 3
    assert best["significant"]
    n_rare = rare[found.test].sum()
    assert any(f"texts to test on have only {n_rare} of sued: tests and AUC" in note for note in found.notes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rows", "groups"])
def test_of_null_data_at_most_a_share_of_alpha_has_a_significant_hypothesis(kind):
    """The target is permuted over texts, or over the groups of five in which all have nearly the same."""
    n_called, n_runs = 0, 60
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        texts = make_concept_texts(400, n_concepts=5, random_state=seed).data
        groups = np.arange(400) // 5 if kind == "groups" else None
        y = rng.exponential(size=400) if groups is None else rng.exponential(size=80)[groups] + 0.1 * rng.random(400)
        found = discover(texts, y, groups=groups, alpha=0.1, random_state=seed)
        n_called += found.evaluation.metrics["n_significant"] > 0
    assert n_called <= 0.1 * n_runs + 2 * np.sqrt(0.1 * 0.9 * n_runs)


def test_alpha_and_correction_are_those_of_the_evaluation(reviews):
    found = discover(reviews["review"], reviews["stars"], alpha=0.1, correction="holm", **SMALL)
    assert (found.evaluation.alpha, found.evaluation.correction) == (0.1, "holm")
    assert "alpha 0.1, holm" in " ".join(str(found).split())


def test_what_is_planned_takes_the_defaults_of_discover():
    of_plan = inspect.signature(plan_discovery).parameters
    of_discover = inspect.signature(discover).parameters
    assert list(of_plan) == list(of_discover)
    for name, parameter in of_plan.items():
        assert parameter.default in (inspect.Parameter.empty, of_discover[name].default)


@pytest.mark.parametrize(
    "y", [[0, 1], pd.Series([0, 1], dtype=object), pd.Series(["yes", 0], dtype=object), [True, False]]
)
def test_classes_of_any_type_have_all_baselines(reviews, y):
    y = pd.concat([pd.Series(y)] * 60, ignore_index=True)
    found = discover(reviews["review"].tolist()[:120], y, **SMALL)
    assert all(0 <= score <= 1 for score in found.scores.values())
    assert len(found.scores) == 4


def test_the_embedding_of_few_different_texts_has_a_score(reviews):
    texts, y = np.repeat(reviews["review"].to_numpy()[:40], 4), np.random.default_rng(0).normal(size=160)
    assert discover(texts, y, **SMALL).scores["r2_embedding"] > -2


def test_groups_in_another_order_are_refused(reviews):
    groups = pd.Series(range(len(reviews)), index=reviews.index)
    with pytest.raises(ValueError, match="texts and groups have the same index in different orders"):
        discover(reviews["review"], reviews["stars"], groups=groups[::-1], **SMALL)
