import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae.annotation._sampling import score_then_name, show_then_score

any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ACTIVATIONS = st.integers(0, 2**32 - 1).map(
    lambda seed: np.maximum(np.random.RandomState(seed).randn(np.random.RandomState(seed).randint(1, 60)), 0)
)


def draw(activation, *, n_examples=20, n_scoring=100, sampling="top", seed=0):
    return show_then_score(
        activation,
        n_examples=n_examples,
        n_scoring=n_scoring,
        sampling=sampling,
        rng=np.random.RandomState(seed),
    )


@any_speed
@given(ACTIVATIONS, st.integers(2, 30), st.integers(0, 60), st.sampled_from(["top", "percentile"]))
def test_what_is_shown_is_not_scored_on(activation, n_examples, n_scoring, sampling):
    chosen = draw(activation, n_examples=n_examples, n_scoring=n_scoring, sampling=sampling)
    everything = np.concatenate(chosen)
    assert len(set(everything.tolist())) == len(everything)
    assert (activation[chosen.activating] > 0).all()
    assert (activation[chosen.non_activating] == 0).all()
    assert len(chosen.activating) + len(chosen.non_activating) <= n_examples
    assert len(chosen.scoring) <= n_scoring
    assert 2 * (activation[chosen.scoring] > 0).sum() == len(chosen.scoring)
    assert (len(chosen.activating) > 0) == (activation > 0).any()


def test_top_shows_the_strongest_and_scores_over_the_rest():
    activation = np.concatenate([np.arange(1, 101.0), np.zeros(200)])
    chosen = draw(activation, n_scoring=20)
    np.testing.assert_array_equal(chosen.activating, np.arange(99, 89, -1))
    scored = chosen.scoring[activation[chosen.scoring] > 0]
    assert len(scored) == 10
    assert scored.min() < 10
    assert scored.max() > 80
    assert len(chosen.non_activating) == 10


def test_percentile_draws_from_the_top_tenth():
    activation = np.concatenate([np.arange(1, 1001.0), np.zeros(2000)])
    draws = [set(draw(activation, sampling="percentile", seed=seed).activating.tolist()) for seed in range(5)]
    assert min(map(min, draws)) >= 900
    assert len(set.union(*draws)) > 20


@pytest.mark.parametrize(("n_active", "shown", "scored"), [(1, 1, 0), (2, 1, 1), (5, 3, 2), (12, 6, 6), (30, 10, 20)])
def test_few_activating_texts_are_split(n_active, shown, scored):
    chosen = draw(np.r_[np.ones(n_active), np.zeros(500)])
    assert len(chosen.activating) == shown
    assert len(chosen.scoring) == 2 * scored


def test_everything_may_be_shown_when_nothing_is_scored():
    chosen = draw(np.r_[np.ones(8), np.zeros(50)], n_scoring=0)
    assert len(chosen.activating) == 8
    assert len(chosen.scoring) == 0


def test_same_seed_same_draw():
    activation = np.maximum(np.random.RandomState(0).randn(300), 0)
    for a, b in zip(draw(activation, seed=3), draw(activation, seed=3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert draw(activation, seed=3).non_activating.tolist() != draw(activation, seed=4).non_activating.tolist()


@any_speed
@given(ACTIVATIONS, st.integers(0, 60))
def test_keywords_keep_three_quarters_for_the_name(activation, n_scoring):
    rng = np.random.RandomState(0)
    chosen = score_then_name(activation, n_scoring=n_scoring, max_share=0.25, n_examples=6, rng=rng)
    everything = np.concatenate(chosen)
    assert len(set(everything.tolist())) == len(everything)
    held = (activation[chosen.scoring] > 0).sum()
    assert 2 * held == len(chosen.scoring) <= n_scoring
    assert held <= 0.25 * (activation > 0).sum()
    assert len(chosen.activating) <= 3
