"""Arrays in temporary files."""

import gc
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest

from sklearn_sae.utils._on_disk import write_to_disk


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64])
def test_chunks_become_one_array_that_cannot_be_written_to(dtype):
    whole = np.arange(60, dtype=dtype).reshape(20, 3)
    array = write_to_disk(iter([whole[:7], whole[7:7], whole[7:].copy(order="F")]))
    np.testing.assert_array_equal(array, whole)
    assert array.dtype == dtype
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)), whole)


def test_no_file_is_left(tmp_path):
    array = write_to_disk([np.ones((4, 2))])
    part = array[2:]
    del array
    gc.collect()
    assert part.sum() == 4
    del part
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ([np.ones((2, 3)), np.ones((2, 4))], "must be alike"),
        ([np.ones((2, 3)), np.ones((2, 3), np.float32)], "must be alike"),
        ([], "found 0 rows"),
        ([np.ones((0, 3))], "found 0 rows"),
    ],
)
def test_what_is_no_array_is_refused_and_leaves_no_file(chunks, error, tmp_path):
    with pytest.raises(ValueError, match=error):
        write_to_disk(chunks)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda prefix: Path("/dev/full").open("w+b"))  # noqa: SIM115
    with pytest.raises(OSError, match="is full; set the variable TMPDIR"):
        write_to_disk([np.ones((4, 2))])
