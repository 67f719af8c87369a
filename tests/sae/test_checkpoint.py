"""A fit that was killed goes on where it was and ends in the same bits."""

import errno
import signal
import subprocess
import sys

import numpy as np
import pytest

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae import _checkpoint

FIT = """
import sys
import numpy as np
from sklearn_sae import TopKSAETransformer
X = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
params = dict(
    n_components=16, k=2, sparsity="batch_topk", batch_size=16, max_epochs=60, patience=None, random_state=3
)
sae = TopKSAETransformer(**params)
"""


KILLED = """
import os, signal
from sklearn_sae.sae import _checkpoint
save, saves = _checkpoint.Checkpoint.save, []
def save_and_die(self, arrays):
    save(self, arrays)
    saves.append(1)
    if len(saves) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
_checkpoint.Checkpoint.save = save_and_die
sae.set_params(checkpoint_dir=sys.argv[1]).fit(X)
"""


@pytest.mark.slow
def test_a_killed_fit_goes_on_and_ends_in_the_same_bits(tmp_path, monkeypatch):
    process = subprocess.run([sys.executable, "-c", FIT + KILLED, str(tmp_path)], check=False)
    assert process.returncode == -signal.SIGKILL
    (stored,) = tmp_path.glob("*.npz")
    with np.load(stored, allow_pickle=False) as arrays:
        n_done = len(arrays["history"])
        of_the_best = {name for name in arrays if name.startswith("best.")}
    assert n_done == 7
    weights = {"best.encoder_weight", "best.encoder_bias", "best.components", "best.bias"}
    assert of_the_best == weights | {"best.threshold_sum", "best.threshold_weight"}  # and no moments of the optimizer

    names = {}
    exec(FIT, names)
    whole, resumed = names["sae"], TopKSAETransformer(**names["params"], checkpoint_dir=tmp_path)
    saves, save = [], _checkpoint.Checkpoint.save
    monkeypatch.setattr(_checkpoint.Checkpoint, "save", lambda self, arrays: saves.append(1) or save(self, arrays))
    whole.fit(names["X"])
    resumed.fit(names["X"])
    assert len(saves) == 60 - n_done
    for name in ("components_", "encoder_weight_", "encoder_bias_", "bias_", "density_"):
        assert getattr(whole, name).tobytes() == getattr(resumed, name).tobytes(), name
    assert whole.threshold_ == resumed.threshold_
    assert whole.history_ == resumed.history_
    assert not list(tmp_path.glob("*.npz"))


class Stop(Exception):
    """Stands for whatever ends a process."""


def stop_after(n_epochs, monkeypatch):
    """Let the next fit stop after so many saved epochs."""
    save, count = _checkpoint.Checkpoint.save, []

    def save_and_stop(self, arrays):
        save(self, arrays)
        count.append(1)
        if len(count) == n_epochs:
            raise Stop

    monkeypatch.setattr(_checkpoint.Checkpoint, "save", save_and_stop)


def sae(folder=None, **params):
    defaults = {"n_components": 16, "k": 2, "max_epochs": 8, "random_state": 0}
    return TopKSAETransformer(**defaults | params, checkpoint_dir=folder)


@pytest.mark.parametrize(
    "params", [{"random_state": None}, {"patience": 2, "learning_rate": 0.05}, {"target_weight": 1}]
)
def test_an_interrupted_fit_goes_on(X, tmp_path, monkeypatch, params):
    y = X[:, 0]
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(Stop):
            sae(tmp_path, **params).fit(X, y)
    resumed = sae(tmp_path, **params).fit(X, y)
    assert [row["epoch"] for row in resumed.history_] == list(range(1, resumed.n_iter_ + 1))
    if "random_state" not in params:
        whole = sae(**params).fit(X, y)
        assert whole.history_ == resumed.history_
        assert whole.components_.tobytes() == resumed.components_.tobytes()


def test_another_fit_is_not_taken_up(X, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(Stop):
            sae(tmp_path).fit(X)
    (stored,) = tmp_path.glob("*.npz")
    for other, rows in (
        (sae(tmp_path, k=3), X),
        (sae(tmp_path, random_state=1), X),
        (sae(tmp_path), X[1:]),
        (sae(tmp_path), X[::-1]),
    ):
        other.fit(rows)
        expected = other.set_params(checkpoint_dir=None).fit(rows)
        assert other.history_ == expected.history_
        assert stored.exists()
    sae(tmp_path, verbose=False).fit(X)
    assert not stored.exists()


def test_two_threads_write_under_two_names(tmp_path, monkeypatch):
    written, replace = [], _checkpoint.os.replace
    monkeypatch.setattr(_checkpoint.os, "replace", lambda part, path: written.append(part) or replace(part, path))
    for _ in range(2):
        _checkpoint.Checkpoint(tmp_path, "same run").save({"a": np.zeros(1)})
    assert written[0] != written[1]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_fit_that_diverges_leaves_no_checkpoint(X, tmp_path):
    with pytest.raises(ValueError, match="diverged at epoch 1"):
        sae(tmp_path, learning_rate=1e30).fit(X)
    assert not list(tmp_path.iterdir())


def test_a_corrupt_checkpoint_is_named(X, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(Stop):
            sae(tmp_path).fit(X)
    (stored,) = tmp_path.glob("*.npz")
    for damaged in (stored.read_bytes()[:1000], b"nonsense", b""):
        stored.write_bytes(damaged)
        with pytest.raises(OSError, match=r"checkpoint .* is corrupt.*delete it"):
            sae(tmp_path).fit(X)


def test_a_checkpoint_that_cannot_be_written_is_named(X, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Cannot use the checkpoint .* pass another checkpoint_dir"):
        sae(tmp_path / "file").fit(X)


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(X, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_checkpoint.os, "replace", full)
    with pytest.warns(RuntimeWarning, match="No space left on device.*training goes on without it"):
        fitted = sae(tmp_path).fit(X)
    assert fitted.components_.tobytes() == sae().fit(X).components_.tobytes()
    assert not list(tmp_path.iterdir())
