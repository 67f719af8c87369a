"""The estimator as a user meets it: local models and callables."""

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unicodedata
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import normalize as unit_length

from sklearn_sae import EmbeddingTransformer
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._minilm import has_minilm

TEXTS = ["warm bread", "cold soup, again and again", "a long wait for a table by the door", "ok", "great wine"]


def make_counter(log, *, cached=True):
    """Return a callable embedder that writes one line a text into the file `log`."""

    class Counter:  # not at module level, so that worker processes get it by value
        def __call__(self, texts):
            import zlib

            import numpy as np

            with open(log, "a", encoding="utf-8") as file:
                file.write("".join(f"{text}\n" for text in texts))
            return np.array([np.random.default_rng(zlib.crc32(text.encode())).random(6) for text in texts])

    counter = Counter()
    if cached:
        counter.cache_key = "counter-1"
    return counter


def calls(log):
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


@pytest.fixture
def log(tmp_path):
    return tmp_path / "calls.txt"


# --- a real sentence-transformers model --------------------------------------------------------


@pytest.fixture(scope="module")
def reference(tiny_sentence_transformer):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(tiny_sentence_transformer, device="cpu")


@pytest.mark.parametrize("options", [{}, {"prompt": "query: "}, {"prompt": ""}])
def test_agrees_with_sentence_transformers(tiny_sentence_transformer, reference, options):
    out = EmbeddingTransformer(tiny_sentence_transformer, batch_size=2, **options).fit_transform(TEXTS)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, reference.encode(TEXTS, **options), atol=1e-5)


def test_truncates_and_normalizes_as_sentence_transformers_does(tiny_sentence_transformer, reference):
    out = EmbeddingTransformer(tiny_sentence_transformer, truncate_dim=5, normalize=True).fit_transform(TEXTS)
    expected = reference.encode(TEXTS, truncate_dim=5, normalize_embeddings=True)
    assert out.shape == (len(TEXTS), 5)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_prompt_is_part_of_the_key(tiny_sentence_transformer):
    plain = EmbeddingTransformer(tiny_sentence_transformer).fit_transform(TEXTS)
    prompted = EmbeddingTransformer(tiny_sentence_transformer, prompt="query: ").fit_transform(TEXTS)
    assert not np.allclose(plain, prompted)


def test_a_model_that_changed_in_its_folder_is_embedded_anew(tiny_sentence_transformer, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_sentence_transformer, folder)
    before = EmbeddingTransformer(folder).fit_transform(TEXTS)
    weights = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    other = {key: torch.randn(value.shape, generator=generator) for key, value in weights.items()}
    save_file(other, folder / "model.safetensors", metadata={"format": "pt"})
    after = EmbeddingTransformer(folder).fit_transform(TEXTS)
    assert not np.allclose(before, after)


def test_the_pickle_holds_no_model(tiny_sentence_transformer):
    fitted = EmbeddingTransformer(tiny_sentence_transformer).fit(TEXTS)
    assert len(pickle.dumps(fitted)) < 2000


def run_python(code, **environment):
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, env=environment)


def test_cached_texts_load_nothing(tiny_sentence_transformer):
    out = EmbeddingTransformer(tiny_sentence_transformer).fit_transform(TEXTS)
    code = f"""
import sys
from sklearn_sae import EmbeddingTransformer
out = EmbeddingTransformer({tiny_sentence_transformer!r}).fit({TEXTS!r}).transform({TEXTS!r})
assert not {{"torch", "sentence_transformers", "openai", "transformers"}} & set(sys.modules)
print(out.tolist())
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.array(json.loads(done.stdout), dtype=np.float32), out)


def test_a_model_is_loaded_once(tiny_sentence_transformer, monkeypatch):
    import sentence_transformers

    loads = []

    class Counted(sentence_transformers.SentenceTransformer):
        def __init__(self, *args, **kwargs):
            loads.append(args)
            super().__init__(*args, **kwargs)

    from sklearn_sae.embedding._local import _load

    _load.cache_clear()
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", Counted)
    for text in TEXTS:
        EmbeddingTransformer(tiny_sentence_transformer).fit_transform([text])
    assert len(loads) == 1


# --- each distinct text once -------------------------------------------------------------------


def test_each_distinct_text_once_longest_first(log):
    out = EmbeddingTransformer(make_counter(log), batch_size=2).fit_transform([*TEXTS, *TEXTS[::-1]])
    assert calls(log) == sorted(TEXTS, key=len, reverse=True)
    np.testing.assert_array_equal(out[: len(TEXTS)], out[: len(TEXTS) - 1 : -1])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_embeds_nothing_twice(log, tmp_path, n_jobs):
    texts = [f"text number {i}" for i in range(60)]
    y = np.arange(60.0)
    # Worker processes that an earlier test started keep its environment, and with that its "auto".
    embed = EmbeddingTransformer(make_counter(log), batch_size=4, cache_dir=tmp_path)
    pipeline = make_pipeline(embed, PCA(random_state=0), Ridge())
    grid = {
        "pca__n_components": [1, 2, 3],
        "ridge__alpha": [0.1, 1.0],
        "embeddingtransformer__normalize": [True, False],
    }
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(texts, y)
    assert sorted(calls(log)) == sorted(texts)
    assert search.predict(texts).shape == (60,)
    assert len(calls(log)) == 60


def test_without_a_cache_key_nothing_is_stored(log, tmp_path):
    model = make_counter(log, cached=False)
    EmbeddingTransformer(model).fit_transform(TEXTS)
    EmbeddingTransformer(model).fit_transform(TEXTS)
    assert len(calls(log)) == 2 * len(TEXTS)
    assert not (tmp_path / "cache").exists()


def test_cache_dir_none_stores_nothing(log, tmp_path):
    embed = EmbeddingTransformer(make_counter(log), cache_dir=None)
    embed.fit(TEXTS)
    assert len(calls(log)) == 1  # fit alone embeds one text
    embed.fit_transform(TEXTS)
    assert len(calls(log)) == 1 + len(TEXTS)
    assert not (tmp_path / "cache").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_without_a_cache_the_result_is_all_that_takes_memory():
    code = """
import resource
import numpy as np
from sklearn_sae import EmbeddingTransformer
vectors = np.random.default_rng(0).random((64, 384), dtype=np.float32)
embed = EmbeddingTransformer(lambda texts: vectors[: len(texts)], cache_dir=None)
texts = [f"text number {i}" for i in range(50_000)]
embed.fit_transform(texts[:100])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = embed.fit_transform(texts)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / out.nbytes)
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.3


def test_a_damaged_cache_is_embedded_again_where_it_was_lost(log, tmp_path):
    texts = [f"text number {i}" for i in range(2000)]
    embed = EmbeddingTransformer(make_counter(log), cache_dir=tmp_path)
    expected = embed.fit_transform(texts)
    path = tmp_path / "embeddings.sqlite"
    content = bytearray(path.read_bytes())
    page = next(page for page in range(20, len(content) // 4096) if content[page * 4096] == 13)  # holds rows
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="values could be read and are kept"):
        np.testing.assert_array_equal(embed.transform(texts), expected)
    assert 2000 < len(calls(log)) < 2200


def test_another_cache_key_is_another_model(log):
    first, second = make_counter(log), make_counter(log)
    second.cache_key = "counter-2"
    EmbeddingTransformer(first).fit_transform(TEXTS)
    EmbeddingTransformer(second).fit_transform(TEXTS)
    assert len(calls(log)) == 2 * len(TEXTS)


def test_the_prompt_of_a_callable_is_part_of_its_key(log):
    model = make_counter(log)
    plain = EmbeddingTransformer(model).fit_transform(TEXTS)
    prompted = EmbeddingTransformer(model, prompt="query: ").fit_transform(TEXTS)
    assert set(calls(log)) == {*TEXTS, *(f"query: {text}" for text in TEXTS)}
    assert not np.allclose(plain, prompted)


def test_truncate_dim_and_normalize_share_what_is_stored(log):
    model = make_counter(log)
    whole = EmbeddingTransformer(model).fit_transform(TEXTS)
    some = EmbeddingTransformer(model, truncate_dim=3, normalize=True).fit_transform(TEXTS)
    assert len(calls(log)) == len(TEXTS)
    np.testing.assert_allclose(some, unit_length(whole[:, :3]), rtol=1e-6)


def _is_seen(text):
    """Return whether something of a text can be seen; a text of which nothing can is refused as empty."""
    return any(unicodedata.category(character)[0] not in "CZ" for character in text)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(_is_seen), min_size=1, max_size=20))
def test_any_texts_keep_their_rows(tmp_path, texts):
    def model(some):
        return [[hash(text) % 1000, len(text)] for text in some]

    model.cache_key = "hash"
    expected = np.array(model(texts), dtype=np.float32)
    for _ in range(2):  # embedded, then from the cache
        out = EmbeddingTransformer(model, batch_size=3, cache_dir=tmp_path).fit_transform(texts)
        np.testing.assert_array_equal(out, expected)


def test_texts_that_differ_only_in_the_middle_differ(log):
    a, b = "x" * 500 + "1" + "y" * 500, "x" * 500 + "2" + "y" * 500
    out = EmbeddingTransformer(make_counter(log)).fit_transform([a, b])
    assert not np.allclose(out[0], out[1])


SLOW = """
import sys, time
import numpy as np
from sklearn_sae import EmbeddingTransformer

log, folder, n, stop_after = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
n_done = 0

def model(texts):
    global n_done
    time.sleep(0.002)
    with open(log, "a") as file:
        file.write("".join(f"{text}\\n" for text in texts))
    n_done += len(texts)
    if n_done > stop_after:
        time.sleep(600)  # until it is killed
    return [[len(text), float(text.split()[-1])] for text in texts]

model.cache_key = "slow"
texts = [f"secret number {i}" for i in range(n)]
out = EmbeddingTransformer(model, batch_size=5, cache_dir=folder).fit_transform(texts)
assert (out[:, 1] == np.arange(n)).all()
"""


def slow(log, folder, n, *, stop_after=10**9):
    args = [sys.executable, "-c", SLOW, *map(str, (log, folder, n, stop_after))]
    return subprocess.Popen(args, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_share_the_work(log, tmp_path):
    processes = [slow(log, tmp_path, 400) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
    assert len(calls(log)) == len(set(calls(log))) == 400


def test_after_a_kill_only_the_rest_is_embedded(log, tmp_path):
    process = slow(log, tmp_path, 300, stop_after=50)
    while len(calls(log)) < 55:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    # While it runs, its write-ahead log is there too: no file holds a text.
    files = list(tmp_path.glob("embeddings*"))
    assert len(files) >= 3
    assert not any(b"secret" in path.read_bytes() for path in files)
    process.kill()
    process.communicate()
    resumed = slow(log, tmp_path, 300)
    _, errors = resumed.communicate(timeout=90)
    assert resumed.returncode == 0, errors
    assert set(calls(log)) == {f"secret number {i}" for i in range(300)}
    assert len(calls(log)) == 305  # the batch that was in flight twice


# --- within scikit-learn -----------------------------------------------------------------------


def test_without_fit():
    embed = EmbeddingTransformer(lambda texts: [[len(text)] for text in texts])
    np.testing.assert_array_equal(embed.transform(["a", "bb"]), [[1], [2]])


def test_names_and_frames(tiny_sentence_transformer):
    series = pd.Series(TEXTS, index=list("abcde"))
    embed = EmbeddingTransformer(tiny_sentence_transformer, truncate_dim=2).set_output(transform="pandas")
    frame = embed.fit_transform(series)
    assert list(frame.columns) == ["embeddingtransformer0", "embeddingtransformer1"]
    assert list(frame.index) == list("abcde")
    assert (frame.dtypes == np.float32).all()


def test_union_and_cross_validation(log, tiny_sentence_transformer):
    texts = [f"{text} {i}" for i in range(6) for text in TEXTS]
    union = FeatureUnion(
        [
            ("counter", EmbeddingTransformer(make_counter(log))),
            ("tiny", EmbeddingTransformer(tiny_sentence_transformer)),
        ]
    )
    scores = cross_validate(make_pipeline(union, PCA(3), Ridge()), texts, np.arange(30.0), cv=3, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


def test_clone_keeps_parameters():
    embed = EmbeddingTransformer("m", truncate_dim=3, base_url="http://localhost:1/v1")
    assert clone(embed).get_params() == embed.get_params()


def test_progress(capfd, log):
    EmbeddingTransformer(make_counter(log), verbose=True).fit_transform(TEXTS)
    assert "Embedding" in capfd.readouterr().err
    EmbeddingTransformer(make_counter(log), verbose=False).fit_transform([f"{text}!" for text in TEXTS])
    assert capfd.readouterr().err == ""


def test_a_local_model_is_silent(capfd, tiny_sentence_transformer):
    from sklearn_sae.embedding._local import _load

    _load.cache_clear()
    EmbeddingTransformer(tiny_sentence_transformer).fit_transform(TEXTS)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


# --- errors ------------------------------------------------------------------------------------


def constant(value):
    return lambda texts: value


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"model": 3}, ValueError, "'model' parameter"),
        ({"backend": "gpu"}, ValueError, "'backend' parameter"),
        ({"batch_size": 0}, ValueError, "'batch_size' parameter"),
        ({"truncate_dim": 0}, ValueError, "'truncate_dim' parameter"),
        ({"max_concurrency": 0}, ValueError, "'max_concurrency' parameter"),
        ({"model": constant([[1.0]]), "backend": "openai"}, ValueError, "callable model takes"),
        ({"model": constant([[1.0]]), "base_url": "http://localhost/v1"}, ValueError, "callable model takes"),
        (
            {"backend": "sentence-transformers", "base_url": "http://localhost/v1"},
            ValueError,
            "base_url is for a server",
        ),
        ({"model": "m", "base_url": "localhost:8000"}, ValueError, "must look like"),
        ({"model": "m", "base_url": "http://localhost:port/v1"}, ValueError, "must look like"),
        ({"model": constant([[1.0], [2.0]])}, ValueError, r"shape \(2, 1\) for 1 texts"),
        ({"model": constant([1.0])}, ValueError, r"shape \(1,\) for 1 texts"),
        ({"model": constant(None)}, ValueError, "gave a NoneType that is no array of numbers for 1 texts"),
        ({"model": constant([[]])}, ValueError, r"shape \(1, 0\)"),
        ({"model": constant([["a"]])}, ValueError, "gave a list that is no array of numbers"),
        ({"model": constant(np.array([["1"]]))}, ValueError, "gave a ndarray of <U1 that is no array of numbers"),
        ({"model": constant(np.array([[1 + 2j]]))}, ValueError, "gave a ndarray of complex128 that is no array"),
        ({"model": constant(csr_array([[1.0]]))}, ValueError, "gave a csr_array of float64 that is no array"),
        ({"model": lambda texts: ([1.0] for _ in texts)}, ValueError, "gave a generator that is no array of numbers"),
        ({"model": "m", "base_url": "http://localhost/v1", "cache_dir": ""}, ValueError, "cache_dir is empty"),
        ({"model": constant([[1.0, np.nan]])}, ValueError, "NaN or infinity for the text in row 0"),
        ({"model": constant([[np.inf]])}, ValueError, "NaN or infinity for the text in row 0"),
        ({"model": constant([[1.0, 2.0]]), "truncate_dim": 3}, ValueError, "truncate_dim=3 is larger than the 2"),
    ],
)
def test_wrong_parameters_and_models(parameters, kind, message):
    for method in ("fit", "transform", "fit_transform"):
        with pytest.raises(kind, match=message) as caught:
            getattr(EmbeddingTransformer(**parameters), method)(["secret words"])
        assert "secret" not in str(caught.value)


def test_tensors():
    import torch

    np.testing.assert_array_equal(EmbeddingTransformer(constant(torch.ones(1, 2))).fit_transform(["a"]), [[1, 1]])
    wrong = {
        "float32": torch.ones(1, 2, requires_grad=True),
        "bfloat16": torch.ones(1, 2, dtype=torch.bfloat16),
        "complex64": torch.ones(1, 2, dtype=torch.complex64),
        "float64": torch.ones(1, 2, dtype=torch.float64).to_sparse(),
    }
    for dtype, tensor in wrong.items():
        with pytest.raises(ValueError, match=rf"gave a Tensor of torch\.{dtype} that is no array of numbers"):
            EmbeddingTransformer(constant(tensor)).fit(["a"])


def test_the_row_of_a_bad_vector_is_named():
    def model(texts):
        return [[np.nan if text == "bad" else 1.0] for text in texts]

    with pytest.raises(ValueError, match="row 3"):
        EmbeddingTransformer(model, batch_size=2).fit_transform(["aaaa", "aaaa", "c", "bad", "bad"])


def test_vectors_of_two_lengths():
    model = lambda texts: [[1.0] * len(texts[0])] * len(texts)  # noqa: E731
    with pytest.raises(ValueError, match="length 3 and 2"):
        EmbeddingTransformer(model, batch_size=1).fit_transform(["aaa", "bb"])
    with pytest.raises(ValueError, match="length 2; in fit it was 3"):
        EmbeddingTransformer(model).fit(["aaa"]).transform(["bb"])


def test_a_damaged_vector_in_the_cache(log, tmp_path):
    embed = EmbeddingTransformer(make_counter(log), cache_dir=tmp_path)
    embed.fit_transform(TEXTS)
    with sqlite3.connect(tmp_path / "embeddings.sqlite") as connection:
        connection.execute("UPDATE store SET value = x'0102030405'")
    connection.close()
    with pytest.raises(OSError, match="damaged vector; move it away"):
        embed.transform(TEXTS)


def test_no_such_folder_and_no_model_in_it(tmp_path):
    with pytest.raises(ValueError, match="The model '/no/such/folder' is neither a folder"):
        EmbeddingTransformer("/no/such/folder").fit(TEXTS)
    with pytest.raises(ValueError, match="holds no sentence-transformers model"):
        EmbeddingTransformer(tmp_path).fit(TEXTS)


def test_a_device_that_is_not_there(tiny_sentence_transformer):
    with pytest.raises(ValueError, match="device='quantum' cannot be used"):
        EmbeddingTransformer(tiny_sentence_transformer, device="quantum").fit(TEXTS)


@pytest.mark.parametrize("devices", [["cpu", "quantum"], ["quantum", "cpu"]])
def test_a_device_of_several_that_is_not_there(devices, tmp_path):
    embed = EmbeddingTransformer(tmp_path / "no such model", device=devices)  # which would be missed on loading it
    with pytest.raises(ValueError, match=r"device='quantum' cannot be used here.*set_params\(device=.auto.\)"):
        embed.fit(TEXTS)
    for wrong in ([], [0, 1]):
        with pytest.raises(ValueError, match="a name or a list of names"):
            embed.set_params(device=wrong).fit(TEXTS)


@pytest.mark.slow
def test_several_devices_give_the_vectors_of_one_and_share_its_store(tmp_path):
    if not has_minilm():
        pytest.skip("needs the extra minilm")
    texts = make_concept_texts(90, random_state=0).data
    options = {"batch_size": 16, "device": ["cpu", "cpu"]}
    alone = EmbeddingTransformer("all-MiniLM-L6-v2", batch_size=16, device="cpu", cache_dir=None).fit_transform(texts)
    embed = EmbeddingTransformer("all-MiniLM-L6-v2", cache_dir=tmp_path, **options).fit(texts[:50])
    assert not multiprocessing.active_children()  # one text is worth no process
    together = embed.transform(texts)
    assert not multiprocessing.active_children()
    np.testing.assert_allclose(together, alone, atol=1e-6)
    with sqlite3.connect(tmp_path / "embeddings.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM store").fetchone() == (len(set(texts)),)
    connection.close()
    stored = EmbeddingTransformer("all-MiniLM-L6-v2", cache_dir=tmp_path, batch_size=16, device="cpu").transform(texts)
    np.testing.assert_array_equal(stored, together)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_process_of_several_devices_that_is_killed_ends_the_call(tiny_sentence_transformer):
    def kill():
        while not (found := multiprocessing.active_children()):
            time.sleep(0.01)
        os.kill(found[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    embed = EmbeddingTransformer(tiny_sentence_transformer, batch_size=2, device=["cpu", "cpu"], cache_dir=None)
    with pytest.raises(RuntimeError, match="has ended: killed for its memory, perhaps"):
        embed.transform([f"text {i}" for i in range(20)])
    killer.join()
    assert not multiprocessing.active_children()


class _Hub(BaseHTTPRequestHandler):
    """A model hub that knows one model that nobody may have."""

    def do_GET(self):
        status, code = (403, "GatedRepo") if "gated" in self.path else (404, "RepoNotFound")
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    from huggingface_hub import constants

    with HTTPServer(("127.0.0.1", 0), _Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        yield url
        server.shutdown()


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("nobody/nothing", ValueError, "The model 'nobody/nothing' is not on the Hugging Face hub, or is private"),
        ("nothing", ValueError, "The model 'nothing' is not on the Hugging Face hub, or is private"),
        ("not a name!", ValueError, "The model 'not a name!' is neither a folder on this machine nor a name"),
        ("nobody/gated", PermissionError, "The model 'nobody/gated' is gated: accept its terms"),
    ],
)
def test_a_model_that_the_hub_does_not_give(hub, model, kind, message):
    with pytest.raises(kind, match=message):
        EmbeddingTransformer(model).fit(TEXTS)


def test_offline(hub, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # as the environment variable of this name does
    with pytest.raises(ConnectionError, match="not on this machine, and the Hugging Face hub cannot be reached"):
        EmbeddingTransformer("nobody/nothing").fit(["a"])


def test_a_hub_that_is_not_there_is_asked_once(monkeypatch, caplog):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="'a/b' is not on this machine, and the Hugging Face hub cannot be"):
        EmbeddingTransformer("a/b").fit(TEXTS)
    assert "Retrying" not in caplog.text


def test_cut_texts_and_equal_vectors_are_said(tiny_sentence_transformer):
    shared = "the food was good and the staff was rude " * 30
    texts = [f"{shared} and {word}" for word in ("food", "staff", "wine", "bread")]
    embedder = EmbeddingTransformer(tiny_sentence_transformer, max_seq_length=12)
    with pytest.warns(UserWarning, match="4 of 4 texts are longer than the model takes") as caught:
        out = embedder.fit_transform(texts)
    assert "3 of 4 different texts have the same vector as another; it reads 12 tokens" in str(caught[0].message)
    assert len(np.unique(out, axis=0)) == 1
    with pytest.warns(UserWarning, match="3 of 4 different texts have the same vector"):  # from the cache too
        embedder.transform(texts)


def test_nothing_is_said_of_texts_that_fit(tiny_sentence_transformer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EmbeddingTransformer(tiny_sentence_transformer, cache_dir=None).fit_transform(TEXTS)


def test_options_of_the_model_are_part_of_what_vectors_are_kept_under(tiny_sentence_transformer):
    text = ["the food was good and the staff was rude and we waited for an hour"]
    plain = EmbeddingTransformer(tiny_sentence_transformer).fit_transform(text)
    with pytest.warns(UserWarning, match="1 of 1 texts"):
        short = EmbeddingTransformer(tiny_sentence_transformer, max_seq_length=4).fit_transform(text)
    half = EmbeddingTransformer(tiny_sentence_transformer, model_kwargs={"dtype": "bfloat16"}).fit_transform(text)
    assert not np.allclose(plain, short)
    assert not np.array_equal(plain, half)
    np.testing.assert_allclose(plain, half, atol=0.1)
    assert np.array_equal(EmbeddingTransformer(tiny_sentence_transformer).fit_transform(text), plain)


@pytest.mark.parametrize("given", [{"max_seq_length": 9}, {"revision": "main"}, {"trust_remote_code": True}])
def test_what_has_no_effect_is_refused(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))} is for a sentence-transformers model"):
        EmbeddingTransformer(lambda texts: np.ones((len(texts), 2)), **given).fit(TEXTS)
    with pytest.raises(ValueError, match="has no effect on a server"):
        EmbeddingTransformer("text-embedding-3-small", **given).fit(TEXTS)
