"""Columns of the default embedding for rare classes."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from sklearn_sae._rare_class_terms import RareClassTerms


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    rare = np.arange(400) < 12
    dense = np.where(rng.random((400, 50)) < 0.1, rng.random((400, 50)), 0)
    dense[:, 7] = np.where(rare & (np.arange(400) % 2 == 0), 0.4, 0)
    return csr_array(dense), rare


def test_terms_that_go_with_a_rare_class_make_its_column(weights):
    X, rare = weights
    terms = RareClassTerms().fit(X, rare)
    assert [some.tolist() for some in terms.terms_] == [[7]]
    column = terms.transform(X)
    assert column.shape == (400, 1)
    np.testing.assert_allclose(np.unique(column), [0, 2])
    assert terms.get_feature_names_out().tolist() == ["rareclassterms0"]


def test_there_is_no_column_by_chance_for_common_classes_or_numbers(weights):
    X, rare = weights
    rng = np.random.default_rng(0)
    for y in (None, np.arange(400) % 2, np.arange(400.0), *(rng.permutation(rare) for _ in range(20))):
        assert RareClassTerms().fit(X, y).transform(X).shape == (400, 0)
