import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from sklearn_sae.annotation._fidelity import fidelity

any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@any_speed
@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.sampled_from([0.0, 0.5, 3.0])), min_size=1))
def test_agrees_with_scikit_learn(rows):
    annotations, activations = np.array(rows).T
    score = fidelity(annotations, activations)
    answered = ~np.isnan(annotations)
    if not answered.any():
        assert np.isnan(score).all()
        return
    said, active = annotations[answered] == 1, activations[answered] > 0
    for value, metric in [(score.f1, f1_score), (score.precision, precision_score), (score.recall, recall_score)]:
        assert value == pytest.approx(metric(active, said, zero_division=0))
    if np.ptp(annotations[answered]) and np.ptp(activations[answered]):
        assert score.correlation == pytest.approx(np.corrcoef(said, activations[answered])[0, 1])
    else:
        assert score.correlation == 0


def test_probabilities_count_from_one_half():
    score = fidelity(np.array([0.9, 0.5, 0.4, 0.1]), np.array([2.0, 1.0, 0.0, 0.0]))
    assert score.f1 == 1
    assert 0.9 < score.correlation < 1


def test_nothing_to_compare_is_nan():
    assert np.isnan(fidelity(np.array([]), np.array([]))).all()
