"""Controls as numbers and levels, and what they leave."""

import numpy as np
import pandas as pd
import pytest

from sklearn_sae.utils._controls import Adjustment, check_controls, check_weights


def test_columns_are_numbers_indicators_and_levels():
    rng = np.random.default_rng(0)
    many = rng.integers(0, 30, size=200)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 60, size=200),
            "written": rng.integers(1, 9, size=200).astype(str),
            "member": rng.random(200) > 0.5,
            "topic": pd.Categorical(rng.choice(["x", "y", "z"], size=200)),
            "author": [f"author {i}" for i in many],
        }
    )
    controls = check_controls(frame, 200)
    assert controls.names == ("age", "written", "member", "topic", "author")
    assert controls.values.shape == (200, 5)  # three numbers, and two indicators of three topics
    np.testing.assert_array_equal(controls.values[:, 1], frame["written"].astype(int))
    (levels,) = controls.factors
    assert len(np.unique(levels)) == len(np.unique(many))
    whole = check_controls(frame, 200, absorb=False)
    assert whole.factors == ()
    assert whole.values.shape == (200, 5 + len(np.unique(many)) - 1)


@pytest.mark.parametrize("same", [1.0, "a", True])
def test_a_control_without_differences_is_said(same):
    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0], "same": [same] * 3})
    with pytest.warns(UserWarning, match="'same' is the same in all rows, so that it takes nothing out") as notes:
        check_controls(frame, 3)
    assert len(notes) == 1


def test_missing_values_are_a_level_and_said():
    frame = pd.DataFrame({"age": [1.0, np.nan, 3.0, 4.0], "topic": ["a", "b", None, "a"]})
    with pytest.warns(UserWarning, match="is missing in 1 of 4 rows") as notes:
        controls = check_controls(frame, 4)
    assert "'age' is missing in 1 of 4 rows; they take the mean" in str(notes[0].message)
    assert "'topic' is missing in 1 of 4 rows; they count as a category of their own" in str(notes[1].message)
    np.testing.assert_allclose(controls.values[:, 0], [1, 8 / 3, 3, 4])
    np.testing.assert_array_equal(controls.values[:, 1], [0, 1, 0, 0])
    np.testing.assert_array_equal(controls.values[:, 2:].sum(axis=1), [0, 1, 1, 0])


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        (np.full(4, np.nan), "Input controls contains NaN"),
        (np.ones(3), "controls has 3 rows for the 4 rows of X"),
        (pd.DataFrame({"id": list("abcd")}), "'id' has another value in each row"),
        (pd.DataFrame({"day": pd.date_range("2020-01-01", periods=4)}), "'day' holds dates"),
        (pd.DataFrame({"age": [1, np.inf, 2, 3]}), "'age' has an infinite value"),
    ],
)
def test_bad_controls_get_one_sentence(controls, message):
    with pytest.raises(ValueError, match=message):
        check_controls(controls, 4)


@pytest.mark.parametrize("n_factors", [0, 1, 2])
def test_what_is_left_is_what_least_squares_on_dummies_leaves(n_factors):
    rng = np.random.default_rng(n_factors)
    frame = pd.DataFrame({"age": rng.normal(50, 3, size=300)})
    for i in range(n_factors):
        frame[f"factor {i}"] = [f"level {level}" for level in rng.integers(0, 25 + i, size=300)]
    weights, Y = rng.gamma(2, size=300), rng.normal(5, 1, size=(300, 3))
    Y[:, 2] = 2 + 3 * frame["age"]
    adjustment = Adjustment(check_controls(frame, 300), weights)
    assert len(check_controls(frame, 300).factors) == n_factors
    X = np.column_stack([np.ones(300), check_controls(frame, 300, absorb=False).values])
    root = np.sqrt(weights)[:, None]
    expected = Y - X @ np.linalg.lstsq(root * X, root * Y, rcond=None)[0]
    left = adjustment.residuals(Y)
    np.testing.assert_allclose(left[:, :2], expected[:, :2], atol=1e-7)
    np.testing.assert_array_equal(left[:, 2], 0)
    assert adjustment.n_parameters == np.linalg.matrix_rank(X)
    if n_factors < 2:
        Q = np.linalg.qr(root * X)[0]
        np.testing.assert_allclose(adjustment.leverage, (Q**2).sum(axis=1), atol=1e-9)


def test_a_category_of_many_levels_needs_no_other_control():
    levels = np.arange(100) % 25
    controls = check_controls(pd.Series([f"level {i}" for i in levels]), 100)
    left = Adjustment(controls, np.ones(100)).residuals(np.arange(100.0))
    np.testing.assert_allclose(left, np.arange(100) - (np.arange(100) % 25 + 37.5))


def test_weights_have_mean_one():
    np.testing.assert_allclose(check_weights([0, 1, 3], 3), [0, 0.5, 1.5])
    for bad, message in (([1, -1, 1], "row 1"), ([0, 0, 0], "zero for every row"), ([1, 2], "one number a row")):
        with pytest.raises(ValueError, match=message):
            check_weights(bad, 3)
