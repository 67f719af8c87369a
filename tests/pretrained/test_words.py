"""From texts to the states of their words, what of them is stored, and what a neuron's activations become."""

import unicodedata

import numpy as np
import pytest
from sklearn.utils import check_random_state

from sklearn_sae.pretrained._pooling import AGGREGATIONS, check_aggregations
from sklearn_sae.pretrained._reader import Reader
from sklearn_sae.pretrained._tokens import tokenize_texts
from sklearn_sae.pretrained._word_reader import StoredStates, WordReader, gather
from sklearn_sae.pretrained._word_states import WordStates, ends_unread, read_words
from sklearn_sae.pretrained._word_store import (
    WordActivations,
    activations_from_bytes,
    activations_to_bytes,
    pool_words,
    split_codes,
    states_from_bytes,
    states_to_bytes,
)
from sklearn_sae.pretrained._word_texts import Texts, draw_texts
from sklearn_sae.pretrained._word_training import (
    plan_autoencoder,
    scale_columns,
    suggest_epochs,
    suggest_k,
    suggest_n_components,
)
from sklearn_sae.utils.store import open_store

torch = pytest.importorskip("torch")

TEXTS = [
    "the soup was cold",
    "  The\tfood\n\nwas   GREAT!  ",
    unicodedata.normalize("NFD", "caf\u00e9 \u00fcber cr\u00e8me"),
    "so good \U0001f600\U0001f44d\U0001f3fd we will come back",
    "\u6f22\u5b57\u306f\u96e3\u3057\u3044 food",
    "<b>Cold</b> soup &amp; waiter at https://example.org/soup, don't!",
    "unbelievablebackfoodgreat",
]
READERS = ["bert", "llama", "gpt2"]


def plain_states(folder, text, spans, layer):
    """The mean of transformers' own hidden states over each word's tokens, by a loop; a list with None for no token."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    head, tail = [tokenizer.bos_token_id], []
    if tokenizer.cls_token_id is not None:
        head, tail = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    ids = torch.tensor([[*head, *encoded.input_ids, *tail]])
    with torch.no_grad():
        states = model(ids, output_hidden_states=True).hidden_states[layer][0, 1 : 1 + len(encoded.input_ids)]
    found = []
    for word_start, word_end in spans:
        shares = [min(end, word_end) - max(start, word_start) for start, end in encoded.offset_mapping]
        # A token belongs to the word of which it has the most characters.
        own = []
        for token, share in enumerate(shares):
            start, end = encoded.offset_mapping[token]
            others = [min(end, b) - max(start, a) for a, b in spans]
            if share > 0 and others.index(max(others)) == [tuple(s) for s in spans].index((word_start, word_end)):
                own.append(token)
        mean = states[own].mean(0).numpy() if own else None
        found.append(None if mean is None else mean / np.linalg.norm(mean) * len(mean) ** 0.5)
    return found


def plain_windows(folder, windows, spans):
    """The mean of transformers' own hidden states of layer 2 over each word's kept tokens, window by window."""
    from transformers import AutoModel

    model, sums, counts = AutoModel.from_pretrained(folder).eval(), np.zeros((len(spans), 32)), np.zeros(len(spans))
    for window in windows:
        with torch.no_grad():
            states = model(torch.tensor([window.ids]), output_hidden_states=True).hidden_states[2][0].numpy()
        for state, kept, (start, end) in zip(states, window.kept, window.spans, strict=True):
            for i, (a, b) in enumerate(spans):
                if kept and min(b, end) > max(a, start):
                    sums[i] += state
                    counts[i] += 1
    means = sums / counts[:, None]
    return means / np.linalg.norm(means, axis=1, keepdims=True) * 32**0.5


@pytest.mark.parametrize("tokens", ["content", "all"])
@pytest.mark.parametrize("reader", READERS)
def test_states_are_means_over_the_tokens_of_words(request, reader, tokens):
    folder = request.getfixturevalue(f"{reader}_reader")
    texts = Texts.counted(TEXTS, tokens, "english")
    words = WordReader(
        folder,
        layer=1,
        layers=(2,),
        batch_size=3,
        max_length=None,
        overlap=8,
        model_kwargs={},
        tokenizer=None,
        device="cpu",
        dtype="float32",
    )
    n_compared, seen = 0, []
    for places, found in words.read(texts):
        for i, of_layers in zip(places, found, strict=True):
            seen.append(i)
            for layer, one in zip(words.layers, of_layers, strict=True):
                expected = plain_states(folder, texts.texts[i], texts.spans[i].tolist(), layer)
                assert one.is_read.tolist() == [state is not None for state in expected]
                expected = [state for state in expected if state is not None]
                np.testing.assert_allclose(one.states.reshape(-1, 32), np.reshape(expected, (-1, 32)), atol=5e-3)
                n_compared += len(expected)
    assert sorted(seen) == list(range(len(TEXTS)))
    assert n_compared > 30


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_words_of_a_text_that_is_longer_than_a_window(request, reader, batch_size):
    folder = request.getfixturevalue(f"{reader}_reader")
    text = " ".join(["soup", "foodwaiter", "kind", "placing", "storms"] * 6)
    spans = Texts.counted([text], "content", "english").spans
    reader = Reader(folder, layers=[1], site="resid_post")
    prepend_bos = reader.is_causal or None
    how = {"max_length": 20, "overlap": 6, "prepend_bos": prepend_bos}
    ((_, [[parts]]),) = read_words([text], spans, reader, batch_size=batch_size, **how)
    (windows,) = tokenize_texts([text], reader.tokenizer, chat_template=None, is_causal=reader.is_causal, **how)
    assert len(windows) > 3
    assert parts.is_read.all()
    np.testing.assert_allclose(parts.states, plain_windows(folder, windows, spans[0]), atol=5e-3)
    ((_, [[cut]]),) = read_words([text], spans, reader, batch_size=batch_size, **how | {"overlap": None})
    assert 1 < cut.is_read.sum() < 20
    assert ends_unread(cut.is_read)
    assert not ends_unread(parts.is_read)
    assert not ends_unread(np.zeros(0, bool))


def test_a_text_of_many_windows_is_not_read_at_once(gpt2_reader, monkeypatch):
    sizes = []
    states = Reader.states

    def count(self, ids, mask):
        sizes.append(len(ids))
        return states(self, ids, mask)

    monkeypatch.setattr(Reader, "states", count)
    text = "the food was great " * 100
    reader = Reader(gpt2_reader, layers=[1], site="resid_post")
    spans = Texts.counted([text], "content", "english").spans
    list(read_words([text], spans, reader, prepend_bos=True, max_length=16, overlap=2, batch_size=4))
    assert max(sizes) == 4
    assert len(sizes) > 5


def test_which_words_count():
    def words(text, tokens="content", stop_words="english"):
        return Texts.counted([text], tokens, stop_words).words[0]

    assert words("The food, I say, was not good. A B") == ["food", "say", "not", "good"]
    assert words("<p>Cold&nbsp;soup</p> me@example.org https://example.org/food") == ["cold", "soup"]
    assert words("Das Essen ist kalt", stop_words="german") == ["essen", "kalt"]
    assert words("cold soup", stop_words=["SOUP"]) == ["cold"]
    assert words("I was", stop_words=None) == ["was"]
    assert words("a soup!", "all") == ["a", "soup", "!"]
    assert words("Cold soup, cold food", lambda word: word.startswith("c")) == ["cold", "cold"]
    assert words("of the and") == []


def test_texts_are_drawn_up_to_a_number_of_words():
    texts = Texts.counted([f"soup{i} food{i}" for i in range(50)], "content", None)
    assert draw_texts(texts, 100, None).tolist() == list(range(50))
    drawn = draw_texts(texts, 30, check_random_state(0))
    assert len(drawn) == 15
    assert (np.diff(drawn) > 0).all()
    assert drawn.tolist() != list(range(15))
    assert draw_texts(texts, 30, check_random_state(0)).tolist() == drawn.tolist()


# What is stored


@pytest.fixture
def states():
    rng = np.random.default_rng(0)
    is_read = np.array([True, False, True, True, False, True, True, True, True])
    return WordStates(is_read, rng.normal(size=(7, 5)).astype(np.float16))


@pytest.fixture
def activations(states):
    codes = np.zeros((7, 6), np.float32)
    codes[[0, 0, 2, 6], [1, 5, 0, 5]] = [1.5, 2.0, 0.25, 1.0]
    (one,) = split_codes(codes, [states.is_read])
    return one


def test_bytes_there_and_back(states, activations):
    for one, value, back in [
        (states, states_to_bytes(states), lambda v: states_from_bytes(v, 9, 5, "file")),
        (activations, activations_to_bytes(activations), lambda v: activations_from_bytes(v, 9, 6, "file")),
    ]:
        for there, again in zip(one, back(value), strict=True):
            np.testing.assert_array_equal(there, again)
            assert there.dtype == again.dtype
        for damaged in (value + b"x", *(value[:end] for end in range(len(value)))):
            with pytest.raises(OSError, match=r"^The cache file file holds damaged .*cache_dir\.$"):
                back(damaged)
    with pytest.raises(OSError, match="damaged activations"):
        activations_from_bytes(activations_to_bytes(activations), 9, 5, "file")  # neuron 5 of 5
    assert activations.words.tolist() == [0, 0, 3, 8]


def test_pooling_of_words(activations):
    none = WordActivations(np.zeros(3, bool), np.zeros(0, np.uint16), np.zeros(0, np.int32), np.zeros(0, np.float32))
    expected = {
        "max": [0.25, 1.5, 0, 0, 0, 2],
        "mean": [0.25 / 7, 1.5 / 7, 0, 0, 0, 3 / 7],
        "sum": [0.25, 1.5, 0, 0, 0, 3],
        "count": [1, 1, 0, 0, 0, 2],
        "binarize": [1, 1, 0, 0, 0, 1],
    }
    for aggregation in AGGREGATIONS:
        pooled, is_cut = pool_words([activations, none], [aggregation], 6)
        np.testing.assert_allclose(pooled.toarray(), [expected[aggregation], [0] * 6], rtol=1e-6)
        assert is_cut.tolist() == [False, True]
    pooled, _ = pool_words([none, activations], ["count", "max"], 6)
    np.testing.assert_array_equal(pooled.toarray(), [[0] * 12, [*expected["count"], *expected["max"]]])


def test_aggregations():
    assert check_aggregations("max") == ["max"]
    assert check_aggregations(("mean", "max")) == ["mean", "max"]
    for wrong in ([], ["max", "max"], ["median"], [1]):
        with pytest.raises(ValueError, match=r"^aggregation must be one or several, each once, of max, mean"):
            check_aggregations(wrong)


@pytest.fixture
def word_reader(gpt2_reader):
    return WordReader(
        gpt2_reader,
        layer=2,
        layers=(1,),
        batch_size=1,
        max_length=None,
        overlap=8,
        model_kwargs={},
        tokenizer=None,
        device="cpu",
        dtype="auto",
    )


@pytest.mark.parametrize("on_disk", [True, False])
def test_states_that_another_process_has_dropped_are_read_again(word_reader, tmp_path, on_disk):
    texts = Texts.counted([TEXTS[0], TEXTS[5], TEXTS[0], TEXTS[1]], "content", "english")
    with open_store(tmp_path if on_disk else None, "states") as store:
        stored = StoredStates(store, word_reader)
        stored.read(texts)
        first = stored.of(texts)
        stored.forget(texts.at([0]))
        again = stored.of(texts)
        assert len(store.stored(stored.keys(texts))) == 2, "what was dropped is stored again"
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.states, other.states)
    assert first[0] is first[2] or (first[0].states == first[2].states).all()


def test_dropped_states_are_in_no_file(word_reader, tmp_path):
    """Neither the file nor its log holds the bytes of a state, and the disk has its room back."""
    texts = Texts.counted([f"{text} {i}" for i in range(40) for text in TEXTS], "content", "english")

    def everything():
        return b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))

    with open_store(tmp_path, "states") as store:
        stored = StoredStates(store, word_reader)
        stored.read(texts)
        some = [one.states[0].tobytes() for one in stored.of(texts)[:50] if len(one.states)]
        keys = stored.keys(texts)
    held = everything()
    assert sum(state in held for state in some) == len(some)
    assert keys[0] in held
    with open_store(tmp_path, "states") as store:
        StoredStates(store, word_reader).forget(texts)
    left = everything()
    assert not any(state in left for state in some)
    assert not any(key in left for key in keys)
    assert len(left) < len(held) / 5


@pytest.mark.parametrize("folder", [None, "folder"])
def test_gathered_states(word_reader, tmp_path, folder):
    texts = Texts.counted(["cold soup", "of the", "great food here"], "content", "english")
    with open_store(None, "states") as store:
        stored = StoredStates(store, word_reader)
        stored.read(texts)
        states, text_of, is_cut = gather(stored, texts, None if folder is None else tmp_path)
        expected = np.concatenate([one.states for one in stored.of(texts)])
    np.testing.assert_array_equal(states, expected)
    assert text_of.tolist() == [0] * len(texts.words[0]) + [2] * len(texts.words[2])
    assert is_cut.tolist() == [False] * 3
    assert isinstance(states, np.memmap) == (folder is not None)
    assert not list(tmp_path.iterdir()), "the file has a name, which a kill would leave behind"


def test_a_disk_without_room(word_reader, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    texts = Texts.counted(["cold soup"], "content", "english")
    with open_store(None, "states") as store:
        stored = StoredStates(store, word_reader)
        stored.read(texts)
        with pytest.raises(OSError, match=r"^The states of 2 words need 0 MiB in .* \(No space left on device\); free"):
            gather(stored, texts, tmp_path)


# How an autoencoder is trained on words


def test_sizes():
    assert [suggest_n_components(n) for n in (2, 2_000, 30_000, 100_000, 10**7)] == [16, 16, 256, 1024, 1024]
    assert [suggest_k(m) for m in (1, 2, 8, 16, 32, 128, 256, 1024)] == [1, 1, 2, 4, 4, 4, 4, 16]
    assert [suggest_epochs(n) for n in (2, 30_000, 10**6)] == [25, 10, 3]


def test_the_plan():
    own = {"target_weight": 0.0, "random_state": 0, "device": "cpu", "verbose": False}
    sae = plan_autoencoder(30_000, {}, n_components="auto", k="auto", **own)
    assert (sae.n_components, sae.k, sae.max_epochs) == (256, 4, 10)
    sae = plan_autoencoder(100, {"max_epochs": 2, "sparsity": "batch_topk"}, n_components="auto", k=40, **own)
    assert (sae.n_components, sae.k, sae.max_epochs, sae.sparsity) == (40, 40, 2, "batch_topk")
    for message, n_words, params, sizes in [
        (r"^sae_params holds 'k', which is a parameter of its own; set that\.$", 9, {"k": 1}, {}),
        (r"^sae_params holds 'device', which is a parameter of its own", 9, {"device": "cpu"}, {}),
        (r"^sae_params holds 'epochs', which is no parameter of TopKSAETransformer\.$", 9, {"epochs": 1}, {}),
        (r"^The 'max_epochs' parameter of TopKSAETransformer must be", 9, {"max_epochs": 0}, {}),
        (r"^k=9 is larger than n_components=8", 9, {}, {"k": 9, "n_components": 8}),
        (r"^matryoshka_prefixes must be", 9, {"matryoshka_prefixes": [4, 9]}, {"n_components": 8, "k": 2}),
        (r"^encoder='matching_pursuit' does not go with", 9, {"encoder": "matching_pursuit", "multi_weight": 1.0}, {}),
        (r"^The texts have 1 words that count; two or more are needed to train on\.$", 1, {}, {}),
    ]:
        with pytest.raises(ValueError, match=message):
            plan_autoencoder(n_words, params, **{"n_components": "auto", "k": "auto"} | sizes, **own)


def test_columns_that_vary_more_than_most_are_scaled(tmp_path):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(40_000, 9)) * [100, 1, 1, 1, 2, 0.1, 0.1, 1, 1]).astype(np.float16)
    mapped = np.memmap(tmp_path / "X", np.float16, "w+", shape=X.shape)
    mapped[:] = X
    scale = scale_columns(mapped)
    assert scale.dtype == np.float32
    expected = np.maximum(X.astype(float).std(axis=0), np.median(X.astype(float).std(axis=0)))
    np.testing.assert_allclose(scale, expected, rtol=1e-3)
    np.testing.assert_allclose(mapped, X / scale, atol=5e-3)
    same = np.ones((4, 3), np.float16)
    assert scale_columns(same).tolist() == [1, 1, 1]
    nearly = np.random.default_rng(0).normal(1, 1e-4, size=(50, 4)).astype(np.float16)
    nearly[:, 0] *= np.arange(50) % 2
    scale_columns(nearly)
    assert np.isfinite(nearly).all()
    assert np.abs(nearly).max() <= 2
