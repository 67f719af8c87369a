"""The store: each text read once, by whatever was killed, run again, or run beside it."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import zlib

import numpy as np
import pytest

from sklearn_sae.pretrained._activation_store import pooled_activations
from sklearn_sae.pretrained._pooling import AGGREGATIONS, Pooled

N_LATENTS = 50
BATCH = 4


def reader(log, *, seconds=0.0):
    """Return a `read` that writes the texts of a batch into the file `log` before it reads them."""
    import os  # here too, for the processes that get this function as source
    import time
    import zlib

    import numpy as np

    from sklearn_sae.pretrained._pooling import Pooled

    def read(texts):
        for start in range(0, len(texts), 4):
            batch = texts[start : start + 4]
            with open(log, "a") as file:
                file.write("".join(f"{text}\n" for text in batch))
                file.flush()
                os.fsync(file.fileno())
            time.sleep(seconds)
            out = []
            for text in batch:
                rng = np.random.default_rng(zlib.crc32(text.encode()))
                latents = np.sort(rng.permutation(50)[: rng.integers(0, 9)]).astype(np.int32)
                numbers = rng.random((2, len(latents)), dtype=np.float32) + 1
                out.append(Pooled(latents, *numbers, rng.integers(1, 5, len(latents)).astype(np.int32), 7))
            yield range(start, start + len(batch)), out

    return read


def read_all(texts, log, folder, *, identity="reader", aggregation="max"):
    options = {"n_latents": N_LATENTS, "chunk_size": 8, "cache_dir": folder, "verbose": False}
    return pooled_activations(texts, identity, reader(log), aggregation=aggregation, **options)


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def same(a, b):
    assert a.shape == b.shape
    for x, y in ((a.data, b.data), (a.indices, b.indices), (a.indptr, b.indptr)):
        np.testing.assert_array_equal(x, y)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "read.txt"


def test_each_distinct_text_is_read_once(tmp_path, log):
    texts = [f"text {i % 13}" for i in range(40)]
    first = read_all(texts, log, tmp_path / "a")
    assert sorted(lines(log)) == sorted(set(texts))
    same(read_all(texts, log, tmp_path / "a"), first)
    same(read_all(texts[::-1], log, tmp_path / "a"), first[::-1].tocsr())
    assert len(lines(log)) == 13
    same(read_all(texts, tmp_path / "other.txt", None), first)
    same(first[:13], first[13:26])


def test_the_longest_are_read_first(tmp_path, log):
    texts = ["x" * n for n in (3, 9, 1, 40, 8, 2, 30, 5, 12, 11)]
    read_all(texts, log, tmp_path / "a")
    lengths = [len(line) for line in lines(log)]
    assert lengths == sorted(lengths, reverse=True)


def test_batches_are_the_same_with_and_without_a_store(tmp_path, log):
    texts = [f"text {i % 17}" for i in range(50)]
    read_all(texts, log, tmp_path / "a", identity="one")
    read_all(texts, tmp_path / "other.txt", None, identity="other")
    assert lines(log) == lines(tmp_path / "other.txt")


def test_another_aggregation_reads_nothing(tmp_path, log):
    texts = [f"text {i}" for i in range(20)]
    rows = {name: read_all(texts, log, tmp_path / "a", aggregation=name) for name in AGGREGATIONS}
    assert len(lines(log)) == 20
    (one,) = next(reader(log)(["text 3"]))[1]
    for name, expected in {"max": one.maximum, "sum": one.total, "count": one.count, "mean": one.total / 7}.items():
        np.testing.assert_allclose(rows[name][[3]].data, expected, rtol=1e-6)
        np.testing.assert_array_equal(rows[name][[3]].indices, one.latents)


def test_what_activations_depend_on_keeps_them_apart(tmp_path, log):
    read_all(["a text"], log, tmp_path / "a", identity="one")
    read_all(["a text"], log, tmp_path / "a", identity="other")
    assert lines(log) == ["a text"] * 2


def test_the_store_holds_no_text(tmp_path, log):
    read_all(["a most private text"], log, tmp_path / "a")
    assert not any(b"private" in file.read_bytes() for file in (tmp_path / "a").iterdir())


@pytest.mark.parametrize("damage", ["short", "latent"])
def test_damaged_activations_are_refused(tmp_path, log, damage):
    import sqlite3

    texts = [f"text {i}" for i in range(9)]
    read_all(texts, log, tmp_path / "a")
    file = tmp_path / "a" / "activations.sqlite"
    value = b"\x01\x00" if damage == "short" else np.array([1, N_LATENTS, 1, 1, 1], dtype="<i4").tobytes()
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE store SET value = ?", (value,))
    connection.close()
    with pytest.raises(OSError, match="damaged activations"):
        read_all(texts, log, tmp_path / "a")


def test_a_damaged_store_says_to_run_again(tmp_path, log):
    texts = [f"text {i}" for i in range(2000)]
    expected = read_all(texts, log, tmp_path / "a")
    file = tmp_path / "a" / "activations.sqlite"
    content = bytearray(file.read_bytes())
    page = next(page for page in range(20, len(content) // 4096) if content[page * 4096] == 13)  # holds rows
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    file.write_bytes(content)
    with (
        pytest.warns(RuntimeWarning, match="values could be read and are kept"),
        pytest.raises(OSError, match="was damaged and lost activations just now; run again"),
    ):
        read_all(texts, log, tmp_path / "a")
    same(read_all(texts, log, tmp_path / "a"), expected)
    assert 2000 < len(lines(log)) < 2200


def _start(tmp_path, log, n_texts, seconds):
    import inspect

    program = [
        "from sklearn_sae.pretrained._activation_store import pooled_activations",
        textwrap.dedent(inspect.getsource(reader)),
        f"read = reader({str(log)!r}, seconds={seconds})",
        f"options = dict(n_latents={N_LATENTS}, chunk_size=8, cache_dir={str(tmp_path / 'a')!r}, verbose=False)",
        f"texts = [f'text {{i}}' for i in range({n_texts})]",
        "pooled_activations(texts, 'reader', read, aggregation='max', **options)",
    ]
    return subprocess.Popen([sys.executable, "-c", "\n".join(program)])


def _wait_for_lines(log, n):
    deadline = time.monotonic() + 60
    while len(lines(log)) < n:
        assert time.monotonic() < deadline, "nothing was read"
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_and_run_again(tmp_path, log):
    n_texts = 60
    for n in (BATCH, 6 * BATCH, 11 * BATCH):
        process = _start(tmp_path, log, n_texts, 0.05)
        _wait_for_lines(log, n)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    texts = [f"text {i}" for i in range(n_texts)]
    resumed = read_all(texts, log, tmp_path / "a")
    same(resumed, read_all(texts, tmp_path / "afresh.txt", None))
    seen = lines(log)
    assert set(seen) == set(texts)
    assert len(seen) - n_texts <= 3 * BATCH, "more was read twice than the batch in flight of each kill"
    same(read_all(texts, log, tmp_path / "a"), resumed)
    assert lines(log) == seen


def test_two_processes_share_the_work(tmp_path, log):
    n_texts = 80
    processes = [_start(tmp_path, log, n_texts, 0.02) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert sorted(lines(log)) == sorted(f"text {i}" for i in range(n_texts))


@pytest.mark.slow
def test_what_a_killed_process_had_claimed_is_read_by_the_other(tmp_path, log):
    n_texts = 40
    first = _start(tmp_path, log, n_texts, 30)  # so long that it is killed within its first batch
    _wait_for_lines(log, BATCH)
    second = _start(tmp_path, log, n_texts, 0)
    _wait_for_lines(log, n_texts - BATCH)  # all but what the first has claimed and not yet read
    first.kill()
    first.wait()
    assert second.wait(timeout=60) == 0
    assert set(lines(log)) == {f"text {i}" for i in range(n_texts)}


def test_a_disk_that_refuses_is_a_warning(tmp_path, log, monkeypatch):
    import sqlite3

    from sklearn_sae.utils.store import _claims, _store

    texts = [f"text {i}" for i in range(20)]
    with monkeypatch.context() as patch:
        for module in (_claims, _store):
            patch.setattr(module, "writing", _refuse(sqlite3.OperationalError("database or disk is full")))
        with pytest.warns(RuntimeWarning, match="disk is full"):
            rows = read_all(texts, log, tmp_path / "a")
    same(rows, read_all(texts, tmp_path / "afresh.txt", None))
    assert sorted(lines(log)) == sorted(texts)


def _refuse(error):
    def refuse(connection):
        raise error

    return refuse


def test_pooled_rows_are_what_was_put(tmp_path):
    latents = np.array([0, 49], dtype=np.int32)
    one = Pooled(latents, np.float32([1.5, 2]), np.float32([3, 2]), np.array([2, 1], dtype=np.int32), 2**24 + 1)

    def read(texts):
        assert zlib.crc32(texts[0].encode())
        yield [0], [one]

    options = {"n_latents": N_LATENTS, "chunk_size": 1, "verbose": False, "aggregation": "mean"}
    for folder in (None, tmp_path / "a"):
        rows = pooled_activations(["a"], "r", read, cache_dir=folder, **options)
        np.testing.assert_allclose(rows.data, [3 / (2**24 + 1), 2 / (2**24 + 1)], rtol=1e-6)
