"""stability, and discover with several seeds."""

import io

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sklearn_sae import (
    KeywordHypothesisAnnotator,
    LLMHypothesisAnnotator,
    NeuronSelector,
    discover,
    make_hypothesis_pipeline,
    match_hypotheses,
    stability,
)
from sklearn_sae._refits import come_back
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._markdown import markdown_of
from sklearn_sae.report._report_of import report_of_discovery
from sklearn_sae.report._workbook import workbook_of

SMALL = {"n_components": 8, "k": 2, "n_hypotheses": 3, "random_state": 0}


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(300, n_concepts=3, noise=0.1, random_state=0)


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews.data, reviews.target, n_seeds=3, **SMALL)


def without_chance():
    """Return an annotator that finds the same whatever the seeds and the order are."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    words = make_pipeline(CountVectorizer(binary=True, min_df=10), NeuronSelector(3, method="correlation"))
    return KeywordHypothesisAnnotator(words, n_keywords=1)


@pytest.mark.parametrize("how", ["seeds", "order"])
def test_what_does_not_depend_on_seed_or_order_always_comes_back(reviews, how):
    found = stability(without_chance(), reviews.data, reviews.target, n_resamples=2, how=how, random_state=0)
    assert found.share == 1
    assert found.table["mean_correlation"].min() == pytest.approx(1)


@pytest.mark.parametrize(("how", "n_jobs"), [("resamples", None), pytest.param("seeds", 2, marks=pytest.mark.slow)])
def test_a_repeat_is_the_same_whatever_the_number_of_jobs(reviews, how, n_jobs):
    annotator = make_hypothesis_pipeline(**SMALL)["hypotheses"]
    options = {"n_resamples": 1, "how": how, "random_state": 1}
    one = stability(annotator, reviews.data, reviews.target, **options)
    again = stability(annotator, reviews.data, reviews.target, **options, n_jobs=n_jobs)
    assert one.table.equals(again.table)
    assert one.correlations.equals(again.correlations)
    assert not hasattr(annotator, "hypotheses_")


def test_coming_back_is_that_of_match_hypotheses():
    rng = np.random.default_rng(0)
    first = (rng.random((200, 4)) < 0.3).astype(float)
    other = np.where(rng.random((200, 4)) < 0.1, 1 - first, first)[:, [2, 0, 3]]
    table = match_hypotheses(other, first, threshold=0.7).table
    expected = dict(zip(table["reference"], table["correlation"], strict=True))
    correlations = come_back(first, [other])[0]
    assert correlations == pytest.approx([expected.get(f"hypothesis {i}", 0) for i in range(4)])
    assert correlations[1] == pytest.approx(max(0, expected.get("hypothesis 1", 0)))


def test_copies_and_groups_are_held_out_and_drawn_together(reviews):
    texts = [*reviews.data, *reviews.data]
    y, groups = np.tile(reviews.target, 2), np.tile(np.arange(300) // 3, 2)
    seen = []

    class Noted(KeywordHypothesisAnnotator):
        def fit(self, X, y=None, *, texts=None):
            seen.append(set(X))
            return super().fit(X, y, texts=texts)

        def transform(self, X, *, texts=None):
            seen.append(set(X))
            return super().transform(X, texts=texts)

    pipeline = Noted(without_chance().encoder, n_keywords=1)
    stability(pipeline, texts, y, n_resamples=2, how="resamples", groups=groups, random_state=0)
    of_text = dict(zip(texts, groups, strict=True))
    trained, unseen = seen[::2], seen[1::2]
    assert len(trained) == 3
    assert unseen[0] == unseen[1] == unseen[2]
    for some in trained:
        of_some = {of_text[text] for text in some}
        assert not of_some & {of_text[text] for text in unseen[0]}
        assert some == {text for text, group in of_text.items() if group in of_some}
    assert len(trained[1]) < len(trained[0])


def test_a_language_model_is_asked_nothing(reviews):
    naming = LLMHypothesisAnnotator(base_url="http://localhost:9", max_requests=1)
    pipeline = make_hypothesis_pipeline(naming=naming, model=LinearRegression(), **SMALL)
    found = stability(pipeline, reviews.data, reviews.target, n_resamples=1, random_state=0)
    assert found.of == "neurons"
    assert len(found.table) == 3
    assert found.table["hypothesis"].str.fullmatch(r"neuron \d").all()


def test_controls_change_what_is_found(reviews):
    options = {"n_resamples": 1, "random_state": 0}
    plain = stability(without_chance(), reviews.data, reviews.target, **options)
    beyond = stability(without_chance(), reviews.data, reviews.target, controls=reviews.concepts[:, :1], **options)
    assert set(plain.table["hypothesis"]) != set(beyond.table["hypothesis"])


def test_what_has_no_encoder_is_refused(reviews):
    with pytest.raises(ValueError, match="has an encoder="):
        stability(LLMHypothesisAnnotator(hypotheses=["is rude"]), reviews.data, reviews.target)


def test_it_prints_in_lines_of_a_width(reviews):
    found = stability(make_hypothesis_pipeline(**SMALL), reviews.data, reviews.target, n_resamples=1, random_state=0)
    for width in (80, 100):
        text = found.to_text(width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "can still be chance" in " ".join(text.split())


# discover


def test_other_seeds_add_a_column_and_change_nothing_else(reviews, found):
    one = discover(reviews.data, reviews.target, **SMALL)
    assert "comes_back" not in one.table
    assert "back" not in one.to_text()
    assert "comes back" not in markdown_of(report_of_discovery(one, texts="none"))
    assert found.table.drop(columns="comes_back").equals(one.table)
    assert found.scores == one.scores
    assert set(found.table["comes_back"]) <= {0, 0.5, 1}


def test_pairs_are_refused_before_the_work(reviews):
    pairs = np.array([reviews.data[:150], reviews.data[150:]], dtype=object).T
    with pytest.raises(ValueError, match="n_seeds is for single texts"):
        discover(pairs, reviews.target[:150] > reviews.target[150:], n_seeds=2, **SMALL)


def test_the_column_is_of_fits_with_other_seeds_on_the_same_texts(reviews, found):
    texts, y = np.array(reviews.data, dtype=object), reviews.target
    again = discover(reviews.data, y, n_seeds=3, **SMALL)
    assert again.table.equals(found.table)
    flipped = y.copy()
    flipped[found.test] = -flipped[found.test]  # the target of the texts held out plays no part
    other = discover(texts, flipped, n_seeds=3, **SMALL).table.set_index("hypothesis")["comes_back"]
    assert other.sort_index().equals(found.table.set_index("hypothesis")["comes_back"].sort_index())


def test_the_table_and_reports_have_the_column(found):
    for width in (80, 100):
        lines = found.to_text(width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert any("back" in line.split() for line in lines)
    assert "that is not significance" in " ".join(found.to_text().split())
    report = report_of_discovery(found)
    assert [one.back for one in report.hypotheses] == [
        f"{round(2 * found.table.set_index('hypothesis')['comes_back'][one.name])} of 2" for one in report.hypotheses
    ]
    assert "| comes back |" in markdown_of(report)
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(io.BytesIO(workbook_of(report)))["hypotheses"]
    heads, first = (list(row) for row in list(sheet.iter_rows(values_only=True))[:2])
    assert first[heads.index("comes back")] == report.hypotheses[0].back
    assert len(heads) == len(first)


def test_seeds_on_the_command_line(reviews, tmp_path, capsys):
    import pandas as pd

    file, out = tmp_path / "reviews.csv", tmp_path / "out.csv"
    pd.DataFrame({"review": reviews.data, "stars": reviews.target}).to_csv(file, index=False)
    options = ["-M", "8", "-K", "2", "--n-hypotheses", "3", "--seeds", "2", "--output", str(out)]
    main(["discover", str(file), "--text", "review", "--target", "stars", *options])
    assert "back: of 1 more fit with other seeds" in " ".join(capsys.readouterr().out.split())
    assert set(pd.read_csv(out)["comes_back"]) <= {0, 1}


class RecordsWeights(NeuronSelector):
    """Keeps what weights it was fitted with."""

    seen = []

    def fit(self, X, y=None, *, controls=None, sample_weight=None, by=None):
        self.seen.append(sample_weight)
        return super().fit(X, y, controls=controls, sample_weight=sample_weight, by=by)


@pytest.mark.parametrize("of", ["names", "neurons"])
def test_weights_reach_the_selection_in_each_fit(reviews, of):
    pipeline = make_hypothesis_pipeline(**SMALL)
    pipeline["hypotheses"].encoder.set_params(select=RecordsWeights(3))
    RecordsWeights.seen.clear()
    weights = np.arange(300) % 3 + 1.0
    stability(pipeline, reviews.data, reviews.target, n_resamples=1, of=of, sample_weight=weights, random_state=0)
    assert len(RecordsWeights.seen) == 2
    assert all(set(seen) == {0.5, 1.0, 1.5} for seen in RecordsWeights.seen)  # their mean is 1


def test_weights_that_nothing_takes_are_refused_before_any_fit(reviews):
    from sklearn.feature_extraction.text import CountVectorizer

    annotator = KeywordHypothesisAnnotator(CountVectorizer(min_df=10))
    with pytest.raises(TypeError, match="fit got sample_weight"):
        stability(annotator, reviews.data, reviews.target, sample_weight=np.ones(300))
