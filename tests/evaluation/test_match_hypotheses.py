"""`match_hypotheses` as a user meets it."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import f1_score

from sklearn_sae import HypothesisMatching, match_hypotheses


def noisy(rng, planted, share):
    return np.where(rng.random(planted.shape) < share, 1 - planted, planted)


@pytest.fixture
def planted():
    return (np.random.default_rng(0).random((400, 5)) < [0.2, 0.3, 0.4, 0.5, 0.1]).astype(float)


def test_noisy_copies_in_another_order_are_matched(planted):
    rng = np.random.default_rng(1)
    order = [3, 0, 4, 1]
    found = np.column_stack([noisy(rng, planted[:, order], 0.05), rng.integers(0, 2, 400)])
    result = match_hypotheses(found, planted, found_names=list("abcde"), reference_names=list("01234"))
    assert isinstance(result, HypothesisMatching)
    table = result.table.set_index("reference")
    assert table["found"].to_dict() | {"2": "e"} == {"3": "a", "0": "b", "4": "c", "1": "d", "2": "e"}
    for reference, row in table.iterrows():
        a, b = found[:, list("abcde").index(row["found"])], planted[:, int(reference)]
        assert row["correlation"] == pytest.approx(np.corrcoef(a, b)[0, 1])
        assert row["f1"] == pytest.approx(f1_score(b, a))
        assert row["recovered"] == (row["correlation"] >= 0.5)
    assert result.table["correlation"].is_monotonic_decreasing
    assert result.correlations.shape == (5, 5)
    assert result.correlations.loc["a", "3"] == pytest.approx(np.corrcoef(found[:, 0], planted[:, 3])[0, 1])
    assert result.metrics["precision"] == result.metrics["recall"] == result.metrics["f1"] == pytest.approx(0.8)
    assert result.metrics["mean_f1"] == pytest.approx(result.table["f1"].sum() / 5)


def test_perfect_and_empty_recovery(planted):
    same = match_hypotheses(planted[:, ::-1], planted, threshold=1.0)
    assert [same.metrics[key] for key in ("precision", "recall", "f1", "mean_f1", "mean_correlation")] == (
        pytest.approx([1] * 5)
    )
    opposite = match_hypotheses(1 - planted[:, :1], planted[:, :1])
    assert len(opposite.table) == 0
    assert [opposite.metrics[key] for key in ("precision", "recall", "f1", "mean_f1")] == [0] * 4
    assert "1 of the reference are in no pair" in str(opposite)


def test_precision_and_recall_count_their_own_side(planted):
    found = np.column_stack([planted[:, :2], np.zeros((400, 4))])
    metrics = match_hypotheses(found, planted).metrics
    assert metrics["precision"] == pytest.approx(2 / 6)
    assert metrics["recall"] == pytest.approx(2 / 5)
    assert metrics["f1"] == pytest.approx(2 / (1 / metrics["precision"] + 1 / metrics["recall"]))
    assert (metrics["n_recovered"], metrics["n_found"], metrics["n_reference"]) == (2, 6, 5)


def test_an_opposite_does_not_cost_another_pair_its_match(planted):
    rng = np.random.default_rng(1)
    found = np.column_stack([noisy(rng, planted[:, 2], 0.2), 1 - planted[:, 3]])
    table = match_hypotheses(found, planted[:, 2:4]).table
    assert table[["found", "reference", "recovered"]].to_numpy().tolist() == [["hypothesis 0", "hypothesis 0", True]]


def test_two_copies_of_one_are_found_once(planted):
    result = match_hypotheses(planted[:, [0, 0]], planted)
    assert result.metrics["n_recovered"] == 1
    assert result.metrics["precision"] == 0.5


def test_common_annotations_are_not_matched_by_chance():
    rng = np.random.default_rng(0)
    result = match_hypotheses((rng.random((2000, 4)) < 0.9).astype(int), (rng.random((2000, 4)) < 0.9).astype(int))
    assert result.table["f1"].min() > 0.85
    assert result.metrics["f1"] == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n_found=st.integers(1, 4), n_reference=st.integers(1, 4))
def test_no_other_one_to_one_matching_has_a_larger_sum(seed, n_found, n_reference):
    rng = np.random.default_rng(seed)
    found, reference = rng.integers(-1, 2, size=(12, n_found)), rng.integers(0, 2, size=(12, n_reference))
    result = match_hypotheses(found, reference)
    between = np.nan_to_num(result.correlations.to_numpy()).clip(0)
    between = between if n_found <= n_reference else between.T
    sums = [
        between[range(len(between)), list(columns)].sum()
        for columns in itertools.permutations(range(between.shape[1]), len(between))
    ]
    assert result.table["correlation"].sum() == pytest.approx(max(sums))
    assert result.table["found"].is_unique
    assert result.table["reference"].is_unique
    assert 0 <= result.metrics["f1"] <= 1


def test_gaps_soft_answers_and_pairs(planted):
    soft = np.where(planted == 1, 0.9, 0.2)
    soft[::3, 0] = np.nan
    result = match_hypotheses(soft, planted)
    assert result.metrics["f1"] == result.metrics["mean_f1"] == 1
    pairs = np.random.default_rng(0).integers(-1, 2, size=(300, 1)).astype(float)
    flipped = np.where(np.arange(300)[:, None] % 10 == 0, -pairs, pairs)
    (f1,) = match_hypotheses(flipped, pairs).table["f1"]
    claims = np.abs(pairs).sum()
    assert f1 == pytest.approx((flipped * pairs == 1).sum() / claims)


def test_any_form_and_names(planted):
    expected = match_hypotheses(planted, planted).metrics
    assert match_hypotheses(csr_array(planted), planted.tolist()).metrics == expected
    frame = pd.DataFrame(planted.astype(bool), columns=list("abcde"))
    result = match_hypotheses(frame, frame)
    assert result.metrics == expected
    assert sorted(result.table["found"]) == list("abcde")
    assert pickle.loads(pickle.dumps(result)).metrics == expected


def test_it_prints_within_100_columns(planted):
    names = [f"complains about {i} " + "very " * 30 + "long queues" for i in range(5)]
    text = str(match_hypotheses(planted, planted, found_names=names, reference_names=names))
    lines = text.splitlines()
    assert lines[0] == ("5 of 5 recovered by 5 found (correlation >= 0.5); precision 1.00, recall 1.00, F1 1.00")
    assert max(map(len, lines)) <= 100
    assert "...and" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"found": np.zeros((3, 2))}, "found has 3 rows and reference 400"),
        ({"found": np.zeros(3)}, "found must be 2-D"),
        ({"reference": np.full((400, 1), 3.0)}, "reference must be numbers from -1 to 1, or NaN; found 3 in row 0"),
        ({"found_names": ["a"]}, "found_names has 1 sentence for 5 columns of found"),
        ({"reference_names": "abcde"}, "reference_names must be a sequence of str"),
        ({"threshold": 0}, "'threshold' parameter"),
    ],
)
def test_bad_input_gets_one_sentence(planted, change, message):
    with pytest.raises(ValueError, match=message):
        match_hypotheses(**{"found": planted, "reference": planted, **change})
