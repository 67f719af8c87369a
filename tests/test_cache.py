"""The store on disk: by one process or many, whole or damaged, on a full disk, through a kill."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae._cache import digest, open_store


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
        with open_store(cache_dir, "store") as store:
            store.put(items.items())
            assert store.get(items) == items


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
from sklearn_sae._cache import digest, open_store
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
from sklearn_sae._cache import open_store
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


TURNS = """
import sys, time
from sklearn_sae._cache import digest, open_store
folder, log = sys.argv[1:]
with open_store(folder, "store") as store:
    for i in range(30):
        with store.turn("work"):
            if not store.get([digest(str(i))]):
                time.sleep(0.002)
                open(log, "a").write(f"{i}\\n")
                store.put([(digest(str(i)), b"v")])
"""


def test_in_turns_nothing_is_done_twice(tmp_path):
    log = tmp_path / "log"
    finish([start(TURNS, tmp_path, log) for _ in range(4)])
    assert sorted(map(int, log.read_text().split())) == list(range(30))


def test_turns_of_two_names_do_not_wait_for_each_other(tmp_path):
    with open_store(tmp_path, "store") as a, open_store(tmp_path, "store") as b, a.turn("one"), b.turn("two"):
        pass


def test_without_a_lock_work_goes_on(tmp_path):
    (tmp_path / "store.one.lock").write_bytes(b"not a database at all, " * 500)
    (tmp_path / "store.two.lock").mkdir()
    with open_store(tmp_path, "store") as store, store.turn("one"), store.turn("two"):
        store.put([(b"k" * 32, b"v")])
        assert store.get([b"k" * 32]) == {b"k" * 32: b"v"}


def test_the_turn_of_a_killed_process_ends(tmp_path):
    code = """
import sys, time
from sklearn_sae._cache import open_store
with open_store(sys.argv[1], "store") as store, store.turn("work"):
    print("mine", flush=True)
    time.sleep(60)
"""
    process = start(code, tmp_path)
    assert process.stdout.readline() == "mine\n"
    process.kill()
    process.communicate()
    with open_store(tmp_path, "store") as store, store.turn("work"):
        pass


def test_a_store_is_used_from_a_forked_process_of_its_own(tmp_path):
    code = """
import os, sys
from sklearn_sae._cache import digest, open_store
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
from sklearn_sae._cache import digest, open_store
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


# --- what can go wrong -------------------------------------------------------------------------


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
from sklearn_sae._cache import digest, open_store
keys = [digest(str(i)) for i in range(300)]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with open_store(sys.argv[1], "store") as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # from here on the disk is full
        for key in keys:
            with store.turn("work"):
                store.put([(key, key * 100)])
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
from sklearn_sae._cache import open_store
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
