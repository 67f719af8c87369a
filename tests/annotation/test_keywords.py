import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_sae.annotation._keywords import (
    _PRIOR_SHARE,
    _RARITY,
    _SURE_Z,
    choose_terms,
    find_candidates,
    find_terms,
    log_odds,
    match_sentences,
    terms_of,
    write_sentence,
)
from sklearn_sae.utils._languages import ENGLISH_STOP_WORDS

any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def terms(text, ngram_range=(1, 2), stop_words=ENGLISH_STOP_WORDS):
    return terms_of(text, tokenizer=None, ngram_range=ngram_range, stop_words=stop_words)


def match(texts, sentences):
    return match_sentences(texts, sentences, tokenizer=None).astype(int).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The food was NOT good", ["food", "not", "good", "not good"]),
        ("I don’t eat here", ["don't", "eat", "don't eat"]),
        ("5 stars, 10 20", ["stars", "5 stars"]),
        ("a b c", []),
        ("Zürich café", ["zürich", "café", "zürich café"]),
        ("服务员态度很差", ["服务员", "态度", "很", "差", "服务员 态度", "态度 很", "很 差"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा", "हिन्दी भाषा"]),
        ("Cafe\u0301 Zu\u0308rich", ["café", "zürich", "café zürich"]),
        ("อร่อยมาก", ["อร่อย", "มาก", "อร่อย มาก"]),
        ("ແຊບຫຼາຍ", ["ແຊບຫຼາຍ"]),
        ("ឆ្ងាញ់ណាស់។", ["ឆ្ងាញ់ណាស់"]),
        ("ကောင်းတယ်။", ["ကောင်းတယ်"]),
        ("Ужасный сервис", ["ужасный", "сервис", "ужасный сервис"]),
    ],
)
def test_words_and_phrases(text, expected):
    assert terms(text) == expected


def test_a_stop_word_may_stand_inside_a_phrase():
    assert "waste of time" in terms("a waste of time", ngram_range=(1, 3))


def test_singular_and_plural_are_one_term():
    texts = ["one burger", "two burgers", "a burger and burgers", "news", "new", "always"]
    presence, names = find_terms(texts, tokenizer=None, ngram_range=(1, 1), stop_words=ENGLISH_STOP_WORDS, min_df=1)
    assert names.tolist() == ["always", "burger", "new", "news"]
    assert presence.toarray()[:, 1].tolist() == [1, 1, 1, 0, 0, 0]
    assert match(texts, ['mentions "burger"']) == [[1], [1], [1], [0], [0], [0]]


@pytest.mark.parametrize(("min_df", "n_terms"), [(1, 4), (2, 2), (3, 1), (0.5, 2), (0.6, 1), (1.0, 0)])
def test_rare_terms_are_left_out(min_df, n_terms):
    texts = ["soup tea", "soup tea", "soup wine", "beer"]
    _, names = find_terms(texts, tokenizer=None, ngram_range=(1, 1), stop_words=frozenset(), min_df=min_df)
    assert len(names) == n_terms


def test_log_odds_against_the_formula_of_the_paper():
    y_i, y_j, alpha = np.array([8.0, 1.0, 5.0]), np.array([2.0, 9.0, 5.0]), np.array([1.0, 1.0, 2.0])
    n_i, n_j, alpha_0 = y_i.sum(), y_j.sum(), alpha.sum()
    expected = []
    for w in range(3):
        delta = np.log((y_i[w] + alpha[w]) / (n_i + alpha_0 - y_i[w] - alpha[w]))
        delta -= np.log((y_j[w] + alpha[w]) / (n_j + alpha_0 - y_j[w] - alpha[w]))
        expected.append(delta / np.sqrt(1 / (y_i[w] + alpha[w]) + 1 / (y_j[w] + alpha[w])))
    np.testing.assert_allclose(log_odds(y_i, y_j, alpha), expected)


def presence_of(columns):
    return sparse.csc_array(np.array(columns, dtype=float).T)


def choose_among(presence, activation, n_keywords, use, **options):
    [(more, less)] = find_candidates(presence, [activation], [use])
    return choose_terms(presence, activation, n_keywords, use=use, more=more, less=less, **options)


def choose(columns, activation, n_keywords):
    return choose_among(presence_of(columns), activation, n_keywords, np.ones(len(activation), bool))


def test_terms_are_chosen_that_cover_the_activation():
    activation = np.r_[np.ones(40), np.zeros(60)]
    half, other_half = activation.copy(), activation.copy()
    half[20:40], other_half[:20] = 0, 0
    everywhere = np.ones(100)
    once = np.zeros(100)
    once[0] = 1
    chosen, opposed = choose([everywhere, half, once, other_half], activation, 5)
    assert sorted(chosen) == [1, 3]
    assert opposed == []


def test_terms_that_add_little_are_kept_and_chance_words_are_not():
    activation = np.r_[np.ones(2000), np.zeros(2000)]
    rows = np.arange(4000)
    real = [rows < 1500] + [(rows >= 1500 + 30 * i) & (rows < 1530 + 30 * i) for i in range(12)]
    chance = np.random.RandomState(0).rand(200, 4000) < 0.01
    chosen, opposed = choose([*real, *chance], activation, 40)
    assert sorted(chosen) == list(range(len(real)))
    assert opposed == []


def test_terms_that_speak_against_the_neuron_make_the_second_set():
    great, cold = (np.random.RandomState(0).rand(2, 1000) < 0.4).astype(float)
    assert choose([great, cold], great * (1 - cold), 2) == ([0], [1])
    assert choose([great, cold], great * (1 - cold), 1) == ([0], [])


def test_few_terms_are_sure_by_chance():
    rng = np.random.RandomState(0)
    rate = np.exp(rng.uniform(np.log(0.002), np.log(0.1), size=5000))  # most words are rare
    presence = sparse.csc_array((rng.rand(1000, 5000) < rate).astype(float))
    presence = presence[:, np.diff(presence.indptr) >= 2]
    activation = np.where(rng.rand(1000) < 0.3, rng.uniform(0.5, 1.5, size=1000), 0)
    prior = _PRIOR_SHARE * np.diff(presence.indptr)
    z = log_odds(presence.T @ activation, presence.T @ (activation == 0).astype(float), prior)
    assert (z > _SURE_Z).mean() < 0.00135  # of a standard normal


def agreement(presence, sets, weight):
    """Return the correlation that names are chosen by, as it is defined."""
    first, second = (presence[:, chosen].sum(axis=1) for chosen in sets)
    holds = (first > second).astype(float)
    share = holds.mean()
    return ((holds * weight).mean() - share * weight.mean()) / np.sqrt((share + _RARITY) * (1 - share) + 1e-12)


def some_terms(seed):
    """Return presence (dense) and activation of a made-up neuron, with terms for and against it."""
    rng = np.random.RandomState(seed)
    presence = (rng.rand(400, 12) < rng.uniform(0.05, 0.5, size=12)).astype(float)
    activation = presence @ rng.randn(12) + rng.randn(400)
    return presence, np.maximum(activation - np.quantile(activation, 0.6), 0)


@any_speed
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_a_longer_name_goes_on_from_a_shorter_one_and_agrees_better(seed, n):
    presence, activation = some_terms(seed)
    sets, longer = choose(presence.T, activation, n), choose(presence.T, activation, n + 1)
    assert [terms[: len(shorter)] for terms, shorter in zip(longer, sets, strict=True)] == list(sets)
    assert len(sets[0]) + len(sets[1]) <= n
    assert not set(sets[0]) & set(sets[1])
    if longer != sets:
        assert agreement(presence, longer, np.sqrt(activation)) > agreement(presence, sets, np.sqrt(activation))


@any_speed
@given(st.integers(0, 10_000))
def test_no_further_term_would_agree_better(seed):
    presence, activation = some_terms(seed)
    weight = np.sqrt(activation)
    weight /= weight[weight > 0].mean()
    z = log_odds(presence.T @ weight, presence.T @ (weight == 0), _PRIOR_SHARE * presence.sum(axis=0))
    sets = choose(presence.T, activation, 12)
    best = agreement(presence, sets, weight)
    for term in set(range(12)) - {*sets[0], *sets[1]}:
        if z[term] > _SURE_Z:
            assert agreement(presence, ([*sets[0], term], sets[1]), weight) <= best + 1e-9
        if z[term] < -_SURE_Z:
            assert agreement(presence, (sets[0], [*sets[1], term]), weight) <= best + 1e-9


def test_texts_held_back_are_not_looked_at():
    rng = np.random.RandomState(0)
    presence = presence_of((rng.rand(8, 60) < 0.4).tolist())
    activation = np.maximum(rng.randn(60), 0)
    use = np.arange(60) < 40
    sets = choose_among(presence, activation, 4, use)
    assert sets[0]
    assert choose_among(presence, np.where(use, activation, 100 * rng.rand(60)), 4, use) == sets


def test_of_terms_that_agree_alike_the_one_that_goes_with_the_target_comes_first():
    rng = np.random.RandomState(0)
    activation = np.repeat([1.0, 0.0], 200)
    even, odd = activation * (np.arange(400) % 2 == 0), activation * (np.arange(400) % 2)
    says_nothing = (rng.rand(400) < 0.5).astype(float)  # of the neuron
    presence, use = presence_of([even, odd, says_nothing]), np.ones(400, bool)
    y = np.column_stack([rng.randn(400), 3.0 * odd + rng.randn(400)])
    target = (y - y.mean(axis=0)) / y.std(axis=0)
    assert choose_among(presence, activation, 1, use, target=target)[0] == [1]
    assert choose_among(presence, activation, 1, use, target=-target)[0] == [1]  # the neuron may speak against it
    target = (says_nothing[:, None] - says_nothing.mean()) / says_nothing.std()
    assert 2 not in choose_among(presence, activation, 3, use, target=target)[0]
    # The target of texts held back is not looked at.
    held = np.arange(400) % 4 == 0
    sets = [choose_among(presence, activation, 1, ~held, target=np.where(held[:, None], far, y)) for far in (0, 100)]
    assert sets[0] == sets[1]


def test_a_term_is_left_to_the_three_neurons_of_which_it_is_most_telling():
    rng = np.random.RandomState(0)
    term = np.repeat([1.0, 0.0], 200)
    activations = [np.where(rng.rand(400) < noise, 1 - term, term) for noise in (0.3, 0.05, 0.2, 0.1, 0.25)]
    found = find_candidates(presence_of([term]), activations, [np.ones(400, bool)] * 5)
    assert [more.tolist() for more, _ in found] == [[], [0], [0], [0], []]


def test_no_term_where_none_is_more_usual():
    none = [], []
    assert choose([[0, 0, 1, 1]], np.array([1.0, 1, 0, 0]), 3) == none
    assert choose_among(sparse.csc_array((4, 0)), np.array([1.0, 1, 0, 0]), 3, np.ones(4, bool)) == none
    assert choose([[1, 1, 0, 0]], np.zeros(4), 3) == none
    against = np.repeat([0.0, 1.0], 50)
    assert choose([against], 1 - against, 3) == none


@pytest.mark.parametrize(
    ("words", "opposed", "sentence"),
    [
        (["rude"], [], 'mentions "rude"'),
        (["rude", "never again"], [], 'mentions "rude" or "never again"'),
        (["a1", "b2", "c3"], [], 'mentions "a1", "b2" or "c3"'),
        (["好 吃", "ab cd"], [], 'mentions "好吃" or "ab cd"'),
        (["rude"], ["great"], 'mentions more of "rude" than of "great"'),
        (
            ["rude", "slow"],
            ["great", "love", "fun"],
            'mentions more of "rude" or "slow" than of "great", "love" or "fun"',
        ),
    ],
)
def test_sentences(words, opposed, sentence):
    assert write_sentence(words, opposed) == sentence


def test_contained_terms_are_left_out_where_they_add_nothing():
    words = ["great food", "great", "greatly", "food"]
    assert write_sentence(words) == 'mentions "great", "greatly" or "food"'
    assert write_sentence(words, ["slow"]).count('"') == 10


def test_matching_is_blind_to_unicode_form():
    assert match(["Cafe\u0301", "CAFÉ", "cafe"], ['mentions "café"', 'mentions "cafe\u0301"']) == [
        [1, 1],
        [1, 1],
        [0, 0],
    ]


def test_sentences_mean_what_they_say():
    texts = ["Never again!", "never ever", "RUDE, rude.", "the rudest", "很好吃!", "吃好"]
    sentences = ['mentions "rude" or "never again"', 'mentions "好吃"', "mentions nothing"]
    assert match(texts, sentences) == [[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Rude!", True),
        ("Rude, but great.", False),
        ("Rude and slow, but great, great, great.", True),
        ("Rude, rude, rude, but great.", False),
        ("Great.", False),
        ("Nothing.", False),
    ],
)
def test_more_of_these_than_of_those(text, holds):
    assert match([text], ['mentions more of "rude" or "slow" than of "great" or "love"']) == [[holds]]


def test_a_term_inside_another_counts_beside_it():
    sentences = ['mentions more of "good" than of "not good"', 'mentions more of "soup" or "hot soup" than of "cold"']
    assert match(["good", "not good", "hot soup, cold tea", "cold soup"], sentences) == [[1, 0], [0, 0], [0, 1], [0, 0]]


def test_the_words_between_two_sets_may_be_a_term():
    assert match(["more than of late"], ['mentions more of "than of" or "late" than of "early"']) == [[1]]
    assert match(["rude"], ['mentions more of "than of" than of "rude"']) == [[0]]


@any_speed
@given(st.integers(0, 10_000), st.sets(st.integers(0, 39), min_size=1, max_size=6), st.sets(st.integers(0, 39)))
def test_a_sentence_says_what_was_chosen(seed, first, second):
    rng = np.random.RandomState(seed)
    vocabulary = ["soup", "soups", "not", "good", "the", "hot", "Rude", "waiter", "很", "好"]
    texts = [" ".join(rng.choice(vocabulary, size=rng.randint(1, 8))) for _ in range(30)]
    presence, names = find_terms(texts, tokenizer=None, ngram_range=(1, 2), stop_words=ENGLISH_STOP_WORDS, min_df=1)
    first, second = ([i for i in chosen if i < len(names)] for chosen in (first, second - first))
    if first:
        holds = presence[:, first].sum(axis=1) > presence[:, second].sum(axis=1)
        sentence = write_sentence(names[first], names[second])
        np.testing.assert_array_equal(match(texts, [sentence]), holds[:, None])


TOKENIZERS = [None, re.compile(r"\S+").findall, re.compile(r"\w").findall]


@any_speed
@given(st.text(max_size=40), st.integers(1, 3), st.sampled_from(TOKENIZERS))
def test_every_term_of_a_text_is_found_in_it(text, n, tokenizer):
    for term in terms_of(text, tokenizer=tokenizer, ngram_range=(n, n)):
        sentence = write_sentence([term], tokenizer=tokenizer)
        assert match_sentences([text], [sentence], tokenizer=tokenizer) == [[True]]


@pytest.mark.parametrize("tokenizer", [*TOKENIZERS, re.compile(r"\w+").findall])
@pytest.mark.parametrize(
    "text", ["很好 吃 カフェ latte", "服务员态度很差", "店員の態度がとても悪くて、料理も冷めていた。"]
)
def test_a_phrase_is_written_so_that_it_is_divided_into_the_same_words(text, tokenizer):
    for term in terms_of(text, tokenizer=tokenizer, ngram_range=(1, 3)):
        sentence = write_sentence([term], tokenizer=tokenizer)
        assert match_sentences([text], [sentence], tokenizer=tokenizer) == [[True]]


def test_a_phrase_ends_with_its_sentence():
    texts = ["Danke dem Kellner. Wir kamen wieder.", "Der Kellner, wir und das Essen."]
    assert "kellner wir" not in terms(texts[0]) + terms(texts[1])
    assert match(["The soup. Was cold"], ['mentions "soup was"']) == [[0]]
