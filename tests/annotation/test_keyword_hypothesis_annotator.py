import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import NMF
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, Normalizer
from sklearn.utils import get_tags
from sklearn.utils.fixes import parse_version

from sklearn_sae import KeywordHypothesisAnnotator, NeuronSelector

COLUMNS = [
    "neuron",
    "feature",
    "interpretation",
    "short",
    "selection_score",
    "fidelity_f1",
    "fidelity_precision",
    "fidelity_recall",
    "fidelity_correlation",
    "density",
]


class Give(TransformerMixin, BaseEstimator):
    """An encoder that gives whatever it is told."""

    def __init__(self, output):
        self.output = output

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return self.output


def nmf(n_components=4):
    return make_pipeline(TfidfVectorizer(), NMF(n_components, random_state=0, max_iter=500))


class Counted(TransformerMixin, BaseEstimator):
    """An encoder that notes how often it is fitted and how often it encodes."""

    def fit(self, X, y=None):
        self.words_ = CountVectorizer(vocabulary=["cheap", "cold", "music", "rude"])
        self.calls_ = ["fit"]
        return self

    def transform(self, X):
        self.calls_.append("transform")
        return self.words_.transform(X)


class Unlike(Counted):
    """An encoder whose `fit_transform` returns something other than its `transform`."""

    def fit_transform(self, X, y=None):
        activations = self.fit(X, y).words_.transform(X)
        self.calls_ = ["fit_transform"]
        return activations + activations


@pytest.fixture
def fitted(encoder, planted):
    return KeywordHypothesisAnnotator(encoder, random_state=0).fit(planted.texts)


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (Counted, ["fit", "transform"]),
        (Unlike, ["fit_transform"]),
        (lambda: make_pipeline(FunctionTransformer(), Unlike()), ["fit_transform"]),
        (lambda: FrozenEstimator(Counted().fit([])), ["fit", "transform"]),
        (lambda: make_pipeline(FrozenEstimator(Counted().fit([]))), ["fit", "transform"]),
    ],
)
def test_the_encoder_runs_once(make, calls, planted):
    annotator = KeywordHypothesisAnnotator(make(), random_state=0)
    annotations = annotator.fit_transform(planted.texts)
    encoder = annotator.encoder_
    while not isinstance(encoder, Counted):
        encoder = encoder.estimator if isinstance(encoder, FrozenEstimator) else encoder[-1]
    assert encoder.calls_ == calls
    annotator.transform(planted.texts)
    assert encoder.calls_ == calls
    np.testing.assert_array_equal(annotations, planted.has)
    np.testing.assert_array_equal(annotator.hypotheses_["fidelity_f1"], 1)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_names_the_planted_words(fitted, planted):
    assert fitted.hypotheses_["interpretation"].tolist() == [f'mentions "{word}"' for word in planted.words]
    assert list(fitted.get_feature_names_out()) == fitted.hypotheses_["interpretation"].tolist()
    unseen, has, _ = planted.make(50, seed=1)
    np.testing.assert_array_equal(fitted.transform(unseen), has)


def test_table(fitted, planted):
    table = fitted.hypotheses_
    assert list(table.columns) == COLUMNS
    assert table["neuron"].tolist() == [0, 1, 2, 3]
    assert table["feature"].tolist() == planted.words
    np.testing.assert_allclose(table["density"], planted.has.mean(axis=0))
    np.testing.assert_array_equal(table[["fidelity_f1", "fidelity_precision", "fidelity_recall"]], 1)
    assert (table["fidelity_correlation"] > 0.5).all()
    assert table["selection_score"].isna().all()


def test_examples_are_row_numbers(fitted, planted):
    for neuron, examples in enumerate(fitted.examples_):
        assert set(examples) == {"activating", "non_activating", "scoring"}
        assert planted.has[examples["activating"], neuron].all()
        assert not planted.has[examples["non_activating"], neuron].any()
        assert not set(examples["scoring"]) & set(examples["activating"])
        assert planted.has[examples["scoring"], neuron].mean() == 0.5


def test_fidelity_is_that_of_the_rows_held_back(planted):
    annotator = KeywordHypothesisAnnotator(nmf(), random_state=0).fit(planted.texts)
    activations = annotator.encoder_.transform(planted.texts)
    annotations = annotator.transform(planted.texts)
    for i, row in annotator.hypotheses_.iterrows():
        held = annotator.examples_[i]["scoring"]
        said, active = annotations[held, i] == 1, activations[held, row["neuron"]] > 0
        assert row["fidelity_recall"] == pytest.approx((said & active).sum() / active.sum())
        assert row["fidelity_precision"] == pytest.approx((said & active).sum() / max(said.sum(), 1))


def test_a_copy_of_a_text_is_not_both_named_from_and_scored_on(encoder, planted):
    texts = [*planted.texts, *(f" {text.upper()}\n" for text in planted.texts)]
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(texts)
    for examples in annotator.examples_:
        assert max(map(max, examples.values())) < len(planted.texts)


def test_texts_held_back_take_no_part_in_the_name(planted):
    activations = planted.has.astype(float)
    names = KeywordHypothesisAnnotator(random_state=0).fit(activations, texts=planted.texts)
    for neuron, examples in enumerate(names.examples_):
        texts = list(planted.texts)
        for row in examples["scoring"]:
            texts[row] = f"{'Zebra' if planted.has[row, neuron] else 'Giraffe'} number {row} of the herd."
        again = KeywordHypothesisAnnotator(random_state=0).fit(activations, texts=texts)
        np.testing.assert_array_equal(again.examples_[neuron]["scoring"], examples["scoring"])
        assert again.hypotheses_["interpretation"][neuron] == f'mentions "{planted.words[neuron]}"'
        assert names.hypotheses_["interpretation"][neuron] == f'mentions "{planted.words[neuron]}"'
        assert again.hypotheses_["fidelity_f1"][neuron] == 0


def test_copies_in_another_unicode_form_are_one_text(encoder, planted):
    texts = [*(f"{text} Café." for text in planted.texts), *(f"{text} Cafe\u0301." for text in planted.texts)]
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(texts)
    for examples in annotator.examples_:
        assert max(map(max, examples.values())) < len(planted.texts)


def test_the_target_takes_no_part(encoder, planted):
    a = KeywordHypothesisAnnotator(encoder, random_state=0).fit(planted.texts)
    b = KeywordHypothesisAnnotator(encoder, random_state=0).fit(planted.texts, planted.y)
    pd.testing.assert_frame_equal(a.hypotheses_, b.hypotheses_)


def test_selection_scores_come_from_the_last_step(encoder, planted):
    selector = SelectKBest(f_regression, k=2)
    annotator = KeywordHypothesisAnnotator(make_pipeline(encoder, selector), random_state=0)
    annotator.fit(planted.texts, planted.y)
    table = annotator.hypotheses_
    assert table["feature"].tolist() == ["cheap", "rude"]
    selector = annotator.encoder_[-1]
    np.testing.assert_array_equal(table["selection_score"], selector.scores_[selector.get_support()])


@pytest.mark.parametrize(("neurons", "expected"), [([3, 1], [3, 1]), (np.array([2]), [2]), ("all", [0, 1, 2, 3])])
def test_neurons_by_index(encoder, planted, neurons, expected):
    annotator = KeywordHypothesisAnnotator(encoder, neurons=neurons).fit(planted.texts)
    assert annotator.hypotheses_["neuron"].tolist() == expected


def test_tags_follow_the_form(encoder):
    own, straight = KeywordHypothesisAnnotator(encoder), KeywordHypothesisAnnotator()
    assert [get_tags(x).input_tags.string for x in (own, straight)] == [True, False]
    assert [get_tags(x).input_tags.sparse for x in (own, straight)] == [False, True]


def test_the_most_active_neurons(encoder, planted):
    annotator = KeywordHypothesisAnnotator(encoder, neurons=2).fit(planted.texts)
    assert annotator.hypotheses_["neuron"].tolist() == sorted(np.argsort(-planted.has.mean(axis=0))[:2])


def test_encoder_is_cloned_and_a_frozen_one_is_not_fitted(planted):
    encoder = nmf()
    KeywordHypothesisAnnotator(encoder).fit(planted.texts)
    assert not hasattr(encoder[0], "vocabulary_")
    encoder.fit(planted.texts)
    components = encoder[-1].components_
    annotator = KeywordHypothesisAnnotator(FrozenEstimator(encoder), random_state=0).fit(planted.texts[:60])
    assert annotator.encoder_.estimator[-1].components_ is components
    assert annotator.hypotheses_["feature"].tolist() == ["nmf0", "nmf1", "nmf2", "nmf3"]


def test_grid_search_and_named_scorers(planted):
    pipeline = make_pipeline(KeywordHypothesisAnnotator(nmf(), random_state=0), Ridge())
    grid = {"keywordhypothesisannotator__encoder__nmf__n_components": [2, 4]}
    search = GridSearchCV(pipeline, grid, scoring=["r2", "neg_mean_squared_error"], refit="r2", cv=3)
    search.fit(planted.texts, planted.y)
    assert search.best_score_ > 0
    assert search.best_estimator_[0].encoder_[-1].n_components_ == search.best_params_[next(iter(grid))]


def test_cross_validate_recovers_the_target(encoder, planted):
    pipeline = make_pipeline(KeywordHypothesisAnnotator(encoder, random_state=0), LinearRegression())
    result = cross_validate(pipeline, planted.texts, planted.y, cv=3, scoring="r2", error_score="raise")
    assert result["test_score"].min() > 0.95


def test_feature_union_tells_which_is_which(encoder, planted):
    two = KeywordHypothesisAnnotator(encoder, neurons=[0, 1])
    one = KeywordHypothesisAnnotator(encoder, neurons=[3])
    union = FeatureUnion([("a", two), ("b", one)]).fit(planted.texts)
    assert list(union.get_feature_names_out()) == ['a__mentions "cheap"', 'a__mentions "cold"', 'b__mentions "rude"']
    assert union.set_output(transform="pandas").transform(planted.texts[:3]).shape == (3, 3)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix, pd.DataFrame])
def test_activations_as_x(encoder, planted, container):
    activations = container(encoder.fit_transform(planted.texts).toarray())
    annotator = KeywordHypothesisAnnotator(random_state=0)
    out = annotator.fit_transform(activations, texts=planted.texts)
    np.testing.assert_array_equal(out, planted.has)
    assert annotator.n_features_in_ == 4
    assert annotator.hypotheses_["feature"].tolist() == ["x0", "x1", "x2", "x3"] or container is pd.DataFrame
    with pytest.raises(ValueError, match="features"):
        annotator.transform(np.ones((len(planted.texts), 3)), texts=planted.texts)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, object])
def test_activations_of_any_type(planted, dtype):
    activations = planted.has.astype(dtype)
    annotator = KeywordHypothesisAnnotator(random_state=0)
    np.testing.assert_array_equal(annotator.fit_transform(activations, texts=planted.texts), planted.has)
    encoded = KeywordHypothesisAnnotator(Give(activations), random_state=0)
    np.testing.assert_array_equal(encoded.fit_transform(planted.texts), planted.has)
    if dtype is bool:
        sparse_form = sparse.csr_array(activations)
        np.testing.assert_array_equal(annotator.fit_transform(sparse_form, texts=planted.texts), planted.has)


def test_frame_of_activations_gives_the_feature_names(encoder, planted):
    activations = pd.DataFrame(encoder.fit_transform(planted.texts).toarray(), columns=planted.words)
    annotator = KeywordHypothesisAnnotator().fit(activations, texts=planted.texts)
    assert annotator.hypotheses_["feature"].tolist() == planted.words


@pytest.mark.usefixtures("routing")
def test_straight_pipeline(encoder, planted):
    pipeline = make_pipeline(
        TfidfVectorizer(), NMF(6, random_state=0, max_iter=500), SelectKBest(f_regression, k=4),
        KeywordHypothesisAnnotator(random_state=0), LinearRegression(),
    )  # fmt: skip
    unseen, _, y_unseen = planted.make(60, seed=1)
    pipeline.fit(planted.texts, planted.y, texts=planted.texts)
    predicted = pipeline.predict(unseen, texts=unseen)
    assert np.corrcoef(predicted, y_unseen)[0, 1] > 0.5
    assert pipeline[-2].hypotheses_["selection_score"].isna().all()
    with pytest.raises(ValueError, match=r"texts is missing.*encoder="):
        pipeline.predict(unseen)
    with pytest.raises(ValueError, match=r"texts is missing.*enable_metadata_routing.*encoder="):
        pipeline.fit(planted.texts, planted.y)
    assert pipeline[:-1].transform(unseen, texts=unseen).shape == (60, 4)


@pytest.fixture
def from_embeddings(planted):
    """Ready embeddings of the texts, and a pipeline from embeddings to the neurons that predict the target."""
    embed = make_pipeline(TfidfVectorizer(), NMF(6, random_state=0, max_iter=500))
    return embed.fit_transform(planted.texts), make_pipeline(Normalizer(), SelectKBest(f_regression, k=4))


@pytest.mark.parametrize("freeze", [False, True])
def test_an_encoder_of_ready_embeddings_keeps_scores_and_names(from_embeddings, planted, freeze):
    embeddings, encoder = from_embeddings
    if freeze:
        encoder = FrozenEstimator(encoder.fit(embeddings, planted.y))
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0)
    annotations = annotator.fit_transform(embeddings, planted.y, texts=planted.texts)
    selector = annotator.encoder_[-1]
    table = annotator.hypotheses_
    assert table["feature"].tolist() == [f"x{i}" for i in selector.get_support(indices=True)]
    np.testing.assert_array_equal(table["selection_score"], selector.scores_[selector.get_support()])
    # A name is all that annotates, so texts without embeddings can be annotated too.
    np.testing.assert_array_equal(annotator.transform(planted.texts), annotations)
    straight = KeywordHypothesisAnnotator(random_state=0).fit(
        annotator.encoder_.transform(embeddings), planted.y, texts=planted.texts
    )
    assert straight.hypotheses_["interpretation"].tolist() == table["interpretation"].tolist()


def test_neurons_of_ready_embeddings_can_judge(from_embeddings, planted):
    embeddings, encoder = from_embeddings
    annotator = KeywordHypothesisAnnotator(encoder, judge="neuron", random_state=0)
    with pytest.warns(UserWarning, match="The judge is the neuron"):
        annotator.fit(embeddings, planted.y, texts=planted.texts)
    holds = annotator.transform(embeddings[:20], texts=planted.texts[:20])
    np.testing.assert_array_equal(holds, annotator.encoder_.transform(embeddings[:20]) > 0)


def test_texts_beside_embeddings_are_checked(from_embeddings, planted):
    embeddings, encoder = from_embeddings
    annotator = KeywordHypothesisAnnotator(encoder)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        annotator.fit(embeddings, planted.y, texts=planted.texts[:-1])
    with pytest.raises(ValueError, match="texts has an empty text in row 1"):
        annotator.fit(embeddings[:2], planted.y[:2], texts=["a text", ""])


@pytest.mark.usefixtures("routing")
def test_an_encoder_of_ready_embeddings_in_a_pipeline(from_embeddings, planted):
    embeddings, encoder = from_embeddings
    pipeline = make_pipeline(KeywordHypothesisAnnotator(encoder, random_state=0), LinearRegression())
    pipeline.fit(embeddings, planted.y, texts=planted.texts)
    np.testing.assert_array_equal(pipeline.predict(embeddings, texts=planted.texts), pipeline.predict(planted.texts))


@pytest.mark.skipif(parse_version(sklearn.__version__) < parse_version("1.9"), reason="texts does not reach score")
@pytest.mark.usefixtures("routing")
def test_straight_pipeline_in_a_search_without_named_scorer(encoder, planted):
    pipeline = make_pipeline(encoder, KeywordHypothesisAnnotator(random_state=0), LinearRegression())
    result = cross_validate(
        pipeline, planted.texts, planted.y, cv=3, params={"texts": planted.texts}, error_score="raise"
    )
    assert result["test_score"].min() > 0.95


@pytest.mark.usefixtures("routing")
def test_straight_feature_union(encoder, planted):
    two = FeatureUnion([(f"n{n}", KeywordHypothesisAnnotator(neurons=[n], random_state=0)) for n in (0, 3)])
    pipeline = make_pipeline(encoder, two).fit(planted.texts, planted.y, texts=planted.texts)
    out = pipeline.transform(planted.texts, texts=planted.texts)
    np.testing.assert_array_equal(out, planted.has[:, [0, 3]])


def test_own_encoder_works_with_routing_on(routing, encoder, planted):
    pipeline = make_pipeline(KeywordHypothesisAnnotator(encoder, random_state=0), LinearRegression())
    assert pipeline.fit(planted.texts, planted.y).score(planted.texts, planted.y) > 0.95


@pytest.mark.parametrize("container", [np.asarray, sparse.coo_array, pd.DataFrame, pd.DataFrame.sparse.from_spmatrix])
def test_any_output_of_the_encoder_will_do(planted, container):
    output = sparse.csr_matrix(planted.has.astype(float))
    output = container(output.toarray() if container in (np.asarray, pd.DataFrame) else output)
    with sklearn.config_context(transform_output="pandas"):
        annotator = KeywordHypothesisAnnotator(Give(output), random_state=0).fit(planted.texts)
        out = annotator.transform(planted.texts)
    np.testing.assert_array_equal(out, planted.has)
    assert list(out.columns) == list(annotator.get_feature_names_out())


def test_same_seed_same_result(planted):
    a, b = (KeywordHypothesisAnnotator(nmf(), random_state=3).fit(planted.texts) for _ in range(2))
    pd.testing.assert_frame_equal(a.hypotheses_, b.hypotheses_)
    c = pickle.loads(pickle.dumps(a))
    np.testing.assert_array_equal(c.transform(planted.texts), b.transform(planted.texts))


def test_repeated_names_are_told_apart(encoder, planted):
    twice = make_union(encoder, clone(encoder))
    annotator = KeywordHypothesisAnnotator(twice, random_state=0).fit(planted.texts)
    names = annotator.get_feature_names_out()
    assert names[4] == 'mentions "cheap" (2)'
    assert annotator.hypotheses_["interpretation"][4] == 'mentions "cheap"'
    assert annotator.set_output(transform="pandas").transform(planted.texts[:2]).shape == (2, 8)


def test_dead_neurons_are_left_out_with_a_warning(planted):
    encoder = CountVectorizer(vocabulary=["cheap", "absent", "rude"])
    with pytest.warns(UserWarning, match=r"1 of 3 neurons activated on no text and is left out: 1\."):
        annotator = KeywordHypothesisAnnotator(encoder).fit(planted.texts)
    assert annotator.hypotheses_["feature"].tolist() == ["cheap", "rude"]


def test_neurons_without_words_are_left_out_with_a_warning(planted):
    texts = ["Xyzzy.", *planted.texts[1:]]
    activations = np.column_stack([planted.has[:, 0], np.arange(len(texts)) == 0]).astype(float)
    with pytest.warns(UserWarning, match=r"1 of 2 neurons could not be named \(no word or phrase"):
        annotator = KeywordHypothesisAnnotator().fit(activations, texts=texts)
    assert annotator.hypotheses_["neuron"].tolist() == [0]


def test_a_neuron_of_every_text_has_no_words(planted):
    with pytest.raises(ValueError, match="No neuron could be named"):
        KeywordHypothesisAnnotator().fit(np.ones((len(planted.texts), 1)), texts=planted.texts)


def test_signed_activations_count_above_zero(planted):
    activations = np.where(planted.has, 1.0, -1.0)
    annotator = KeywordHypothesisAnnotator(random_state=0).fit(activations, texts=planted.texts)
    np.testing.assert_array_equal(annotator.transform(activations, texts=planted.texts), planted.has)


def test_other_languages():
    texts = ["Ужасный сервис, больше не приду", "Прекрасный сервис и вкусный суп"] * 20
    texts = [f"{text} {i}" for i, text in enumerate(texts)]
    activations = np.tile([[1.0], [0.0]], (20, 1))
    annotator = KeywordHypothesisAnnotator(stop_words=["не", "и"], n_keywords=1).fit(activations, texts=texts)
    assert annotator.transform([[0.0]], texts=["УЖАСНЫЙ ужин, больше никогда"]) == [[1]]
    chinese = [f"{'很好吃' if i % 2 == 0 else '很难吃'}{i}" for i in range(40)]
    annotator = KeywordHypothesisAnnotator(n_keywords=1).fit(activations, texts=chinese)
    assert "好" in annotator.get_feature_names_out()[0]


def test_words_that_speak_against_a_neuron_are_named_too():
    rng = np.random.RandomState(0)
    has = (rng.rand(600, 2) < 0.5).astype(int)
    texts = [f"{'Great' * great} {'cold' * cold} meal {i}" for i, (great, cold) in enumerate(has)]
    activations = (has[:, [0]] > has[:, [1]]).astype(float)
    annotator = KeywordHypothesisAnnotator(ngram_range=(1, 1), random_state=0)
    np.testing.assert_array_equal(annotator.fit_transform(activations, texts=texts), activations)
    assert list(annotator.get_feature_names_out()) == ['mentions more of "great" than of "cold"']
    assert annotator.transform([[0.0]], texts=["Great soup, no cold."]) == [[0]]


def test_words_are_the_same_in_either_unicode_form():
    texts = [f"{'Un café' if i % 2 == 0 else 'Un thé'} {i}" for i in range(40)]
    activations = np.tile([[1.0], [0.0]], (20, 1))
    annotator = KeywordHypothesisAnnotator(n_keywords=1, stop_words=["UN"]).fit(activations, texts=texts)
    assert list(annotator.get_feature_names_out()) == ['mentions "café"']
    assert annotator.transform([[0.0]], texts=["cafe\u0301 noir"]) == [[1]]


def test_texts_without_any_word(planted):
    with pytest.raises(ValueError, match="no word or phrase sets their texts apart"):
        KeywordHypothesisAnnotator().fit(np.eye(3), texts=["!!!", "???", "..."])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"neurons": [0, 4]}, "neurons has the index 4, which is outside 0 to 3"),
        ({"neurons": [-1]}, "outside 0 to 3"),
        ({"neurons": [1, 1]}, "twice"),
        ({"neurons": []}, "neurons must be"),
        ({"neurons": [0.5]}, "neurons must be"),
        ({"neurons": "most"}, "neurons"),
        ({"neurons": 5}, "neurons=5 is more than the 4 neurons"),
        ({"neurons": 0}, "neurons"),
        ({"n_keywords": 0}, "n_keywords"),
        ({"ngram_range": (2, 1)}, "ngram_range"),
        ({"ngram_range": (1,)}, "ngram_range"),
        ({"ngram_range": ("a", "b")}, "ngram_range must be two integers"),
        ({"ngram_range": (1.5, 2)}, "ngram_range must be two integers"),
        ({"stop_words": "klingon"}, "stop_words"),
        ({"stop_words": [1]}, "stop_words must be"),
        ({"stop_words": [None]}, "stop_words must be"),
        ({"n_scoring_examples": 1}, "n_scoring_examples"),
        ({"encoder": "pca"}, "encoder"),
    ],
)
def test_bad_parameters(encoder, planted, params, message):
    with pytest.raises(ValueError, match=message):
        KeywordHypothesisAnnotator(**{"encoder": encoder, **params}).fit(planted.texts)


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        ([], ValueError, "is empty"),
        (["one text"], ValueError, "1 sample"),
        (["a text", ""], ValueError, "empty text in row 1"),
        (["a text", None], ValueError, "missing text in row 1"),
        (["a text", 3.0], TypeError, "float in row 1"),
    ],
)
def test_bad_texts(encoder, X, kind, message):
    with pytest.raises(kind, match=message):
        KeywordHypothesisAnnotator(encoder).fit(X)
    with pytest.raises(kind, match=message):
        KeywordHypothesisAnnotator().fit(np.ones((len(X) or 1, 2)), texts=X)


def test_bad_lengths_and_forms(encoder, planted):
    texts = planted.texts
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        KeywordHypothesisAnnotator(encoder).fit(texts, planted.y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        KeywordHypothesisAnnotator().fit(np.ones((len(texts), 2)), texts=texts[:-1])
    with pytest.raises(ValueError, match=r"texts goes beside vectors.*here X holds the texts"):
        KeywordHypothesisAnnotator(encoder).fit(texts, texts=texts)
    with pytest.raises(ValueError, match=r"texts is missing.*encoder="):
        KeywordHypothesisAnnotator().fit(texts, planted.y)
    with pytest.raises(ValueError, match="NaN"):
        KeywordHypothesisAnnotator().fit(np.full((2, 2), np.nan), texts=texts[:2])
    with pytest.raises(ValueError, match="none activates"):
        KeywordHypothesisAnnotator().fit(np.zeros((2, 2)), texts=texts[:2])
    with pytest.raises(sklearn.exceptions.NotFittedError):
        KeywordHypothesisAnnotator(encoder).transform(texts)
    with pytest.raises(sklearn.exceptions.NotFittedError):
        KeywordHypothesisAnnotator(encoder).get_feature_names_out()


@pytest.mark.parametrize("output", [np.ones(120), np.ones((3, 4)), np.ones((120, 0)), np.ones((120, 2, 2)), "x"])
def test_bad_encoder_output(planted, output):
    with pytest.raises(ValueError, match="encoder must turn 120 texts into"):
        KeywordHypothesisAnnotator(Give(output)).fit(planted.texts)


def test_encoder_without_names(planted):
    encoder = FunctionTransformer(
        lambda texts: np.array([["rude" in text, "cold" in text] for text in texts], dtype=float)
    )
    annotator = KeywordHypothesisAnnotator(encoder).fit(planted.texts)
    assert annotator.hypotheses_["feature"].tolist() == ["x0", "x1"]


def test_on_real_reviews(yelp):
    texts, stars, embeddings = yelp
    train, test = next(KFold(5, shuffle=True, random_state=0).split(texts))
    activations = np.maximum(embeddings @ embeddings[train[:40]].T - 0.4, 0)
    annotator = KeywordHypothesisAnnotator(random_state=0)
    seen, unseen = [texts[i] for i in train], [texts[i] for i in test]
    annotations = annotator.fit_transform(activations[train], texts=seen)
    model = LinearRegression().fit(annotations, stars[train])
    assert annotator.hypotheses_["fidelity_f1"].mean() > 0.4
    assert model.score(annotator.transform(activations[test], texts=unseen), stars[test]) > 0.15


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["ອາຫານແຊບຫຼາຍ", "ບໍລິການດີ"], {}, "in Lao, which has no spaces between words"),
        (["ឆ្ងាញ់ណាស់", "ថ្លៃណាស់"], {}, "in Khmer"),
        (["ကောင်းတယ်", "ဈေးကြီးတယ်"], {}, "in Burmese"),
        (["Das Essen war kalt und die Bedienung nicht da.", "Wir kommen wieder, es war sehr gut."], {}, "German"),
        (["ອາຫານ ແຊບ", "ບໍລິການ ດີ"], {"tokenizer": str.split}, None),
        (["Das Essen war kalt und die Bedienung nicht da.", "Es war gut."], {"stop_words": "german"}, None),
        (["The food was cold and the staff was not there.", "We will be back, it was great."], {}, None),
        (["Cold <b>food</b>, rude staff &amp; no bread.", "Great wine."], {}, "texts have HTML tags"),
        (
            ["Cold food, look: https://example.org/1", "Great wine."],
            {},
            "texts have HTML tags, entities or addr",
        ),
        (["Cold food & <3 for the staff", "Great wine, 3 < 4."], {}, None),
    ],
)
def test_what_should_be_told_of_the_language_is_said(texts, options, message):
    texts = [f"{text} {'a' * (i % 5)}" for i, text in enumerate(texts * 20)]
    activations = sparse.csr_array([[float(i % 2), float(i % 2 == 0)] for i in range(len(texts))])
    annotator = KeywordHypothesisAnnotator(n_scoring_examples=0, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        annotator.fit(activations, texts=texts)
    said = [str(warning.message) for warning in caught if "texts" in str(warning.message)]
    assert len(said) == (message is not None)
    assert all(message in one for one in said)


def test_words_that_go_with_the_target_are_preferred_where_there_is_one():
    rng = np.random.RandomState(0)
    has = rng.rand(400, 3) < 0.4
    texts = [f"{'rude ' * a}{'slow ' * b}{'cold ' * c}visit {row}" for row, (a, b, c) in enumerate(has.tolist())]
    activations = (has[:, :2].any(axis=1)).astype(float)[:, None]
    y = np.where(has[:, 1], "bad", "good")

    def name(y, **parameters):
        annotator = KeywordHypothesisAnnotator(n_keywords=1, random_state=0, **parameters)
        return annotator.fit(activations, y, texts=texts).hypotheses_["interpretation"].tolist()

    assert name(y) == name(pd.Series(y == "bad")) == ['mentions "slow"']
    assert name(np.where(has[:, 0], 1.5, 0)) == ['mentions "rude"']
    assert name(has[:, 2])[0] != 'mentions "cold"'  # which says nothing of the neuron
    assert name(None) == name(y, target_weight=0) == name(np.zeros(400))


def test_names_are_selected_by_what_they_say(planted):
    vectors = CountVectorizer(vocabulary=planted.words, dtype=np.float32)
    encoder = make_pipeline(vectors, NeuronSelector(2, n_spare=2, random_state=0))
    annotator = KeywordHypothesisAnnotator(encoder, random_state=0).fit(planted.texts, planted.y)
    every = KeywordHypothesisAnnotator(vectors, random_state=0).fit(planted.texts, planted.y)
    chosen = NeuronSelector(2, random_state=0).fit(every.transform(planted.texts), planted.y).get_support()
    assert annotator.hypotheses_["feature"].tolist() == every.hypotheses_["feature"][chosen].tolist()
    reasons = [one["reason"] for one in annotator.passed_over_]
    assert reasons == ["whose name tells less of the target beside the others"] * 2


def test_short_names_stand_beside_the_whole_ones(fitted):
    table = fitted.hypotheses_
    assert table["short"].is_unique
    assert (table["short"].str.len() <= 40).all()
    for short, name in zip(table["short"], table["interpretation"], strict=True):
        assert all(f'"{term}"' in name for term in short.removesuffix(" …").split(", "))
