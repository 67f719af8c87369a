"""One autoencoder trained by two processes is that of one process."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_sae import TopKSAETransformer
from sklearn_sae.sae._checkpoint import open_checkpoint

PAGE = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"

VARIANTS = {
    "topk": {},
    "batch_topk": {"sparsity": "batch_topk"},
    "matryoshka": {"matryoshka_prefixes": (20, 50, 101)},
    "multi": {"multi_weight": 0.1},
    "signed": {"signed": True},
    "signed_batch_topk": {"signed": True, "sparsity": "batch_topk", "dead_after": 3},
    "dead": {"dead_after": 3, "aux_weight": 0.5},
    "target": {"target_weight": 0.5},
}
PARAMS = {"n_components": 101, "k": 5, "max_epochs": 3, "batch_size": 128, "random_state": 0}  # 101 is odd: 51 and 50
DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = np.maximum(rng.standard_normal((1500, 64)), 1) + 0.1 * rng.standard_normal((1500, 64))
X, y = X.astype(np.float32), X[:, 0] + rng.standard_normal(1500)
"""


@pytest.fixture(scope="module")
def rows():
    names = {}
    exec(DATA, names)
    return names["X"], names["y"]


def start(script, folder, *arguments, rank=0, n_processes=2):
    """Start one of the processes of a group that meets at a file."""
    meeting = {"RANK": str(rank), "WORLD_SIZE": str(n_processes), "OMP_NUM_THREADS": "1"}
    begin = """
    import os, sys
    import torch.distributed as dist
    from sklearn_sae import TopKSAETransformer
    address = {"init_method": f"file://{sys.argv[1]}/meeting", "rank": int(os.environ["RANK"])}
    dist.init_process_group("gloo", **address, world_size=int(os.environ["WORLD_SIZE"]))
    """
    code = textwrap.dedent(begin) + DATA + textwrap.dedent(script)
    command = [sys.executable, "-c", code, str(folder), *map(str, arguments)]
    return subprocess.Popen(
        command, env=os.environ | meeting, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end(processes, timeout=120):
    """Return the exit status and what was said of each."""
    said = [process.communicate(timeout=timeout)[1] for process in processes]
    return [process.returncode for process in processes], said


@pytest.mark.slow
def test_two_processes_train_what_one_trains(rows, tmp_path):
    script = f"""
    params, variants = {PARAMS!r}, {VARIANTS!r}
    for name, more in variants.items():
        sae = TopKSAETransformer(**params | more).fit(X, y)
        history = [[row["train_loss"], row["validation_loss"], row["dead_fraction"]] for row in sae.history_]
        kept = {{name: getattr(sae, name) for name in ("components_", "bias_", "density_", "threshold_")}}
        np.savez(f"{{sys.argv[1]}}/{{name}}-{{dist.get_rank()}}.npz", history=history, **kept)
    dist.destroy_process_group()
    """
    status, said = end([start(script, tmp_path, rank=rank) for rank in range(2)])
    assert status == [0, 0], said
    for name, more in VARIANTS.items():
        alone = TopKSAETransformer(**PARAMS | more).fit(*rows)
        first, second = (np.load(tmp_path / f"{name}-{rank}.npz") for rank in range(2))
        for array in first:
            np.testing.assert_array_equal(first[array], second[array])  # each has the whole result
        expected = [[row["train_loss"], row["validation_loss"], row["dead_fraction"]] for row in alone.history_]
        # The first pass differs by rounding only; later ones may choose another neuron where two are nearly equal.
        np.testing.assert_allclose(first["history"][0], expected[0], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(first["history"], expected, rtol=5e-3, err_msg=name)
        close = np.isclose(first["components_"], alone.components_, atol=1e-4).all(axis=1)
        assert close.mean() > 0.9, name
        np.testing.assert_allclose(first["threshold_"], alone.threshold_, rtol=1e-3)
        assert first["density_"].shape == (101,)
        assert abs(first["density_"].sum() - alone.density_.sum()) < 0.05


CHECKPOINT = {"n_components": 64, "k": 4, "max_epochs": 40, "patience": None, "batch_size": 64, "random_state": 3}
FIT = f"""
sae = TopKSAETransformer(**{CHECKPOINT!r}, checkpoint_dir=sys.argv[2])
sae.fit(X)
np.savez(f"{{sys.argv[1]}}/fitted-{{dist.get_rank()}}.npz", components=sae.components_, epochs=len(sae.history_))
dist.destroy_process_group()
"""
# The second process ends as if by a kill -9 in its seventh epoch.
DIE = """
from sklearn_sae.sae import _training
one_epoch, n_begun = _training.one_epoch, []
def die_in_the_seventh(*args, **options):
    n_begun.append(1)
    if len(n_begun) == 7 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), 9)
    return one_epoch(*args, **options)
_training.one_epoch = die_in_the_seventh
"""


@pytest.mark.slow
def test_a_process_that_dies_ends_the_others_and_the_fit_goes_on_from_the_checkpoint(rows, tmp_path):
    checkpoints = tmp_path / "checkpoints"
    (lost := tmp_path / "lost").mkdir()
    status, said = end([start(DIE + FIT, lost, checkpoints, rank=rank) for rank in range(2)])
    assert status == [1, -signal.SIGKILL]
    assert (
        "ConnectionError: The fit ended in epoch 7, because another process of the torch.distributed group" in said[0]
    )
    assert said[0].rstrip().endswith("fit again to go on from the last whole epoch.")
    (stored,) = checkpoints.glob("*.npz")
    with np.load(stored) as arrays:
        assert len(arrays["history"]) == 6
        assert arrays["state.components"].shape == (64, 64)  # that of both processes

    (again := tmp_path / "again").mkdir()
    status, said = end([start(FIT, again, checkpoints, rank=rank) for rank in range(2)])
    assert status == [0, 0], said
    resumed = np.load(again / "fitted-1.npz")
    alone = TopKSAETransformer(**CHECKPOINT).fit(rows[0])
    assert resumed["epochs"] == 40
    assert np.isclose(resumed["components"], alone.components_, atol=1e-3).all(axis=1).mean() > 0.9
    assert not list(checkpoints.glob("*.npz"))


@pytest.mark.slow
def test_processes_that_round_differently_stop_in_the_same_epoch(tmp_path):
    # As on processors of two kinds: the second computes losses that differ, here by up to a percent.
    script = """
    from sklearn_sae.sae import _training
    compute_loss, noise = _training.compute_loss, np.random.default_rng(7)
    def rounded(*args, **options):
        loss = compute_loss(*args, **options)
        return loss._replace(fit=loss.fit * (1 + 0.01 * noise.random()))
    if os.environ["RANK"] == "1":
        _training.compute_loss = rounded
    sae = TopKSAETransformer(16, 2, max_epochs=40, patience=1, random_state=0).fit(X)
    np.savez(f"{sys.argv[1]}/fitted-{dist.get_rank()}.npz", components=sae.components_, losses=[
        [row["train_loss"], row["validation_loss"]] for row in sae.history_
    ])
    dist.destroy_process_group()
    """
    status, said = end([start(script, tmp_path, rank=rank) for rank in range(2)])
    assert status == [0, 0], said
    first, second = (np.load(tmp_path / f"fitted-{rank}.npz") for rank in range(2))
    assert len(first["losses"]) < 40
    for name in ("losses", "components"):
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.slow
def test_processes_that_round_differently_start_from_the_same_neurons(tmp_path):
    # Rows that vary alike along all axes have no principal components of their own, so that rounding decides.
    script = """
    rng = np.random.default_rng(dist.get_rank())
    turn = np.linalg.qr(rng.standard_normal((20, 20)))[0].astype(np.float32)
    from sklearn_sae.sae import _initialization
    rotated, starts = _initialization.rotated_components, []
    def turned(rows, n, **options):
        starts.append(rotated(rows @ turn, n, **options) @ turn.T)
        return starts[-1]
    _initialization.rotated_components = turned
    X = np.repeat(np.eye(20, dtype=np.float32), 25, axis=0)
    params = {"max_epochs": 1, "learning_rate": 1e-12, "validation_fraction": None, "random_state": 0}
    sae = TopKSAETransformer(16, 1, **params).fit(X)
    np.savez(f"{sys.argv[1]}/{dist.get_rank()}.npz", fitted=sae.components_, start=starts[0])
    dist.destroy_process_group()
    """
    status, said = end([start(script, tmp_path, rank=rank) for rank in range(2)])
    assert status == [0, 0], said
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in range(2))
    assert not np.allclose(first["start"], second["start"], atol=0.1)
    for one in (first, second):
        np.testing.assert_allclose(one["fitted"], first["start"], atol=1e-4)


@pytest.mark.slow
def test_what_fails_in_one_process_before_training_ends_the_fit_of_all(tmp_path):
    script = """
    import pathlib
    rank, said = dist.get_rank(), []
    folder = pathlib.Path(sys.argv[1])
    (folder / "file").write_text("")
    os.chdir(folder)
    if rank == 1:
        (folder / "elsewhere").mkdir()
        os.chdir(folder / "elsewhere")  # where the folder of checkpoints is a file
        pathlib.Path("checkpoints").write_text("")
    params = {"max_epochs": 1, "random_state": np.random.RandomState(0)}
    for checkpoint_dir in ("checkpoints", None):  # None shows that the group works on
        try:
            TopKSAETransformer(16, 2, checkpoint_dir=checkpoint_dir, **params).fit(X)
            said.append("fitted")
        except OSError as error:
            said.append(f"{type(error).__name__}: {error}")
    print(*said, sep="\\n", file=sys.stderr)
    dist.destroy_process_group()
    """
    status, said = end([start(script, tmp_path, rank=rank) for rank in range(2)])
    assert status == [0, 0], said
    first, second = ([line for line in lines.splitlines() if "Warning" not in line][-2:] for lines in said)
    assert first[0].startswith("ConnectionError: process 1 of the torch.distributed group failed: OSError: Cannot use")
    assert second[0].startswith("OSError: Cannot use the checkpoint")
    assert first[1] == second[1] == "fitted"


def test_processes_on_different_gpus_share_a_checkpoint(tmp_path):
    sae = TopKSAETransformer(checkpoint_dir=tmp_path, random_state=0)
    paths = [open_checkpoint(sae, seed=0, device=torch.device("cuda", i), arrays=()).path for i in range(2)]
    assert paths[0] == paths[1]


@pytest.mark.slow
def test_processes_that_would_train_different_things_say_so(tmp_path):
    script = """
    rank, said = dist.get_rank(), []
    for params, rows in [
        ({"random_state": rank}, X),
        ({}, X[rank:]),
        ({"encoder": "matching_pursuit"}, X),
        ({"n_components": 1, "k": 1}, X),
        ({"random_state": None}, X),
    ]:
        try:
            sae = TopKSAETransformer(**{"n_components": 16, "k": 2, "max_epochs": 1} | params).fit(rows)
            said.append(float(sae.components_.sum()))
        except ValueError as error:
            said.append(str(error))
    print(*said, sep="\\n", file=sys.stderr)
    dist.destroy_process_group()
    """
    status, said = end([start(script, tmp_path, rank=rank) for rank in range(2)])
    assert status == [0, 0], said
    first, second = ([line for line in lines.splitlines() if "Warning" not in line][-5:] for lines in said)
    assert first == second  # also the last, for which the first process has drawn the seed
    assert "different parameters; give each the same" in first[0]
    assert "different data; give each the same" in first[1]
    assert "'matching_pursuit' is trained by one process" in first[2]
    assert first[3] == "1 neurons cannot be spread over 2 processes."


@pytest.mark.slow
def test_the_script_of_the_page_runs_under_torchrun(tmp_path):
    scripts = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (script,) = (script for script in scripts if "init_process_group" in script)
    (tmp_path / "fit.py").write_text(script, "utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "fit.py"]
    started = time.time()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sae.joblib").stat().st_mtime >= started - 1
