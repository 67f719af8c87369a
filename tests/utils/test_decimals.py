"""Numbers have sensible decimals."""

import numpy as np
import pytest

from sklearn_sae.utils._decimals import number_form, shortened, written


@pytest.mark.parametrize(
    ("values", "errors", "shown"),
    [
        ([1.469, -0.277, 0.0004], [0.46, 0.31, 0.2], ["+1.47", "-0.28", "0.00"]),  # stars
        ([12.345, -0.4, np.nan], [10.2, 9.8, np.nan], ["+12", "0", "-"]),  # points of percentage of 400 texts
        ([5.31, -0.44], [1.9, 1.2], ["+5.3", "-0.4"]),  # and of 10,000
        ([1_469_000.0, -277.4], [4.6e5, 3.1e5], ["+1,469,000", "-277"]),  # prices
        ([1.469e-5, -2.77e-6], [4.6e-6, 3.1e-6], ["+1.5e-05", "-2.8e-06"]),  # rates
        ([0.01469, -0.00277], [0.0046, 0.0031], ["+0.0147", "-0.0028"]),
        ([0.003, -0.001], [0.2, 0.3], ["0.00", "0.00"]),  # nothing is known of them
        ([2.5e12], [], ["+2.5e+12"]),
        ([0.999], [0.0999], ["+1.00"]),
        ([0.0, -0.0], [], ["0", "0"]),
        ([0.0, np.nan], [0.25], ["0.00", "-"]),
        ([np.inf, 1.5], [np.inf], ["+inf", "+1.50"]),
        ([], [], []),
    ],
)
def test_numbers_have_as_many_digits_as_are_known(values, errors, shown):
    form = "+" + number_form(values, errors)
    assert [written(value, form) for value in values] == shown


def test_the_errors_alone_tell_too():
    assert number_form([np.nan], [0.25]) == ",.2f"
    assert written(0.25, number_form([], [0.25])) == "0.25"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.14159, "3.142"),
        (-0.0001234, "-0.0001234"),
        (2024.0, "2024"),
        (9999.7, "10,000"),
        (123_456.7, "123,457"),
        (-89_640.2, "-89,640"),
        (5e12, "5e+12"),
        (0.0, "0"),
        (np.nan, "nan"),
    ],
)
def test_a_large_number_is_written_out(value, shown):
    assert shortened(value, 4) == shown
