import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_sae.annotation._sampling import draw, score_then_name, show_then_score, word_weights

any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ACTIVATIONS = st.integers(0, 2**32 - 1).map(
    lambda seed: np.maximum(np.random.RandomState(seed).randn(np.random.RandomState(seed).randint(1, 60)), 0)
)


def choose(activation, *, n_examples=20, n_scoring=100, sampling="top", seed=0):
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
    chosen = choose(activation, n_examples=n_examples, n_scoring=n_scoring, sampling=sampling)
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
    chosen = choose(activation, n_scoring=20)
    np.testing.assert_array_equal(chosen.activating, np.arange(99, 89, -1))
    scored = chosen.scoring[activation[chosen.scoring] > 0]
    assert len(scored) == 10
    assert scored.min() < 10
    assert scored.max() > 80
    assert len(chosen.non_activating) == 10


def test_percentile_draws_from_the_top_tenth():
    activation = np.concatenate([np.arange(1, 1001.0), np.zeros(2000)])
    draws = [set(choose(activation, sampling="percentile", seed=seed).activating.tolist()) for seed in range(5)]
    assert min(map(min, draws)) >= 900
    assert len(set.union(*draws)) > 20


@pytest.mark.parametrize(("n_active", "shown", "scored"), [(1, 1, 0), (2, 1, 1), (5, 3, 2), (12, 6, 6), (30, 10, 20)])
def test_few_activating_texts_are_split(n_active, shown, scored):
    chosen = choose(np.r_[np.ones(n_active), np.zeros(500)])
    assert len(chosen.activating) == shown
    assert len(chosen.scoring) == 2 * scored


def test_everything_may_be_shown_when_nothing_is_scored():
    chosen = choose(np.r_[np.ones(8), np.zeros(50)], n_scoring=0)
    assert len(chosen.activating) == 8
    assert len(chosen.scoring) == 0


def test_same_seed_same_draw():
    activation = np.maximum(np.random.RandomState(0).randn(300), 0)
    for a, b in zip(choose(activation, seed=3), choose(activation, seed=3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert choose(activation, seed=3).non_activating.tolist() != choose(activation, seed=4).non_activating.tolist()


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


# Near misses and draws


@any_speed
@given(ACTIVATIONS, st.integers(2, 12), st.integers(0, 20), st.integers(1, 4))
def test_no_draw_shows_what_is_scored_on(activation, n_examples, n_scoring, n_draws):
    words = sparse.csr_array(np.random.RandomState(len(activation)).rand(len(activation), 5))
    rng = np.random.RandomState(0)
    chosen = show_then_score(
        activation, n_examples=n_examples, n_scoring=n_scoring, sampling="top", rng=rng, n_draws=n_draws, words=words
    )
    everything = np.concatenate(chosen)
    assert len(set(everything.tolist())) == len(everything)
    assert (activation[chosen.non_activating] == 0).all()
    assert len(chosen.non_activating) <= n_draws * (n_examples // 2)
    for rows, n in ((chosen.activating, n_examples - n_examples // 2), (chosen.non_activating, n_examples // 2)):
        draws = [draw(rows, n, number) for number in range(n_draws)]
        assert all(len(set(one.tolist())) == len(one) == min(n, len(rows)) for one in draws)
        assert set(np.concatenate(draws).tolist()) <= set(rows.tolist())
        if len(rows) == n * n_draws:
            assert len(set(np.concatenate(draws).tolist())) == len(rows)


def test_near_misses_have_what_is_typical_of_the_texts_shown():
    texts = [f"rude waiter {i}" for i in range(6)] + ["kind waiter of old", "one waiter"] + ["soup " * 9] * 40
    activation = np.r_[np.ones(6), np.zeros(42)]
    words = word_weights(texts)
    rng = np.random.RandomState(0)
    chosen = show_then_score(activation, n_examples=8, n_scoring=4, sampling="top", rng=rng, words=words)
    assert sorted(chosen.non_activating[[0, 2]].tolist()) == [6, 7]
    assert min(chosen.non_activating[[1, 3]].tolist()) > 7


def test_texts_without_words_have_near_misses_all_the_same():
    words = word_weights(["...", "!!", "?", "-", "...."])
    options = {"n_examples": 6, "n_scoring": 0, "sampling": "top", "rng": np.random.RandomState(0)}
    chosen = show_then_score(np.array([1.0, 0, 0, 0, 0]), words=words, **options)
    assert len(set(chosen.non_activating.tolist()) & {1, 2, 3, 4}) == 3
