"""The command `cache`, from a shell, on stores that real runs have written."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest

from sklearn_sae import EmbeddingTransformer, LLMHypothesisAnnotator
from sklearn_sae.utils.store import digest, open_store

TEXTS = [f"review number {i}" for i in range(40)]
HYPOTHESES = ["praises the staff", "mentions a long wait"]
# As versions before the tables of origins have made them.
EARLIER = {
    "CREATE TABLE store (key BLOB PRIMARY KEY, value BLOB NOT NULL)",
    "CREATE TABLE claims (key BLOB PRIMARY KEY, holder TEXT NOT NULL) WITHOUT ROWID",
}


def cache(folder, *arguments, **options):
    command = [sys.executable, "-m", "sklearn_sae", "cache", *arguments]
    environment = os.environ | {"SKLEARN_SAE_CACHE_DIR": str(folder)}
    options = {"input": "", "env": environment, "capture_output": True, "text": True, "encoding": "utf-8"} | options
    return subprocess.run(command, **options)


def embed(folder, name, texts=TEXTS, dim=64):
    def model(texts):
        calls.append(texts)
        return np.random.default_rng(0).standard_normal((len(texts), dim))

    calls, model.cache_key = [], name
    EmbeddingTransformer(model, cache_dir=folder).transform(texts)
    return sum(map(len, calls))


def write_back(folder, name, days):
    """Let what is of one model have been written so many days ago."""
    with closing(sqlite3.connect(folder / "embeddings.sqlite")) as connection, connection:
        connection.execute(
            "UPDATE origins SET written = ? WHERE model = (SELECT id FROM models WHERE name = ?)",
            (int(time.time()) - days * 86400, name),
        )


def annotate(folder, server, model="gpt-5-mini", **params):
    before = len(server.requests)
    annotator = LLMHypothesisAnnotator(
        hypotheses=HYPOTHESES, annotator=model, base_url=server.base_url, cache_dir=folder, **params
    )
    return annotator.transform(TEXTS), len(server.requests) - before, annotator.usage_


def make_earlier(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE origins")
        connection.execute("DROP TABLE models")
        assert {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")} == EARLIER


def test_info_says_what_there_is(tmp_path, openai_server):
    nothing = cache(tmp_path, "info")
    assert (nothing.returncode, nothing.stdout) == (0, f"{tmp_path}: nothing is stored.\n")
    usage = annotate(tmp_path, openai_server)[2]
    assert usage["cache_bytes"] > 8 * 80
    annotate(tmp_path, openai_server, "qwen3")
    embed(tmp_path, "letters")
    result = cache(tmp_path, "info")
    assert result.returncode == 0
    today = time.strftime("%Y-%m-%d")
    for line in (
        f"  gpt-5-mini: 80 answers, 0.6 kB, of {today}",
        f"  qwen3: 80 answers, 0.6 kB, of {today}",
        f"  letters: 40 embeddings, 10.2 kB, of {today}",
    ):
        assert line in result.stdout.splitlines()
    total = sum(path.stat().st_size for path in tmp_path.glob("*.sqlite"))
    assert result.stdout.startswith(f"{tmp_path}: {total / 1e6:,.1f} MB" if total > 1e5 else f"{tmp_path}: ")
    assert (
        annotate(tmp_path, openai_server, cached_only=True)[2]["cache_bytes"]
        == (tmp_path / "annotations.sqlite").stat().st_size
    )
    assert annotate(None, openai_server)[2]["cache_bytes"] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe cannot be made small")
def test_a_reader_that_has_gone_is_no_error(tmp_path):
    import fcntl

    for i in range(30):
        embed(tmp_path, f"{i}{'x' * 300}", texts=TEXTS[:1], dim=2)
    environment = os.environ | {"SKLEARN_SAE_CACHE_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "sklearn_sae", "cache", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # less than is said of the models
        assert process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


def test_what_is_of_a_model_is_removed(tmp_path, openai_server):
    for model in ("gpt-5-mini", "qwen3"):
        annotate(tmp_path, openai_server, model)
    result = cache(tmp_path, "prune", "--model", "qwen3")
    assert result.returncode == 1
    assert "annotations.sqlite: 80 answers of qwen3" in result.stdout
    assert "paid for again" in result.stdout
    assert result.stderr == "sklearn-sae: nothing was removed; --yes removes it without asking.\n"
    result = cache(tmp_path, "prune", "--model", "qwen3", "--yes")
    assert result.returncode == 0, result.stderr
    assert "gpt-5-mini" not in result.stdout
    assert annotate(tmp_path, openai_server)[1] == 0
    assert annotate(tmp_path, openai_server, "qwen3")[1] == 80
    result = cache(tmp_path, "prune", "--model", "gpt5-mini", "--yes")
    assert result.returncode == 1
    assert result.stderr == "sklearn-sae: nothing is stored of 'gpt5-mini'; there is qwen3, gpt-5-mini.\n"


def test_what_is_older_is_removed(tmp_path):
    embed(tmp_path, "old")
    write_back(tmp_path, "old", 40)
    embed(tmp_path, "new")
    assert "there is nothing to remove" in cache(tmp_path, "prune", "--older-than", "41", "--yes").stdout
    assert "of old" in cache(tmp_path, "prune", "--older-than", "39", "--yes").stdout
    assert (embed(tmp_path, "new"), embed(tmp_path, "old")) == (0, 40)
    write_back(tmp_path, "old", 40)
    write_back(tmp_path, "new", 40)
    assert "of new" not in cache(tmp_path, "prune", "--older-than", "39", "--model", "old", "--yes").stdout
    assert (embed(tmp_path, "new"), embed(tmp_path, "old")) == (0, 40)


def test_the_oldest_go_until_it_is_small_enough(tmp_path, openai_server):
    texts = [f"text {i}" for i in range(3000)]
    embed(tmp_path, "old", texts, dim=256)
    write_back(tmp_path, "old", 1)
    embed(tmp_path, "new", texts, dim=256)
    annotate(tmp_path, openai_server)
    before = (tmp_path / "embeddings.sqlite").stat().st_size
    assert before > 6e6
    result = cache(tmp_path, "prune", "--max-size", "5", "--yes")
    assert result.returncode == 0, result.stderr
    assert "of new" not in result.stdout
    after = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert 4.5e6 < after < 5.05e6
    assert (embed(tmp_path, "new", texts, dim=256), annotate(tmp_path, openai_server)[1]) == (0, 0)
    result = cache(tmp_path, "prune", "--max-size", "2", "--model", "old", "--yes")  # of the new ones none may go
    assert "of new" not in result.stdout
    assert embed(tmp_path, "new", texts, dim=256) == 0
    assert cache(tmp_path, "prune", "--max-size", "0", "--yes").returncode == 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1e5
    assert cache(tmp_path, "prune", "--max-size", "0", "--yes").returncode == 0


def test_a_store_of_an_earlier_version(tmp_path, openai_server):
    expected, *_ = annotate(tmp_path, openai_server)
    embed(tmp_path, "letters")
    for name in ("annotations", "embeddings"):
        make_earlier(tmp_path / f"{name}.sqlite")
    result = cache(tmp_path, "info")
    assert "  unknown: 80 answers, 0.6 kB, from before dates were noted" in result.stdout
    make_earlier_still = {path: path.read_bytes() for path in tmp_path.glob("*.sqlite")}
    found, n_requests, _ = annotate(tmp_path, openai_server)
    assert n_requests == embed(tmp_path, "letters") == 0
    np.testing.assert_array_equal(found, expected)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.sqlite")} == make_earlier_still  # looking changes none
    annotate(tmp_path, openai_server, "qwen3")
    assert "  qwen3: 80 answers" in cache(tmp_path, "info").stdout
    assert "of qwen3" not in cache(tmp_path, "prune", "--older-than", "1000", "--yes").stdout
    assert "80 answers of unknown" in cache(tmp_path, "prune", "--model", "unknown", "--yes").stdout
    assert annotate(tmp_path, openai_server, "qwen3")[1] == 0
    assert annotate(tmp_path, openai_server)[1] == 80


def test_an_earlier_version_goes_on_with_the_store(tmp_path):
    embed(tmp_path, "letters")
    with closing(sqlite3.connect(tmp_path / "embeddings.sqlite")) as connection, connection:
        connection.execute("INSERT OR IGNORE INTO store VALUES (?, ?)", (b"k" * 32, b"v" * 256))
        connection.execute("DELETE FROM store WHERE key = (SELECT key FROM store LIMIT 1)")
    lines = cache(tmp_path, "info").stdout.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith(" ")] == [
        "  letters: 39 embeddings",
        "  unknown: 1 embedding",
    ]


def test_that_nothing_is_stored_of_a_model_is_known_after_all_was_removed(tmp_path, openai_server):
    annotate(tmp_path, openai_server)
    cache(tmp_path, "prune", "--model", "gpt-5-mini", "--yes")
    with closing(sqlite3.connect(tmp_path / "annotations.sqlite")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM store").fetchone() == (0,)
        assert connection.execute("SELECT COUNT(*) FROM origins").fetchone() == (0,)


FILLS = """
import sys, time
from sklearn_sae.utils.store import digest, fill, open_store

def compute(keys):
    store.put((key, key) for key in keys)
    print("claimed", flush=True)
    time.sleep(float(sys.argv[2]))

with open_store(sys.argv[1], "embeddings", model="slow") as store:
    fill(store, [digest("slow", str(i)) for i in range(3)], compute)
"""


def test_never_while_a_run_holds_a_claim(tmp_path):
    embed(tmp_path, "letters")
    run = subprocess.Popen([sys.executable, "-c", FILLS, str(tmp_path), "60"], stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline() == "claimed\n"
        result = cache(tmp_path, "prune", "--model", "letters", "--yes")
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert "A run is writing to the cache file" in result.stderr
        assert "letters: 40 embeddings" in cache(tmp_path, "info").stdout
    finally:
        run.kill()
        run.wait()
    assert cache(tmp_path, "prune", "--model", "letters", "--yes").returncode == 0  # a killed run holds nothing
    assert embed(tmp_path, "letters") == 40


def test_notes_on_open_batches_are_no_answers(tmp_path):
    with open_store(tmp_path, "annotations", model="gpt-5-mini") as store:
        store.put([(digest("answer"), b"12345678")])
        store.replace([(digest("tag"), b"batch_1")])
    assert "  gpt-5-mini: 1 answer," in cache(tmp_path, "info").stdout
    cache(tmp_path, "prune", "--max-size", "0", "--yes")
    with open_store(tmp_path, "annotations") as store:
        assert store.get([digest("answer"), digest("tag")]) == {digest("tag"): b"batch_1"}


@pytest.mark.parametrize("arguments", [["info"], ["prune", "--max-size", "0", "--yes"]])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no database at all, but a text that is long enough to be one" * 100, "corrupt"),
        ("torn", "corrupt"),
        ("foreign", "no cache of this package"),
    ],
)
def test_a_store_that_cannot_be_used(tmp_path, arguments, content, words):
    embed(tmp_path, "letters")
    path = tmp_path / "annotations.sqlite"
    if content == "torn":
        embed(tmp_path / "other", "letters", [f"text {i}" for i in range(500)])
        whole = (tmp_path / "other" / "embeddings.sqlite").read_bytes()
        content = whole[: 3 * 4096] + os.urandom(len(whole) - 3 * 4096)
    if content == "foreign":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE songs (title)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    result = cache(tmp_path, *arguments)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert str(path) in result.stderr
    assert path.read_bytes() == before
    if arguments == ["info"]:
        assert "letters: 40 embeddings" in result.stdout  # the others are told all the same
    assert embed(tmp_path, "letters") == 0


def test_a_store_that_another_process_keeps_locked(tmp_path):
    embed(tmp_path, "letters")
    with closing(sqlite3.connect(tmp_path / "embeddings.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE another (a)")
        for arguments in (["info"], ["prune", "--model", "letters", "--yes"]):
            result = cache(tmp_path, *arguments)
            assert result.returncode == 1
            assert "is in use by another process; try again" in result.stderr
            assert result.stderr.count("\n") == 1


READS = """
import os, sys
from sklearn_sae.cli import _cache, main
from sklearn_sae.cli._arguments import make_parser
make_parser().parse_args(sys.argv[1:])  # loads what may lie where others may not read
if os.geteuid() == 0:  # who may write anywhere
    os.seteuid(65534)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other rights")
def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "cache"
    embed(folder, "letters")
    (folder / "embeddings.sqlite").chmod(0o444)
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    try:
        command, environment = [sys.executable, "-c", READS], os.environ | {"SKLEARN_SAE_CACHE_DIR": str(folder)}
        options = {"capture_output": True, "text": True, "env": environment}
        result = subprocess.run([*command, "cache", "info"], **options)
        assert result.returncode == 0, result.stderr
        assert "letters: 40 embeddings" in result.stdout
        result = subprocess.run([*command, "cache", "prune", "--model", "letters", "--yes"], **options)
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1
        assert "readonly" in result.stderr
    finally:
        folder.chmod(0o755)
        (folder / "embeddings.sqlite").chmod(0o644)
    assert embed(folder, "letters") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prune"], "say what to remove"),
        (["prune", "--older-than", "-1"], "not a number from 0 on"),
        (["prune", "--max-size", "many"], "not a number"),
        ([], "ACTION"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, arguments, words):
    embed(tmp_path, "letters")
    result = cache(tmp_path, *arguments)
    assert result.returncode
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_another_folder(tmp_path):
    embed(tmp_path / "mine", "letters")
    assert "letters: 40" in cache(tmp_path, "info", "--cache-dir", str(tmp_path / "mine")).stdout
    assert cache(tmp_path, "info", "--cache-dir", str(tmp_path / "nowhere")).returncode == 0
    file = tmp_path / "mine" / "embeddings.sqlite"
    result = cache(tmp_path, "info", "--cache-dir", str(file))
    assert result.returncode == 1
    assert result.stderr == f"sklearn-sae: {file} is a file; name the folder that it is in.\n"
