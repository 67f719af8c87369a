"""The store on disk: by one process or many, whole or damaged, on a full disk, through a kill."""

import os
import pickle
import random
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections import defaultdict
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae.utils.store import digest, fill, open_store, path_fingerprint
from sklearn_sae.utils.store._rescue import rescue
from sklearn_sae.utils.store._store import Store


def start(code, *args):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes):
    for process in processes:
        _, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors


def keys(n, kind="key"):
    return [digest(kind, str(i)) for i in range(n)]


@settings(deadline=None)
@given(st.lists(st.one_of(st.text(), st.binary()), max_size=4), st.lists(st.one_of(st.text(), st.binary()), max_size=4))
def test_other_parts_other_digest(a, b):
    as_bytes = [[p.encode("utf-8", "surrogatepass") if isinstance(p, str) else p for p in parts] for parts in (a, b)]
    assert (digest(*a) == digest(*b)) == (as_bytes[0] == as_bytes[1])
    assert len(digest(*a)) == 32


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(max_size=50), max_size=30))
def test_what_is_put_is_got(tmp_path, items):
    for cache_dir in (None, tmp_path):
        with open_store(cache_dir, secrets.token_hex(8)) as store:  # a new one for each example
            store.put(items.items())
            assert store.get(items) == items
            assert store.stored([*items, digest("another")]) == set(items)


def test_path_fingerprint_follows_files(tmp_path):
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "file"
    file.write_bytes(b"one")
    before = [path_fingerprint(path) for path in (tmp_path / "folder", file)]
    assert before == [path_fingerprint(path) for path in (tmp_path / "folder", str(file))]
    file.write_bytes(b"three")
    after = [path_fingerprint(path) for path in (tmp_path / "folder", file)]
    assert len({*before, *after}) == 4


def test_more_keys_than_one_query_takes(tmp_path):
    some = keys(2345)
    with open_store(tmp_path, "store") as store:
        store.put((key, key[:4]) for key in some[::2])
    with open_store(tmp_path, "store") as store:
        assert store.get(iter(some)) == {key: key[:4] for key in some[::2]}


def test_what_is_there_stays(tmp_path):
    with open_store(tmp_path, "store") as store:
        store.put([(b"k" * 32, b"first")])
        store.put([(b"k" * 32, b"second")])
        assert store.get([b"k" * 32]) == {b"k" * 32: b"first"}


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_is_replaced_or_dropped(tmp_path, where):
    a, b, c = keys(3)
    with open_store(None if where == "memory" else tmp_path, "store") as store:
        store.put([(a, b"1"), (b, b"1")])
        store.replace([(b, b"2"), (c, b"2")])
        assert store.get([a, b, c]) == {a: b"1", b: b"2", c: b"2"}
        store.drop(iter([a, c, digest("never there")]))
        assert store.get([a, b, c]) == {b: b"2"}
        store.put([(a, b"3")])
        assert store.get([a, b, c]) == {a: b"3", b: b"2"}


def test_every_look_up_goes_by_the_index(tmp_path):
    queries = set()
    with open_store(tmp_path, "store") as store, store.claims() as claims:
        store._connection.set_trace_callback(queries.add)
        store.get(keys(1200))
        claims.take(keys(1200))
        store.drop(keys(1))
        store._connection.set_trace_callback(None)
        plans = [
            row[3]
            for query in queries
            if not query.startswith(("BEGIN", "COMMIT", "INSERT", "CREATE"))
            for row in store._connection.execute(f"EXPLAIN QUERY PLAN {query}")
        ]
    assert len(queries) < 1200 + 25  # a query takes many keys; only the rows of the claims are one by one
    assert any("claims" in plan for plan in plans)
    assert any("store" in plan for plan in plans)
    assert all(plan.startswith("SEARCH") and "(key=?)" in plan for plan in plans), plans


def test_where_auto_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "there"))
    with open_store("auto", "store"):
        pass
    assert (tmp_path / "there" / "store.sqlite").exists()
    monkeypatch.delenv("SKLEARN_SAE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    with open_store("auto", "store") as store:
        assert tmp_path in store.path.parents


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_a_new_folder_is_its_owner_s_alone(tmp_path):
    with open_store(tmp_path / "new", "store"):
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


# --- many at once ------------------------------------------------------------------------------

WRITE = """
import sys
from sklearn_sae.utils.store import digest, open_store
folder, name = sys.argv[1:]
for i in range(60):
    with open_store(folder, "store") as store:
        store.put([(digest("shared", str(i)), b"s"), (digest(name, str(i)), b"own")])
        assert store.get([digest(name, str(i))])
"""


def test_many_processes_share_one_store(tmp_path):
    finish([start(WRITE, tmp_path, f"p{p}") for p in range(6)])
    with open_store(tmp_path, "store") as store:
        assert len(store.get(keys(60, "shared"))) == 60
        for p in range(6):
            assert len(store.get(keys(60, f"p{p}"))) == 60


def test_many_processes_open_a_new_store_at_once(tmp_path):
    code = """
import os, pathlib, sys
from sklearn_sae.utils.store import open_store
pids = []
for attempt in range(10):
    folder = pathlib.Path(sys.argv[1], str(attempt))
    ready, go = os.pipe()
    for _ in range(12):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)  # until the parent closes the other end: all start at once
            try:
                with open_store(folder, "store") as store:
                    store.put([(os.urandom(32), b"v")])
            except Exception as error:
                print(error, file=sys.stderr)
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    os.close(ready)
    os.close(go)
sys.exit(max(os.waitpid(pid, 0)[1] for pid in pids) != 0)
"""
    finish([start(code, tmp_path)])


def test_many_threads_open_a_new_store_at_once(tmp_path):
    errors = []

    def work(folder, barrier, t):
        try:
            barrier.wait()
            with open_store(folder, "store") as store:
                store.put([(digest(str(t)), b"v")])
        except Exception as error:
            errors.append(error)

    for attempt in range(20):
        folder, barrier = tmp_path / str(attempt), threading.Barrier(12)
        threads = [threading.Thread(target=work, args=(folder, barrier, t)) for t in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with open_store(folder, "store") as store:
            assert len(store.get([digest(str(t)) for t in range(12)])) == 12
    assert errors == []


def test_a_store_is_used_from_a_forked_process_of_its_own(tmp_path):
    code = """
import os, sys
from sklearn_sae.utils.store import digest, open_store
folder = sys.argv[1]
with open_store(folder, "store") as store:
    store.put([(digest("parent"), b"p")])
pid = os.fork()
if pid == 0:
    with open_store(folder, "store") as store:
        store.put([(digest("child"), b"c")])
    os._exit(0)
with open_store(folder, "store") as store:
    store.put([(digest("parent again"), b"p")])
assert os.waitpid(pid, 0)[1] == 0
with open_store(folder, "store") as store:
    assert len(store.get([digest("parent"), digest("child"), digest("parent again")])) == 3
"""
    finish([start(code, tmp_path)])


def test_a_kill_loses_nothing_that_was_put(tmp_path):
    code = """
import sys
from sklearn_sae.utils.store import digest, open_store
with open_store(sys.argv[1], "store") as store:
    for i in range(10**6):
        store.put([(digest(str(i)), b"v" * 1000)])
        print(i, flush=True)
"""
    process = start(code, tmp_path)
    while int(process.stdout.readline()) < 200:
        pass
    process.send_signal(signal.SIGKILL)
    n = 200 + len(process.communicate()[0].split())
    with open_store(tmp_path, "store") as store:
        assert len(store.get(digest(str(i)) for i in range(n))) == n


# --- claims ------------------------------------------------------------------------------------


def test_a_key_is_claimed_once(tmp_path):
    some = keys(1300)
    with open_store(tmp_path, "store") as a, open_store(tmp_path, "store") as b, b.claims() as theirs:
        a.put((key, b"v") for key in some[:10])
        with a.claims() as mine:
            assert mine.take(some[:700]) == set(some[10:700])
            assert mine.take(iter(some[:700])) == set(some[10:700])
            assert theirs.take(some) == set(some[700:])
            a.put([(some[10], b"v")])
            assert mine.take(some) == set(some[11:700])
            assert theirs.take(some[:700]) == set()
        assert theirs.take(some) == set(some[11:])
        b.drop(some[:1])
        assert theirs.take(some[:1]) == {some[0]}
        assert theirs.take([]) == set()
    assert not list(tmp_path.glob("*.lock"))
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)


def test_claims_of_two_in_one_process_are_two(tmp_path):
    with open_store(tmp_path, "store") as store, store.claims() as one, store.claims() as two:
        assert one.take(keys(2)) == set(keys(2))
        assert two.take(keys(3)) == {keys(3)[2]}


def test_threads_share_out_the_keys(tmp_path):
    barrier, shares = threading.Barrier(8), []

    def work():
        with open_store(tmp_path, "store") as store, store.claims() as claims:
            barrier.wait()
            shares.append(claims.take(keys(500)))
            barrier.wait()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(len, shares)) == 500
    assert set().union(*shares) == set(keys(500))


CLAIM = """
import sys, time
from sklearn_sae.utils.store import digest, open_store
with open_store(sys.argv[1], "store") as store, store.claims() as claims:
    claims.take(digest("key", str(i)) for i in range(100))
    print("mine", flush=True)
    time.sleep(60)
"""


def test_the_claims_of_a_killed_process_end(tmp_path):
    process = start(CLAIM, tmp_path)
    assert process.stdout.readline() == "mine\n"
    with open_store(tmp_path, "store") as store:
        with store.claims() as claims:
            assert claims.take(keys(101)) == {keys(101)[100]}
            process.kill()
            process.communicate()
            assert claims.take(keys(101)) == set(keys(101))
            assert len(list(tmp_path.glob("*.lock"))) == 2
        with store.claims():  # who begins sweeps up what the killed left
            assert len(list(tmp_path.glob("*.lock"))) == 1


def test_what_a_killed_process_claimed_is_swept_up(tmp_path):
    process = start(CLAIM, tmp_path)
    assert process.stdout.readline() == "mine\n"
    process.kill()
    process.communicate()
    (tmp_path / "store.work.lock").touch()  # of an earlier version, which stays
    with open_store(tmp_path, "store") as store, store.claims():
        assert store._connection.execute("SELECT count(*) FROM claims").fetchone() == (0,)
        assert len(list(tmp_path.glob("*.lock"))) == 2
    assert [path.name for path in tmp_path.glob("*.lock")] == ["store.work.lock"]


def test_a_store_in_memory_has_all_claims(tmp_path):
    with open_store(None, "store") as store, store.claims() as claims:
        store.put([(keys(1)[0], b"v")])
        assert claims.take(keys(3)) == set(keys(3)[1:])
        assert claims.take(keys(3)) == set(keys(3)[1:])


def test_without_a_lock_all_claims_are_mine(tmp_path, monkeypatch):
    with open_store(tmp_path, "store") as other, other.claims() as theirs:
        theirs.take(keys(3))
        monkeypatch.setattr("secrets.token_hex", lambda n: "here")
        (tmp_path / "store.claims-here.lock").mkdir()
        with open_store(tmp_path, "store") as store, store.claims() as claims:
            store.put([(keys(1)[0], b"v")])
            assert claims.take(keys(4)) == set(keys(4)[1:])


def test_a_full_disk_has_all_claims(tmp_path):
    code = """
import resource, sys, warnings
from sklearn_sae.utils.store import digest, open_store
warnings.simplefilter("ignore")
keys = [digest(str(i)) for i in range(5000)]
with open_store(sys.argv[1], "store") as store:
    store.put([(keys[0], b"old"), (keys[1], b"old")])
    with store.claims() as claims:
        claims.take(keys[:5])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # from here on the disk is full
        assert claims.take(keys) == set(keys[2:])
        store.put((key, key * 10) for key in keys[3:])
        store.replace([(keys[1], b"new")])
        store.drop(keys[:1])
        assert claims.take(keys) == {keys[0], keys[2]}
    with store.claims() as claims:
        assert claims.take(keys) == {keys[0], keys[2]}
        assert store.get(keys) == {keys[1]: b"new"} | {key: key * 10 for key in keys[3:]}
"""
    finish([start(code, tmp_path)])


def test_a_store_without_the_table_of_claims(tmp_path):
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE store (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
        connection.execute("INSERT INTO store VALUES (?, ?)", (keys(1)[0], b"old"))
    with open_store(tmp_path, "store") as store, store.claims() as claims:
        assert claims.take(keys(2)) == {keys(2)[1]}
        assert store.get(keys(2)) == {keys(1)[0]: b"old"}


SHARE = """
import os, random, sys, time
from contextlib import ExitStack
from sklearn_sae.utils.store import digest, open_store
folder, log, me = sys.argv[1:]
log = os.open(log, os.O_WRONLY | os.O_APPEND)
say = lambda *words: os.write(log, (" ".join(map(str, words)) + "\\n").encode())
rng = random.Random(int(me))
left = {digest("key", str(i)): i for i in range(400)}
with open_store(folder, "store") as store, store.claims() as long:
    say("ready", me, -1)
    while left:
        batch = rng.sample(sorted(left), min(20, len(left)))
        with ExitStack() as stack:
            claims = long if int(me) % 2 else stack.enter_context(store.claims())
            for key in claims.take(batch):
                say("buy", me, left[key])
                time.sleep(0.001)
                store.put([(key, me.encode())])
                say("put", me, left[key])
        for key in store.get(batch):
            del left[key]
"""


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_bought_twice_and_no_kill_loses_a_row(tmp_path, seed):
    log = tmp_path / "log"
    log.touch()
    processes = [start(SHARE, tmp_path, log, p) for p in range(8)]

    def wait_for(n_lines):
        while log.read_bytes().count(b"\n") < n_lines and any(p.poll() is None for p in processes):
            time.sleep(0.0005)

    wait_for(8)
    rng = random.Random(seed)
    killed = rng.sample(range(8), 4)
    for p, n_lines in zip(killed, sorted(rng.sample(range(20, 700), 4)), strict=True):
        wait_for(n_lines)
        time.sleep(rng.random() * 0.002)
        processes[p].kill()
        processes[p].communicate()
    finish([process for p, process in enumerate(processes) if p not in killed])

    buyers, putters = defaultdict(list), defaultdict(list)
    for line in log.read_text().splitlines():
        what, p, i = line.split()
        {"ready": defaultdict(list), "buy": buyers, "put": putters}[what][int(i)].append(int(p))
    with open_store(tmp_path, "store") as store:
        found = store.get(keys(400))
        assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(found) == 400
    for i, key in enumerate(keys(400)):
        *given_up, last = buyers[i]
        assert set(given_up) <= set(killed)  # bought again only where a kill came between the buying and the storing
        assert len(given_up) == len(set(given_up))
        assert putters[i] in ([last], [])
        assert found[key] == str(last).encode()
    assert sum(map(len, buyers.values())) <= 400 + len(killed)


# --- filling -----------------------------------------------------------------------------------

FILL = """
import sys, time
from sklearn_sae.utils.store import digest, fill, open_store
folder, log = sys.argv[1:]
def compute(some):
    for i in (names[key] for key in some):
        time.sleep(0.002)
        open(log, "a").write(f"{i}\\n")
    store.put((key, b"v") for key in some)
names = {digest("key", str(i)): i for i in range(30)}
with open_store(folder, "store") as store:
    fill(store, names, compute, chunk_size=4)
    assert store.stored(names) == set(names)
"""


def test_what_many_processes_fill_is_computed_once(tmp_path):
    log = tmp_path / "log"
    finish([start(FILL, tmp_path, log) for _ in range(4)])
    assert sorted(map(int, log.read_text().split())) == list(range(30))


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize("chunk_size", [None, 1, 4, 100])
def test_each_key_is_found_or_computed(tmp_path, where, chunk_size):
    some = keys(23)
    chunks, found = [], []
    with open_store(None if where == "memory" else tmp_path, "store") as store:
        store.put((key, b"old") for key in some[5:9])

        def compute(chunk):
            chunks.append(chunk)
            store.put((key, b"new") for key in chunk)

        fill(store, [*some, *some[::-1]], compute, chunk_size=chunk_size, on_progress=found.append)
        assert store.get(some) == {key: b"old" if key in some[5:9] else b"new" for key in some}
        fill(store, some, compute, on_progress=found.append)
        fill(store, [], compute, on_progress=found.append)
    assert [key for chunk in chunks for key in chunk] == some[:5] + some[9:]
    assert max(map(len, chunks)) <= (chunk_size or 23)
    assert sorted(key for some in found for key in some) == sorted([*some[5:9], *some])


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_is_not_put_is_computed_once_and_then_free_for_others(tmp_path, where):
    some, chunks = keys(9), []
    with open_store(None if where == "memory" else tmp_path, "store") as store:

        def compute(chunk):
            chunks.append(chunk)
            store.put((key, b"v") for key in chunk[1:])

        fill(store, some, compute, chunk_size=3)
        assert store.stored(some) == set(some) - set(some[::3])
        fill(store, some, compute, chunk_size=3)
    assert chunks == [some[:3], some[3:6], some[6:], some[:1], some[3:4], some[6:7]]


def test_an_error_while_computing_leaves_nothing_claimed(tmp_path):
    with open_store(tmp_path, "store") as store:
        with pytest.raises(ZeroDivisionError):
            fill(store, keys(3), lambda some: 1 // 0)
        assert not list(tmp_path.glob("*.lock"))
        with store.claims() as claims:
            assert claims.take(keys(3)) == set(keys(3))


def test_without_a_lock_work_goes_on(tmp_path, monkeypatch):
    for attempt in ("no database", "a folder"):
        monkeypatch.setattr("secrets.token_hex", lambda n, name=attempt: name)
        lock = tmp_path / f"store.claims-{attempt}.lock"
        lock.mkdir() if attempt == "a folder" else lock.write_bytes(b"not a database at all, " * 500)
        with open_store(tmp_path, "store") as store:
            key = digest(attempt)
            fill(store, [key], lambda some, store=store: store.put((key, b"v") for key in some))
            assert store.get([key]) == {key: b"v"}


def test_what_a_killed_process_was_computing_is_computed_here(tmp_path):
    code = """
import sys, time
from sklearn_sae.utils.store import digest, fill, open_store
def compute(some):
    print("computing", flush=True)
    time.sleep(60)
with open_store(sys.argv[1], "store") as store:
    fill(store, [digest("key", str(i)) for i in range(2)], compute)
"""
    process = start(code, tmp_path)
    assert process.stdout.readline() == "computing\n"
    computed = []
    with open_store(tmp_path, "store") as store:

        def compute(some):
            computed.append(some)
            if some == [keys(3)[2]]:  # the one that is free while the others are claimed
                process.kill()
                process.communicate()

        fill(store, keys(3), compute)
    assert computed == [keys(3)[2:], keys(2)]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_wait_for_another_process_ends_at_ctrl_c(tmp_path):
    with open_store(tmp_path, "store") as store, store.claims() as claims:
        claims.take(keys(1))
        code = """
import sys
from sklearn_sae.utils.store import digest, fill, open_store
with open_store(sys.argv[1], "store") as store:
    print("waiting", flush=True)
    fill(store, [digest("key", "0")], print)
"""
        process = start(code, tmp_path)
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=10)
    assert out == ""
    assert errors.endswith("KeyboardInterrupt\n")


# --- what can go wrong -------------------------------------------------------------------------


def killed_while_it_wrote(folder, n):
    """Leave a store as a kill after `n` puts leaves it; return how long the log was after each."""
    code = """
import os, sys
from sklearn_sae.utils.store import digest, open_store
folder, n = sys.argv[1:]
with open_store(folder, "store") as store:
    for i in range(int(n)):
        store.put([(digest("key", str(i)), str(i).encode() * 30)])
        print(os.path.getsize(f"{folder}/store.sqlite-wal"), flush=True)
    os.kill(os.getpid(), 9)
"""
    return list(map(int, start(code, folder, n).communicate()[0].split()))


@pytest.mark.skipif(sys.platform == "win32", reason="no such kill")
@pytest.mark.parametrize("how", ["cut", "scribbled"])
def test_a_torn_log_costs_only_what_follows_the_tear(tmp_path, how):
    n = 150
    ends = killed_while_it_wrote(tmp_path / "whole", n)
    assert len(ends) == n
    whole, log = ((tmp_path / "whole" / name).read_bytes() for name in ("store.sqlite", "store.sqlite-wal"))
    assert len(log) == ends[-1]
    rng = random.Random(0)
    for attempt, tear in enumerate([0, 31, 32, ends[-1] - 1, *rng.choices(range(len(log)), k=30)]):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        (folder / "store.sqlite").write_bytes(whole)
        tail = rng.randbytes(len(log) - tear) if how == "scribbled" else b""
        (folder / "store.sqlite-wal").write_bytes(log[:tear] + tail)
        before = sum(end <= tear for end in ends)
        with open_store(folder, "store") as store:
            found = store.get(keys(n))
            assert found == {key: str(i).encode() * 30 for i, key in enumerate(keys(before))}
            store.put((key, b"again") for key in keys(n))
            assert len(store.get(keys(n))) == n
            assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


N_ROWS = 6000
PAGE = 4096
TABLE_LEAF = 13  # first byte of the page, by SQLite's file format; of the two kinds of index page: 10 and 2


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    with open_store(path, "store") as store:
        store.put((key, key * 3) for key in keys(N_ROWS))
    return (path / "store.sqlite").read_bytes()


def damage(folder, content, pages):
    content = bytearray(content)
    for page in pages:
        content[page * PAGE : (page + 1) * PAGE] = random.Random(page).randbytes(PAGE)
    folder.mkdir(exist_ok=True)
    (folder / "store.sqlite").write_bytes(content)
    return bytes(content)


def pages_of(content, *kinds):
    return [page for page in range(3, len(content) // PAGE) if content[page * PAGE] in kinds]


def get_with_rescue(folder, some):
    """Return what is found and the number of rows that the warning names, None without one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with open_store(folder, "store") as store:
            found = store.get(some)
            assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    messages = [str(w.message) for w in caught if w.category is RuntimeWarning]
    assert len(messages) <= 1
    return found, int(messages[0].split(": ")[1].split()[0]) if messages else None


def test_damaged_rows_cost_no_others(tmp_path, whole_store):
    leaves = pages_of(whole_store, TABLE_LEAF)
    rng = random.Random(0)
    for attempt, bad in enumerate(
        [leaves[:1], leaves[-1:], leaves[40:43], rng.sample(leaves, 5), rng.sample(leaves, 9)]
    ):
        folder = tmp_path / str(attempt)
        damaged = damage(folder, whole_store, bad)
        found, n_rescued = get_with_rescue(folder, keys(N_ROWS))
        assert len(found) == n_rescued
        n_lost = sum(int.from_bytes(whole_store[page * PAGE + 3 : page * PAGE + 5], "big") for page in bad)
        assert len(found) == N_ROWS - n_lost
        assert all(value == key * 3 for key, value in found.items())
        with closing(sqlite3.connect(folder / "store.damaged-1.sqlite")) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
        content = (folder / "store.damaged-1.sqlite").read_bytes()
        assert all(content[page * PAGE : (page + 1) * PAGE] == damaged[page * PAGE : (page + 1) * PAGE] for page in bad)
        again, n_rescued = get_with_rescue(folder, keys(N_ROWS))
        assert again == found
        assert n_rescued is None  # once
    assert sorted(path.name for path in folder.iterdir()) == ["store.damaged-1.sqlite", "store.sqlite"]


def test_a_damaged_index_costs_no_row(tmp_path, whole_store):
    damage(tmp_path, whole_store, [2, *pages_of(whole_store, 10, 2)])  # page 2 is its root
    found, n_rescued = get_with_rescue(tmp_path, keys(N_ROWS))
    assert found == {key: key * 3 for key in keys(N_ROWS)}
    assert n_rescued == N_ROWS


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_a_store_that_was_cut(tmp_path, whole_store, share):
    (tmp_path / "store.sqlite").write_bytes(whole_store[: int(len(whole_store) * share) + 77])
    found, n_rescued = get_with_rescue(tmp_path, keys(N_ROWS))
    assert len(found) == n_rescued
    assert (share - 0.1) * N_ROWS < len(found) < N_ROWS
    assert all(value == key * 3 for key, value in found.items())


def test_a_put_and_a_replace_rescue_too(tmp_path, whole_store):
    for write in (Store.put, Store.replace):
        folder = tmp_path / write.__name__
        damage(folder, whole_store, pages_of(whole_store, 10))
        with open_store(folder, "store") as store, pytest.warns(RuntimeWarning, match=f"{N_ROWS} values could be read"):
            write(store, ((digest("new", str(i)), b"v") for i in range(1000)))
        with open_store(folder, "store") as store:
            assert len(store.get(digest("new", str(i)) for i in range(1000))) == 1000


def test_no_damage_gives_a_wrong_value(tmp_path, whole_store):
    rng = random.Random(1)
    n_rescued = 0
    for attempt in range(30):
        folder = tmp_path / str(attempt)
        damage(folder, whole_store, rng.sample(range(1, len(whole_store) // PAGE), rng.choice([1, 5, 50])))
        try:
            found, n = get_with_rescue(folder, keys(N_ROWS))
        except OSError:  # where nothing can be read
            assert not list(folder.glob("*damaged*"))
        else:
            n_rescued += n is not None
            assert all(value == key * 3 for key, value in found.items())
    assert n_rescued > 20


READ = """
import sys
from sklearn_sae.utils.store import digest, open_store
print("ready", flush=True)
with open_store(sys.argv[1], "store") as store:
    store.get(digest("key", str(i)) for i in range(6000))
"""


def test_many_processes_find_the_damage_at_once(tmp_path, whole_store):
    damage(tmp_path, whole_store, pages_of(whole_store, 10)[::2] + pages_of(whole_store, TABLE_LEAF)[10:12])
    code = """
import sys, warnings
from sklearn_sae.utils.store import digest, open_store
folder, me = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with open_store(folder, "store") as store:
        for i in range(200):
            store.put([(digest(me, str(i)), b"new")])
            store.get(digest("key", str(j)) for j in range(i, 6000, 200))
print(*[w.message for w in caught], sep="\\n")
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path, str(p)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for p in range(6)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    messages = []
    for process in processes:
        out, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        messages += [line for line in out.splitlines() if line]
    assert len(messages) == 1, messages
    assert "is damaged" in messages[0]
    assert len(list(tmp_path.glob("*damaged*"))) == 1
    with open_store(tmp_path, "store") as store:
        assert len(store.get(keys(N_ROWS))) > 0.95 * N_ROWS
        for p in range(6):
            assert len(store.get(digest(str(p), str(i)) for i in range(200))) == 200
        assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_rescue_keeps_what_another_is_writing(tmp_path, whole_store):
    damage(tmp_path, whole_store, pages_of(whole_store, TABLE_LEAF)[10:12])
    with open_store(tmp_path, "store") as store, closing(sqlite3.connect(tmp_path / "store.sqlite")) as other:
        other.execute("INSERT INTO store VALUES (?, ?)", (b"k" * 32, b"new"))  # not yet committed
        process = start(READ, tmp_path)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)  # it has found the damage by now
        other.commit()
        finish([process])
        assert store.get([b"k" * 32]) == {b"k" * 32: b"new"}
    assert len(list(tmp_path.glob("*damaged*"))) == 1


def test_what_another_has_rescued_is_left_alone(tmp_path, whole_store):
    damage(tmp_path, whole_store, [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rescue(tmp_path / "store.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["store.sqlite"]


def test_a_rescue_that_is_killed_is_done_by_the_next(tmp_path, whole_store):
    bad = pages_of(whole_store, TABLE_LEAF)[50]
    rng = random.Random(0)
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        damage(folder, whole_store, [bad])
        process = start(READ, folder)
        process.stdout.readline()
        time.sleep(rng.random() * 0.06)  # the rescue takes about as long
        process.kill()
        process.communicate()
        found, _ = get_with_rescue(folder, keys(N_ROWS))
        assert len(found) == N_ROWS - int.from_bytes(whole_store[bad * PAGE + 3 : bad * PAGE + 5], "big")


def test_a_rescue_without_room_is_none(tmp_path, whole_store):
    damage(tmp_path, whole_store, pages_of(whole_store, TABLE_LEAF)[10:12])
    before = (tmp_path / "store.sqlite").read_bytes()
    code = """
import resource, sys
from sklearn_sae.utils.store import digest, open_store
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    with open_store(sys.argv[1], "store") as store:
        store.get(digest("key", str(i)) for i in range(6000))
except OSError as error:
    assert "move it away" in str(error), error
else:
    raise AssertionError
"""
    finish([start(code, tmp_path)])
    assert (tmp_path / "store.sqlite").read_bytes() == before
    found, n_rescued = get_with_rescue(tmp_path, keys(N_ROWS))
    assert len(found) == n_rescued > 0.9 * N_ROWS


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"not a database at all, " * 500)
    with pytest.raises(OSError, match=r"store\.sqlite is corrupt .*; move it away"), open_store(tmp_path, "store"):
        pass


def test_a_store_of_another_kind(tmp_path):
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("CREATE TABLE store (something TEXT)")
    connection.close()
    with open_store(tmp_path, "store") as store, pytest.raises(OSError, match="cannot be read"):
        store.get(keys(1))


def test_a_store_that_is_damaged_in_the_middle(tmp_path):
    with open_store(tmp_path, "store") as store:
        store.put((key, key * 20) for key in keys(2000))
    path = tmp_path / "store.sqlite"
    content = bytearray(path.read_bytes())
    content[4096:-4096] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with open_store(tmp_path, "store") as store, pytest.raises(OSError, match=r"cannot be read .*; move it away"):
        store.get(keys(2000))


def test_a_folder_without_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="cache_dir is empty; pass a folder"), open_store("", "store"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match=r"Cannot make the cache folder .* pass another cache_dir, or None"),
        open_store(tmp_path / "file" / "cache", "store"),
    ):
        pass
    (tmp_path / "store.sqlite").mkdir()
    with pytest.raises(OSError, match="Cannot use the cache file"), open_store(tmp_path, "store"):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="Cannot use the cache file"), open_store(tmp_path, "store"):
        pass


FULL = """
import resource, sys, warnings
from sklearn_sae.utils.store import digest, fill, open_store
keys = [digest(str(i)) for i in range(300)]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with open_store(sys.argv[1], "store") as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # from here on the disk is full
        fill(store, keys, lambda some: store.put((key, key * 100) for key in some), chunk_size=1)
        assert store.get(keys) == {key: key * 100 for key in keys}
messages = [str(w.message) for w in caught]
assert len(messages) == 1 and "Cannot write to the cache file" in messages[0], messages
"""


def test_a_full_disk_warns_once_and_goes_on(tmp_path):
    finish([start(FULL, tmp_path)])
    with open_store(tmp_path, "store") as store:  # what was written is whole
        found = store.get(keys_of_full := [digest(str(i)) for i in range(300)])
        assert 0 < len(found) < 300
        assert all(value == key * 100 for key, value in found.items())
        store.put((key, key * 100) for key in keys_of_full)
        assert len(store.get(keys_of_full)) == 300


def test_a_disk_that_is_full_from_the_start(tmp_path):
    code = """
import resource, sys
from sklearn_sae.utils.store import open_store
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    with open_store(sys.argv[1], "store"):
        pass
except OSError as error:
    assert "pass another cache_dir" in str(error), error
else:
    raise AssertionError
"""
    finish([start(code, tmp_path)])


def test_values_are_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os._exit, (1,))

    value = pickle.dumps(Bomb())
    with open_store(tmp_path, "store") as store:
        store.put([(b"k" * 32, value)])
        assert store.get([b"k" * 32]) == {b"k" * 32: value}
