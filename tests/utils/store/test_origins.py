"""Of which model stored values are, and from when."""

import time

import pytest

from sklearn_sae.utils.store import digest, open_store
from sklearn_sae.utils.store._survey import survey

KEYS = [digest(str(i)) for i in range(3000)]


def put(folder, model, keys, size=100):
    with open_store(folder, "store", model=model) as store:
        for start in range(0, len(keys), 7):
            store.put((key, bytes(size)) for key in keys[start : start + 7])


def test_models_and_times(tmp_path):
    begin = int(time.time())
    put(tmp_path, "a", KEYS[:2000])
    put(tmp_path, "b", KEYS[2000:], size=10)
    put(tmp_path, None, [digest("nameless")], size=1)
    a, b, nameless = survey(tmp_path / "store.sqlite")
    assert (a.model, a.n, a.n_bytes) == ("a", 2000, 200_000)
    assert (b.model, b.n, b.n_bytes) == ("b", 1000, 10_000)
    assert begin <= a.oldest <= a.newest <= b.newest <= time.time()
    assert nameless == ("unknown", 1, 1, None, None)


def test_what_was_dropped_counts_no_more(tmp_path):
    put(tmp_path, "a", KEYS[:20])
    with open_store(tmp_path, "store") as store:
        store.drop(KEYS[:15])
    put(tmp_path, "b", KEYS[:3])
    assert {part.model: part.n for part in survey(tmp_path / "store.sqlite")} == {"a": 5, "b": 3}


def test_a_rescue_keeps_what_is_known(tmp_path):
    put(tmp_path, "a", KEYS)
    path = tmp_path / "store.sqlite"
    content = bytearray(path.read_bytes())
    leaf = next(page for page in range(60, len(content) // 4096) if content[page * 4096] == 13)
    content[leaf * 4096 : (leaf + 1) * 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"is corrupt .*; delete it, or let a run that uses it rescue"):
        survey(path)
    with (
        pytest.warns(RuntimeWarning, match="values could be read and are kept"),
        open_store(tmp_path, "store") as store,
    ):
        found = store.get(KEYS)
    assert 2500 < len(found) < 3000
    assert {part.model: part.n for part in survey(path)} == {"a": len(found)}
