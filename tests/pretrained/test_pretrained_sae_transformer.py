"""The estimator as a user meets it, and its numbers against a plain loop."""

import inspect
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline

from sklearn_sae.pretrained import PretrainedSAETransformer, _reader

torch = pytest.importorskip("torch")

TEXTS = [
    "the food was great",
    "the soup was cold, so we will not come back to this place again \U0001f600",
    "yes",
    "A plain story about a ship its captain and a storm that nobody saw coming",
    "the waiter was kind but the soup was cold",
    "so we will not come back",
]
LABELS = np.array([1, 0, 1, 1, 0, 0])
AGGREGATIONS = ("max", "mean", "sum", "count", "binarize")


@pytest.fixture
def sae(make_goodfire_file):
    """An SAE of layer 2 of a reader of width 32."""
    return make_goodfire_file(32, n_latents=24, name="tiny-l2.pt")


@pytest.fixture
def n_read(monkeypatch):
    """How many texts each call of the reader was given."""
    calls = []
    states = _reader.Reader.states

    def count(self, ids, mask):
        calls.append(len(ids))
        return states(self, ids, mask)

    monkeypatch.setattr(_reader.Reader, "states", count)
    return calls


@pytest.fixture
def n_loaded(monkeypatch):
    """How many readers were loaded."""
    calls = []
    load = _reader._load_model

    def count(*args, **kwargs):
        calls.append(args)
        return load(*args, **kwargs)

    monkeypatch.setattr(_reader, "_load_model", count)
    return calls


# --- numbers -----------------------------------------------------------------------------------------


def plain_loop(texts, model_folder, sae_file, *, layer, dtype=torch.float32, max_length=None, overlap=None):
    """The whole model on one text after the other, the states encoded token by token.

    Return, for each text, the pre-activations of its kept tokens, (n_tokens, n_latents).
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=dtype).eval()
    block = (model.model.layers if hasattr(model, "model") else model.transformer.h)[layer]
    seen = []
    block.register_forward_hook(lambda *args: seen.append(args[2][0] if isinstance(args[2], tuple) else args[2]))
    weights = torch.load(sae_file, weights_only=True)
    documents = []
    for text in texts:
        head, ids = [tokenizer.bos_token_id], tokenizer(text, add_special_tokens=False).input_ids
        if tokenizer.chat_template:
            rendered = tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False)
            at = rendered.index(text)
            encoded = tokenizer(rendered, add_special_tokens=False, return_offsets_mapping=True)
            overlaps = [start < at + len(text) and end > at for start, end in encoded.offset_mapping]
            head = encoded.input_ids[: overlaps.index(True)]
            ids = [token for token, inside in zip(encoded.input_ids, overlaps, strict=True) if inside]
        room = (max_length or 10**6) - len(head)
        tokens, first = [], 0
        while first == 0 or (overlap is not None and first + overlap < len(ids)):
            with torch.no_grad():
                model(torch.tensor([head + ids[first : first + room]]))
            states = seen.pop().reshape(len(head) + len(ids[first : first + room]), -1)
            for state in states[len(head) + (overlap if first else 0) :]:
                state = state.float()
                tokens.append(weights["encoder_linear.weight"] @ state + weights["encoder_linear.bias"])
            first += room - (overlap or 0)
        documents.append(torch.stack(tokens).numpy())
    return documents


def dense(documents, aggregation):
    functions = {
        "max": lambda tokens: tokens.max(axis=0),
        "sum": lambda tokens: tokens.sum(axis=0),
        "mean": lambda tokens: tokens.mean(axis=0),
        "count": lambda tokens: (tokens > 0).sum(axis=0),
        "binarize": lambda tokens: (tokens > 0).any(axis=0),
    }
    return np.array([functions[aggregation](tokens.clip(min=0)) for tokens in documents])


def assert_agrees(X, documents, aggregation, *, tolerance=2e-5):
    expected = dense(documents, aggregation)
    sure = np.array([(np.abs(tokens) > 10 * tolerance).all(axis=0) for tokens in documents])
    assert sure.mean() > 0.5
    assert (expected > 0).mean() > 0.05
    if aggregation in ("count", "binarize"):
        np.testing.assert_array_equal(X.toarray()[sure], expected[sure])
    else:
        np.testing.assert_allclose(X.toarray(), expected, rtol=50 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("reader", ["llama", "gpt2"])
@pytest.mark.parametrize("layer", [0, 3])
def test_numbers_are_those_of_the_plain_loop(request, make_goodfire_file, reader, side, layer):
    from transformers import AutoTokenizer

    folder = request.getfixturevalue(f"{reader}_reader")
    file = make_goodfire_file(32, name=f"x-l{layer}.pt")
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=side)
    expected = plain_loop(TEXTS, folder, file, layer=layer)
    for batch_size in (1, 3, 100):
        for aggregation in AGGREGATIONS:
            transformer = PretrainedSAETransformer(
                file,
                model=folder,
                tokenizer=tokenizer,
                aggregation=aggregation,
                batch_size=batch_size,
                cache_dir="auto" if aggregation == "max" else None,
            )
            assert_agrees(transformer.transform(TEXTS), expected, aggregation)
            os.environ["SKLEARN_SAE_CACHE_DIR"] += "x"  # so that each batch size reads for itself


@pytest.mark.parametrize("reader", ["llama", "gpt2"])
@pytest.mark.parametrize("overlap", [0, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_windows(request, sae, reader, overlap, batch_size):
    folder = request.getfixturevalue(f"{reader}_reader")
    max_length = 24 if reader == "llama" else 9
    expected = plain_loop(TEXTS, folder, sae, layer=2, max_length=max_length, overlap=overlap)
    for aggregation in AGGREGATIONS:
        transformer = PretrainedSAETransformer(
            sae,
            model=folder,
            aggregation=aggregation,
            batch_size=batch_size,
            max_length=max_length,
            overlap=overlap,
        )
        assert_agrees(transformer.transform(TEXTS), expected, aggregation)


def test_bfloat16(llama_reader, sae):
    expected = plain_loop(TEXTS, llama_reader, sae, layer=2, dtype=torch.bfloat16)
    for batch_size in (1, 6):
        transformer = PretrainedSAETransformer(
            sae, model=llama_reader, dtype="bfloat16", batch_size=batch_size, cache_dir=None
        )
        assert_agrees(transformer.transform(TEXTS), expected, "max", tolerance=1e-3 * batch_size)


def test_a_text_does_not_depend_on_those_beside_it(gpt2_reader, sae):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, aggregation="sum", cache_dir=None, batch_size=4)
    together = transformer.transform(TEXTS).toarray()
    alone = np.vstack([transformer.transform([text]).toarray() for text in TEXTS])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_sae_lens_folder(llama_reader, make_sae):
    """A topk SAE that sae-lens saved, on the attention's output and without a BOS."""
    pytest.importorskip("sae_lens")
    from sae_lens import SAE

    folder = make_sae("topk", hook_name="blocks.1.hook_attn_out", metadata={"prepend_bos": False}, k=4)
    transformer = PretrainedSAETransformer(folder, model=llama_reader, chat_template=None, aggregation="sum")
    X = transformer.fit_transform(TEXTS)
    reader = _reader.Reader(llama_reader, layer=1, site="attn_out")
    encode = SAE.load_from_disk(folder, device="cpu").encode
    for row, text in zip(X.toarray(), TEXTS, strict=True):
        ids = torch.tensor([reader.tokenizer(text, add_special_tokens=False).input_ids])
        activations = encode(reader.states(ids, torch.ones_like(ids))[0]).detach().numpy()
        np.testing.assert_allclose(row, activations.sum(axis=0), rtol=1e-4, atol=1e-4)
    assert transformer.model_name_ == "gpt2"
    assert (X.getnnz(axis=1) <= 4 * np.array([len(text) for text in TEXTS])).all()


# --- scikit-learn ------------------------------------------------------------------------------------


def test_output(gpt2_reader, sae):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader)
    X = transformer.fit_transform(TEXTS)
    assert isinstance(X, sparse.csr_matrix)
    assert X.dtype == np.float32
    assert X.indices.dtype == X.indptr.dtype == np.int32
    assert X.shape == (len(TEXTS), transformer.n_features_out_) == (len(TEXTS), 24)
    try:
        with config_context(sparse_interface="sparray"):
            assert isinstance(transformer.transform(TEXTS), sparse.csr_array)
    except TypeError:
        pass  # an older scikit-learn has no such setting
    frame = clone(transformer).set_output(transform="pandas").fit_transform(pd.Series(TEXTS, index=list("abcdef")))
    assert list(frame.index) == list("abcdef")
    assert all(isinstance(kind, pd.SparseDtype) for kind in frame.dtypes)


def test_names(gpt2_reader, sae):
    labels = {0: "food", 3: "  praise\nof  food ", 5: "food", 6: " "}
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, feature_labels=labels).fit(TEXTS)
    names = transformer.get_feature_names_out()
    assert names[[0, 1, 3, 5, 6]].tolist() == ["food", "latent 1", "praise of food", "food (2)", "latent 6"]
    assert transformer.feature_labels_ == labels
    with pytest.raises(ValueError, match="labels for other latents"):
        transformer.set_params(feature_labels={24: "beyond"}).fit(TEXTS)


def test_grid_search_over_aggregations_reads_each_text_once(gpt2_reader, sae, n_read, n_loaded):
    pipeline = make_pipeline(PretrainedSAETransformer(sae, model=gpt2_reader), LogisticRegression())
    grid = {"pretrainedsaetransformer__aggregation": list(AGGREGATIONS)}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert sum(n_read) == len(TEXTS)
    assert len(n_loaded) == 1, "clones did not share the reader"
    assert search.predict(TEXTS).shape == LABELS.shape
    assert sum(n_read) == len(TEXTS)


def test_two_layers_side_by_side(gpt2_reader, make_goodfire_file):
    parts = [
        (f"layer {i}", PretrainedSAETransformer(make_goodfire_file(32, name=f"x-l{i}.pt"), model=gpt2_reader))
        for i in (0, 2)
    ]
    X = FeatureUnion(parts).fit_transform(TEXTS)
    assert X.shape == (len(TEXTS), 48)
    assert abs(X[:, :24] - X[:, 24:]).max() > 0.1


def test_a_parameter_that_changes_is_heeded(gpt2_reader, make_goodfire_file):
    files = [make_goodfire_file(32, name=f"x-l{i}.pt", n_latents=n) for i, n in ((0, 24), (2, 24), (2, 30))]
    transformer = PretrainedSAETransformer(files[0], model=gpt2_reader).fit(TEXTS)
    first = transformer.transform(TEXTS)
    other = transformer.set_params(sae=files[1]).transform(TEXTS)
    assert abs(first - other).max() > 0.1
    with pytest.raises(ValueError, match=r"has 30 latents; in fit it had 24"):
        transformer.set_params(sae=files[2]).transform(TEXTS)
    assert transformer.fit(TEXTS).transform(TEXTS).shape[1] == 30


def test_model_kwargs_that_are_changed_in_place_are_heeded(gpt2_reader, sae, n_loaded):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, model_kwargs={"attn_implementation": "eager"})
    transformer.transform(TEXTS[:1])
    transformer.model_kwargs["attn_implementation"] = "sdpa"
    transformer.transform(TEXTS[:1])
    assert len(n_loaded) == 2


def test_a_file_that_changes_is_read_anew(gpt2_reader, sae, make_goodfire_file, tmp_path):
    file = tmp_path / "copy-l2.pt"
    shutil.copy(sae, file)
    transformer = PretrainedSAETransformer(file, model=gpt2_reader).fit(TEXTS)
    first = transformer.transform(TEXTS)
    os.replace(shutil.copy(make_goodfire_file(32, seed=1), tmp_path / "other.pt"), file)
    assert abs(first - transformer.transform(TEXTS)).max() > 0.1


@pytest.mark.slow
def test_pickles_are_small_and_work_elsewhere(gpt2_reader, sae, tmp_path):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, cache_dir=None).fit(TEXTS)
    X = transformer.transform(TEXTS)
    pickled = pickle.dumps(transformer)
    assert len(pickled) < 2000
    (tmp_path / "t.pkl").write_bytes(pickled)
    program = (
        "import pickle, sys; X = pickle.load(open(sys.argv[1], 'rb')).transform(eval(sys.argv[2])); print(X.sum())"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "t.pkl"), ascii(TEXTS)]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert float(run.stdout) == pytest.approx(X.sum(), rel=1e-5)


def test_threads(gpt2_reader, sae):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, cache_dir=None)
    expected = transformer.transform(TEXTS).toarray()
    results = []

    def work():
        results.append(transformer.transform(TEXTS).toarray())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


# --- a model given ready -----------------------------------------------------------------------------


@pytest.fixture
def ready(gpt2_reader):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(gpt2_reader)


def test_ready_model_gives_the_same(gpt2_reader, sae, ready):
    by_name = PretrainedSAETransformer(sae, model=gpt2_reader).transform(TEXTS)
    by_model = PretrainedSAETransformer(sae, model=ready).transform(TEXTS)
    assert abs(by_name - by_model).max() == 0


def test_ready_model_is_shared_by_clones_and_never_pickled(sae, ready, n_read):
    transformer = PretrainedSAETransformer(sae, model=ready)
    twin = clone(transformer.set_output(transform="default"))
    assert twin.model is ready
    assert twin._sklearn_output_config == transformer._sklearn_output_config
    pipeline = make_pipeline(transformer, LogisticRegression())
    grid = {"pretrainedsaetransformer__aggregation": ["max", "count"]}
    GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(TEXTS, LABELS)
    assert sum(n_read) == len(TEXTS)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(transformer)


def test_changed_weights_of_a_ready_model_are_noticed(sae, ready, n_read):
    transformer = PretrainedSAETransformer(sae, model=ready)
    first = transformer.transform(TEXTS)
    transformer.transform(TEXTS)
    assert sum(n_read) == len(TEXTS)
    with torch.no_grad():
        ready.transformer.h[0].mlp.c_fc.weight[0, 0] += 5
    assert abs(transformer.transform(TEXTS) - first).max() > 1e-4


# --- the store ---------------------------------------------------------------------------------------


def test_duplicates_and_what_is_stored_are_not_read(gpt2_reader, sae, n_read, n_loaded):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader)
    X = transformer.transform([*TEXTS, *TEXTS])
    assert sum(n_read) == len(TEXTS)
    assert abs(X[: len(TEXTS)] - X[len(TEXTS) :]).max() == 0
    again = PretrainedSAETransformer(sae, model=gpt2_reader, batch_size=1, aggregation="sum", device="cpu")
    again.transform(TEXTS[::-1])
    assert sum(n_read) == len(TEXTS)
    assert len(n_loaded) == 1, "a reader was loaded with nothing to read"


@pytest.mark.parametrize(
    "change",
    [
        {"chat_template": None},
        {"dtype": "bfloat16"},
        {"max_length": 40},
        {"overlap": 2},
        {"model_kwargs": {"attn_implementation": "eager"}},
    ],
)
def test_what_activations_depend_on_is_read_anew(llama_reader, sae, n_read, change):
    PretrainedSAETransformer(sae, model=llama_reader).transform(TEXTS[:1])
    PretrainedSAETransformer(sae, model=llama_reader, **change).transform(TEXTS[:1])
    assert sum(n_read) == 2


def test_what_a_given_tokenizer_was_told_before_reads_nothing_again(gpt2_reader, sae, n_read):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gpt2_reader)
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=20)
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, tokenizer=tokenizer)
    for _ in range(2):
        transformer.transform(TEXTS)
    assert sum(n_read) == len(TEXTS)


def test_batches_are_of_like_length(gpt2_reader, sae, monkeypatch):
    padding = []
    states = _reader.Reader.states

    def look(self, ids, mask):
        padding.append(1 - mask.float().mean().item())
        return states(self, ids, mask)

    monkeypatch.setattr(_reader.Reader, "states", look)
    texts = [" ".join(["soup"] * (1 + 7 * i % 12) + [str(i)]) for i in range(48)]
    PretrainedSAETransformer(sae, model=gpt2_reader, batch_size=4).transform(texts)
    assert len(padding) == 12
    assert np.mean(padding) < 0.1


def _run(sae, folder, store, log, n_texts):  # in a process of its own, by its source
    import time

    from sklearn_sae.pretrained import PretrainedSAETransformer, _engine, _pretrained_sae_transformer

    _pretrained_sae_transformer._BATCHES_SORTED = 4
    active = _engine.Engine._active

    def slowly(self, documents):
        with open(log, "a") as file:
            file.write("".join(f"{self.reader.tokenizer.decode(document.ids)}\n" for document in documents))
        time.sleep(0.03)
        return active(self, documents)

    _engine.Engine._active = slowly
    texts = [f"the soup number {i} was cold {'zx' * (i % 7)} {'again ' * (i % 4)}" for i in range(n_texts)]
    return PretrainedSAETransformer(sae, model=folder, batch_size=4, cache_dir=store).transform(texts)


@pytest.mark.slow
def test_killed_and_run_again(gpt2_reader, sae, tmp_path, monkeypatch):
    log, n_texts = tmp_path / "log.txt", 100
    arguments = (str(sae), gpt2_reader, str(tmp_path / "store"), str(log), n_texts)
    process = subprocess.Popen([sys.executable, "-c", f"{inspect.getsource(_run)}\n_run{arguments!r}"])
    deadline = time.monotonic() + 90
    while not log.exists() or len(log.read_text().splitlines()) < 40:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    n_before = len(log.read_text().splitlines())
    assert n_before < n_texts
    from sklearn_sae.pretrained import _engine, _pretrained_sae_transformer

    monkeypatch.setattr(_engine.Engine, "_active", _engine.Engine._active)  # which `_run` replaces
    monkeypatch.setattr(_pretrained_sae_transformer, "_BATCHES_SORTED", 4)
    resumed = _run(*arguments)
    n_read = len(log.read_text().splitlines())
    assert n_read <= n_texts + 4, "more was read twice than the batch in flight"
    afresh = _run(*arguments[:2], None, str(tmp_path / "other.txt"), n_texts)
    assert (resumed != afresh).nnz == 0


# --- tokens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["llama", "gpt2"])
def test_tokens_pool_to_the_row(request, sae, reader):
    folder = request.getfixturevalue(f"{reader}_reader")
    for how in ({}, {"max_length": 30 if reader == "llama" else 11, "overlap": 3}):
        transformer = PretrainedSAETransformer(sae, model=folder, aggregation="sum", batch_size=2, **how)
        X = transformer.transform(TEXTS).toarray()
        for latent in (0, 7, 23):
            for row, (text, tokens) in enumerate(zip(TEXTS, transformer.token_activations(TEXTS, latent), strict=True)):
                assert tokens["activation"].sum() == pytest.approx(X[row, latent], rel=1e-4, abs=1e-4)
                assert [text[i:j] for i, j in zip(tokens["start"], tokens["end"], strict=True)] == list(tokens["token"])
                covered = {i for i, j in zip(tokens["start"], tokens["end"], strict=True) for i in range(i, j)}
                assert covered >= {i for i, character in enumerate(text) if not character.isspace()}
    one = transformer.token_activations(TEXTS[1], 7)
    pd.testing.assert_frame_equal(one, transformer.token_activations(TEXTS, 7)[1], rtol=1e-3)


def test_highlights(llama_reader, sae):
    transformer = PretrainedSAETransformer(sae, model=llama_reader)
    tokens = transformer.token_activations(TEXTS[1], 5)
    marked = transformer.highlight(TEXTS[1], 5)
    assert marked.replace("<<", "").replace(">>", "") == TEXTS[1]
    assert ("<<" in marked) == (tokens["activation"] > 0).any()
    assert transformer.highlight(TEXTS, 5)[1] == marked
    html = transformer.highlight("<b>soup</b>", 5, html=True)
    assert "<b>" not in html


def test_highlights_share_a_scale(gpt2_reader, sae):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader)
    X = transformer.transform(TEXTS).toarray()
    latent = int((X > 0).all(axis=0).argmax())
    together = transformer.highlight(TEXTS, latent, html=True)
    strongest = X[:, latent].argmax()
    assert "0.80)" in together[strongest]
    assert sum("0.80)" in html for html in together) == 1


@pytest.mark.parametrize("latent", [-1, 24, 1.5, "food", None])
def test_a_latent_that_does_not_exist(gpt2_reader, sae, latent):
    with pytest.raises(ValueError, match="does not exist; the SAE has latents 0 to 23"):
        PretrainedSAETransformer(sae, model=gpt2_reader).token_activations("a text", latent)


# --- bad input ---------------------------------------------------------------------------------------


def test_a_text_longer_than_the_context_is_cut_with_a_warning(gpt2_reader, sae):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, cache_dir=None)
    long = "the soup was cold " * 60
    with pytest.warns(UserWarning, match=r"1 of 2 texts is longer .* pass overlap") as warned:
        X = transformer.transform([long, "yes"])
    assert Path(warned[0].filename) == Path(__file__)
    cut = transformer.token_activations(long, 0)
    assert len(cut) == 63  # of 64 positions, one is the BOS's
    with pytest.warns(UserWarning, match="longer"):
        longer = transformer.transform([long + "x"])
    np.testing.assert_allclose(X.toarray()[:1], longer.toarray(), rtol=1e-4, atol=1e-5)
    whole = transformer.set_params(overlap=8).token_activations(long, 0)
    assert whole["end"].max() == len(long)


def test_max_length_beyond_the_context(gpt2_reader, sae):
    with pytest.raises(ValueError, match="max_length=65 is more than the 64 tokens"):
        PretrainedSAETransformer(sae, model=gpt2_reader, max_length=65).transform(TEXTS)


def test_an_sae_of_another_width(gpt2_reader, make_goodfire_file):
    file = make_goodfire_file(40, name="x-l2.pt")
    with pytest.raises(ValueError, match="takes states of width 40, but the reader gives states of width 32"):
        PretrainedSAETransformer(file, model=gpt2_reader).transform(TEXTS)


def test_a_layer_beyond_the_reader(gpt2_reader, make_goodfire_file):
    with pytest.raises(ValueError, match="Layer 9 is beyond the reader"):
        PretrainedSAETransformer(make_goodfire_file(32, name="x-l9.pt"), model=gpt2_reader).transform(TEXTS)


def test_an_sae_that_does_not_name_its_reader(sae):
    with pytest.raises(ValueError, match="does not name its reader; pass model"):
        PretrainedSAETransformer(sae).fit(TEXTS)


def test_a_text_without_tokens_is_named_by_its_row(gpt2_reader, sae):
    from tokenizers import normalizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gpt2_reader)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("§", "")
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="text in row 2 has no token"):
        transformer.transform(["a", "the longest of them", "§", "bcd"])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("aggregation", "median"),
        ("batch_size", 0),
        ("max_length", 0),
        ("overlap", -1),
        ("model", 3),
        ("activation_scale", 0),
        ("feature_labels", 5),
    ],
)
def test_bad_parameters(sae, gpt2_reader, parameter, value):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader).set_params(**{parameter: value})
    for call in (transformer.fit, transformer.transform):
        with pytest.raises(ValueError, match=parameter):
            call(TEXTS)


@pytest.mark.parametrize("name", ["config", "device", "dtype", "torch_dtype", "tokenizer"])
def test_model_kwargs_that_have_a_parameter_of_their_own(sae, gpt2_reader, name):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, model_kwargs={name: "bfloat16"})
    with pytest.raises(ValueError, match=f"model_kwargs holds '{name}'"):
        transformer.fit(TEXTS)


@pytest.mark.parametrize("device", ["nowhere", "cuda:99"])
@pytest.mark.parametrize("name", ["device", "sae_device"])
def test_a_device_that_does_not_exist(sae, gpt2_reader, name, device):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, **{name: device})
    with pytest.raises(ValueError, match=f"^{name}='{device}' cannot be used here") as caught:
        transformer.transform(TEXTS)
    assert str(caught.value).endswith(f'call set_params({name}="auto") of the PretrainedSAETransformer.')


def test_states_that_are_no_numbers_are_refused(sae, ready):
    with torch.no_grad():
        ready.transformer.h[0].mlp.c_fc.weight[0, 0] = float("nan")
    transformer = PretrainedSAETransformer(sae, model=ready)
    with pytest.raises(ValueError, match="states are not all finite"):
        transformer.transform(TEXTS)


def test_a_token_is_no_parameter(sae, gpt2_reader):
    transformer = PretrainedSAETransformer(sae, model=gpt2_reader, model_kwargs={"token": "hf_secret"})
    with pytest.raises(ValueError, match="holds a token") as raised:
        transformer.fit(TEXTS)
    assert "hf_secret" not in str(raised.value)
