"""A training run on disk, so that a fit that was killed can go on."""

import contextlib
import os
import secrets
import zipfile
from pathlib import Path

import numpy as np

from sklearn_sae import __version__
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.store import digest

_ROWS = 4096
_NOT_NAMED = ("checkpoint_dir", "device", "random_state", "sparse_output", "verbose", "warm_start")  # see below


def array_digest(array):
    """Return a digest of 32 bytes of an array, which is read in chunks, or b"" for None."""
    if array is None:
        return b""
    parts = (np.ascontiguousarray(array[start : start + _ROWS]).tobytes() for start in range(0, len(array), _ROWS))
    return digest(str(array.dtype), str(array.shape), *(digest(part) for part in parts))


class Checkpoint:
    """One file of arrays. Its name is a digest of everything that determines the run.

    The file is written whole under another name and then renamed, so a reader finds the old file or the new one, and
    never a part. It holds arrays only and is read without pickle.
    """

    def __init__(self, folder, *parts):
        self.path = Path(folder).expanduser() / f"sae-{digest(*parts).hex()[:32]}.npz"

    def load(self):
        """Return the stored dict of arrays, or None if there is none."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is named before the work
            with np.load(self.path, allow_pickle=False) as stored:
                return dict(stored)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from None
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise OSError(f"The checkpoint {self.path} is corrupt ({error}); delete it to start afresh.") from None

    def save(self, arrays):
        """Replace what is stored. If the disk refuses, warn, because the training is worth more than its copy."""
        partial = self.path.with_name(f"{self.path.stem}.{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            with open(partial, "wb") as file:
                np.savez(file, **arrays)
            os.replace(partial, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            message = (
                f"Cannot write the checkpoint {self.path} ({error.strerror or error}); training goes on without it."
            )
            warn(message, RuntimeWarning)

    def remove(self):
        """Delete what is stored."""
        self.path.unlink(missing_ok=True)

    def _unusable(self, error):
        return OSError(
            f"Cannot use the checkpoint {self.path} ({error.strerror or error}); pass another checkpoint_dir, or None."
        )


def open_checkpoint(sae, *, seed, device, arrays):
    """Return the `Checkpoint` of a fit, or None without a `checkpoint_dir`.

    The parameters are part of its name, except those that do not change the weights. The kind of device that "auto"
    stands for is part of it, and so are the weights of a warm start. Which GPU it is is not, because each process of a
    group has another.

    Parameters
    ----------
    sae : TopKSAETransformer
    seed : int
        The seed of the fit. It is part of the name only if the user has chosen it.
    device : torch.device
    arrays : sequence of (ndarray or None)
        The data, and the weights to start from.
    """
    if sae.checkpoint_dir is None:
        return None
    params = {name: value for name, value in sae.get_params(deep=False).items() if name not in _NOT_NAMED}
    params["matryoshka_prefixes"] = None if sae.matryoshka_prefixes is None else list(sae.matryoshka_prefixes)
    params["seed"] = None if sae.random_state is None else seed
    named = repr(sorted(params.items())), device.type
    return Checkpoint(sae.checkpoint_dir, __version__, *named, *(array_digest(array) for array in arrays))
