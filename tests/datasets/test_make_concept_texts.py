"""`make_concept_texts`: what it promises of the texts, the truth and the target."""

import hashlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, Ridge, lars_path
from sklearn.metrics import roc_auc_score

from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.datasets._phrases import CONCEPTS, FILLERS, OPENERS, SLOTS
from sklearn_sae.datasets._templates import parse, spell

N_ALL = len(CONCEPTS)
TASKS = ["regression", "binary", "multiclass"]


def pattern(tree):
    """Return the regular expression of all sentences of a parsed template."""
    return "".join(
        re.escape(part) if isinstance(part, str) else "(?:" + "|".join(map(pattern, part)) + ")" for part in tree
    )


def any_of(templates):
    """Return the compiled regular expression of whole sentences of `templates`, as they stand in a text."""
    forms = "|".join(pattern(parse(template, SLOTS)) for template in templates)
    return re.compile(rf"(?:^|(?<=[.?] ))(?:{forms})(?= [A-Z]|$)", re.IGNORECASE)


def n_forms(tree):
    return int(np.prod([1 if isinstance(part, str) else sum(map(n_forms, part)) for part in tree], dtype=object))


@pytest.fixture(scope="module")
def everything():
    return make_concept_texts(3000, N_ALL, random_state=0)


@pytest.fixture(scope="module")
def many():
    return make_concept_texts(10_000, random_state=0)


def test_defaults():
    reviews = make_concept_texts(random_state=0)
    assert len(reviews.data) == 1000
    assert all(type(text) is str for text in reviews.data)
    assert reviews.concepts.shape == (1000, 10)
    assert reviews.concepts.dtype == np.int64
    assert set(np.unique(reviews.concepts)) == {0, 1}
    assert len(set(reviews.concept_names)) == 10
    assert reviews.coef.shape == (10,)
    assert reviews.target.shape == (1000,)
    assert reviews.target.dtype == np.float64


@given(
    n_samples=st.integers(1, 40),
    n_concepts=st.integers(1, N_ALL),
    task=st.sampled_from(TASKS),
    noise=st.floats(0, 10),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_size_keeps_the_promises(n_samples, n_concepts, task, noise, seed):
    reviews = make_concept_texts(n_samples, n_concepts, task=task, noise=noise, random_state=seed)
    assert len(reviews.data) == len(reviews.target) == n_samples
    assert reviews.concepts.shape == (n_samples, n_concepts)
    assert reviews.concept_names == [concept.name for concept in CONCEPTS[:n_concepts]]
    assert reviews.coef.shape == ((3, n_concepts) if task == "multiclass" else (n_concepts,))
    effective = np.atleast_2d(reviews.coef).any(axis=0)
    assert effective.sum() == np.ceil(0.6 * n_concepts)
    assert not np.signbit(reviews.coef[reviews.coef == 0]).any()
    for text in reviews.data:
        n_sentences = len(re.findall(r"[.?](?= [A-Z]|$)", text))
        assert 2 <= n_sentences <= 7  # one form is a question with its answer
        assert text[0].isupper()
        assert text[-1] == "."
        assert "  " not in text
        assert not re.search(r"[{}|]| [,.;:?]", text)


def test_same_seed_same_result():
    one, two = (make_concept_texts(50, random_state=3) for _ in range(2))
    assert one.data == two.data
    for key in ("target", "concepts", "coef", "intercept"):
        np.testing.assert_array_equal(one[key], two[key])
    assert make_concept_texts(50, random_state=4).data != one.data
    assert make_concept_texts(50, random_state=np.random.RandomState(3)).data == one.data


def test_texts_do_not_change_with_platform():
    # A new digest is right only where the phrases or the sampling were meant to change.
    texts = "\n".join(make_concept_texts(500, N_ALL, random_state=0).data)
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == "d82400937eb1fe3e"


def test_texts_do_not_depend_on_task_or_noise():
    first = make_concept_texts(50, random_state=0)
    for task in TASKS:
        other = make_concept_texts(50, task=task, noise=2.0, random_state=0)
        assert other.data == first.data
        np.testing.assert_array_equal(other.concepts, first.concepts)


def test_coef_does_not_depend_on_n_samples():
    np.testing.assert_array_equal(
        make_concept_texts(10, random_state=0).coef, make_concept_texts(500, random_state=0).coef
    )


def test_text_states_a_concept_iff_it_is_true(everything):
    for column, concept in enumerate(CONCEPTS):
        says = any_of(concept.says)
        found = np.array([says.search(text) is not None for text in everything.data])
        np.testing.assert_array_equal(found, everything.concepts[:, column] == 1, err_msg=concept.name)


def test_no_other_sentence_states_a_concept():
    rng = np.random.RandomState(0)
    every = {concept.name: any_of(concept.says) for concept in CONCEPTS}
    sources = [(None, (*OPENERS, *FILLERS))]
    sources += [(None, concept.near) for concept in CONCEPTS]
    sources += [(concept.name, concept.says) for concept in CONCEPTS]
    for own, templates in sources:
        for template in templates:
            tree = parse(template, SLOTS)
            for sentence in {spell(tree, rng.random_sample) for _ in range(20)}:
                stated = [name for name, says in every.items() if says.search(sentence)]
                assert stated == ([own] if own else []), sentence


def test_every_concept_has_many_wordings():
    for concept in CONCEPTS:
        assert len(concept.says) >= 7, concept.name
        assert sum(n_forms(parse(template, SLOTS)) for template in concept.says) >= 300, concept.name
        assert len(concept.near) >= 4, concept.name


def test_bank_has_praise_complaints_and_neutral_facts():
    assert N_ALL >= 20
    valences = [concept.valence for concept in CONCEPTS]
    assert min(valences.count(v) for v in (-1, 0, 1)) >= 5
    assert set(valences[:5]) == {-1, 0, 1}


def test_prevalence(many, everything):
    for reviews in (many, everything):
        prevalence = reviews.concepts.mean(axis=0)
        assert prevalence.min() > 0.06
        assert prevalence.max() < 0.31
        assert reviews.concepts.sum(axis=1).max() <= 5
    assert np.ptp(everything.concepts.mean(axis=0)) > 0.15


def test_correlations_are_mild(everything):
    correlation = np.corrcoef(everything.concepts.T) - np.eye(N_ALL)
    assert correlation.max() < 0.2
    assert correlation.min() > -0.3
    valence = np.array([concept.valence for concept in CONCEPTS])
    assert (
        correlation[np.ix_(valence == 1, valence == 1)].mean() > correlation[np.ix_(valence == 1, valence == -1)].mean()
    )


def test_contradicting_concepts_exclude_each_other(everything):
    groups = np.array([concept.group for concept in CONCEPTS])
    for group in np.unique(groups):
        assert everything.concepts[:, groups == group].sum(axis=1).max() == 1


def test_few_duplicates(many):
    assert len(set(many.data)) > 9_900
    one_concept = make_concept_texts(10_000, 1, random_state=0)
    assert len(set(one_concept.data)) > 9_900


def test_regression_target_is_the_stated_model():
    exact = make_concept_texts(300, noise=0, random_state=0)
    np.testing.assert_allclose(exact.target, exact.intercept + exact.concepts @ exact.coef)
    assert exact.target.mean() == pytest.approx(3)
    noisy = make_concept_texts(5000, noise=0.7, random_state=0)
    residual = noisy.target - noisy.intercept - noisy.concepts @ noisy.coef
    assert residual.std() == pytest.approx(0.7, rel=0.05)
    assert abs(residual.mean()) < 0.05


def test_signs_follow_praise_and_complaints():
    valence = np.array([concept.valence for concept in CONCEPTS])
    neutral = []
    for seed in range(20):
        coef = make_concept_texts(1, N_ALL, random_state=seed).coef
        assert (coef[valence == 1] >= 0).all()
        assert (coef[valence == -1] <= 0).all()
        neutral.extend(coef[valence == 0])
    assert min(neutral) < 0 < max(neutral)


def test_binary_target_is_logistic():
    reviews = make_concept_texts(10_000, task="binary", random_state=0)
    assert reviews.target.dtype == np.int64
    assert set(np.unique(reviews.target)) == {0, 1}
    chance = expit((reviews.intercept + reviews.concepts @ reviews.coef) / 0.5)
    assert reviews.target.mean() == pytest.approx(chance.mean(), abs=0.02)
    for low, high in [(0, 0.3), (0.3, 0.7), (0.7, 1)]:
        rows = (chance >= low) & (chance < high)
        assert reviews.target[rows].mean() == pytest.approx(chance[rows].mean(), abs=0.04)
    assert 0.7 < roc_auc_score(reviews.target, chance) < 0.9


def test_multiclass_target_is_softmax():
    reviews = make_concept_texts(10_000, task="multiclass", random_state=0)
    assert reviews.target.dtype.kind == "U"
    classes = np.unique(reviews.target)
    assert classes.tolist() == ["app", "email", "website"]
    chance = softmax((reviews.intercept + reviews.concepts @ reviews.coef.T) / 0.5, axis=1)
    for column, name in enumerate(classes):
        is_class = reviews.target == name
        assert 0.15 < is_class.mean() < 0.6
        likely = chance[:, column] > 0.5
        assert is_class[likely].mean() == pytest.approx(chance[likely, column].mean(), abs=0.04)


def test_no_single_word_marks_a_concept(many, everything):
    for reviews in (many, everything):
        words = CountVectorizer(binary=True, token_pattern=r"\w+", min_df=5).fit_transform(reviews.data)
        both = words.T @ reviews.concepts
        n_words = np.asarray(words.sum(axis=0)).ravel()
        f1 = 2 * both / (n_words[:, None] + reviews.concepts.sum(axis=0))
        assert f1.max() < 0.8
        assert np.median(f1.max(axis=0)) < 0.65


def test_a_bag_of_words_does_not_solve_it_at_once():
    reviews = make_concept_texts(6000, random_state=0)
    train, test = slice(3000), slice(3000, None)
    y, y_test = reviews.target[train], reviews.target[test]

    truth = LinearRegression().fit(reviews.concepts[train], y).score(reviews.concepts[test], y_test)

    words = CountVectorizer(binary=True, min_df=10).fit_transform(reviews.data).toarray().astype(float)
    centered = words[train] - words[train].mean(axis=0)
    _, _, path = lars_path(centered, y - y.mean(), method="lasso", max_iter=25)
    step = np.flatnonzero((path != 0).sum(axis=0) <= 20)[-1]
    chosen = np.flatnonzero(path[:, step])
    few_words = LinearRegression().fit(words[train][:, chosen], y).score(words[test][:, chosen], y_test)

    tfidf = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(reviews.data[train])
    many_words = Ridge(0.3).fit(tfidf.transform(reviews.data[train]), y)
    many_words = many_words.score(tfidf.transform(reviews.data[test]), y_test)

    assert truth > 0.65
    assert 0.15 < few_words < truth - 0.2
    assert few_words + 0.05 < many_words < truth - 0.05


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_concepts": N_ALL + 1}, rf"n_concepts.*\[1, {N_ALL}\]"),
        ({"n_concepts": 0}, "n_concepts"),
        ({"n_samples": 0}, "n_samples"),
        ({"n_samples": 10.5}, "n_samples"),
        ({"task": "ranking"}, "task"),
        ({"noise": -0.1}, "noise"),
        ({"noise": np.nan}, "noise"),
        ({"noise": np.inf}, "noise"),
        ({"random_state": "zero"}, "random_state"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_concept_texts(**parameters)


def test_docstring_names_the_maximum():
    assert f"at most {N_ALL}." in make_concept_texts.__doc__


def test_templates_are_whole_sentences_with_balanced_braces():
    for template in (*OPENERS, *FILLERS, *(t for concept in CONCEPTS for t in (*concept.says, *concept.near))):
        top_level, depth = "", 0
        for character in template:
            depth += (character == "{") - (character == "}")
            top_level += character * (depth == 0)
            assert 0 <= depth <= 2, template
        assert depth == 0, template
        assert "|" not in top_level, template
        assert template.endswith("."), template
