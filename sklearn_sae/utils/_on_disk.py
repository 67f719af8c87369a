"""Arrays in files that are mapped into memory, so that their pages are the system's to drop and to read again."""

import errno
import mmap
import tempfile

import numpy as np


def write_to_disk(chunks):
    """Write arrays one after the other to a temporary file, and return them as one array that is mapped, not loaded.

    The file is in the folder for temporary files, which the variable TMPDIR names. It goes with the array.

    Parameters
    ----------
    chunks : iterable of ndarray of shape (n_i, ...)
        Of one dtype, and of one shape but for the number of rows.

    Returns
    -------
    array : ndarray of shape (n, ...)
        It cannot be written to.

    Raises
    ------
    ValueError
        If chunks differ in dtype or shape, or there is no row.
    OSError
        If the disk is full.
    """
    try:
        return _write_and_map(chunks)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            f"The disk of the folder for temporary files, {tempfile.gettempdir()}, is full; set the variable TMPDIR to "
            "a folder with more room."
        ) from None


def _write_and_map(chunks):
    first, n_rows = None, 0
    with tempfile.TemporaryFile(prefix="sklearn-sae-") as file:
        for chunk in chunks:
            first = chunk[:0] if first is None else first
            if chunk.dtype != first.dtype or chunk.shape[1:] != first.shape[1:]:
                raise ValueError(
                    f"chunks must be alike: one has rows of shape {chunk.shape[1:]} and {chunk.dtype} after rows of "
                    f"shape {first.shape[1:]} and {first.dtype}."
                )
            file.write(np.ascontiguousarray(chunk).data)
            n_rows += len(chunk)
        if not n_rows or not np.prod(first.shape[1:]):
            raise ValueError("there is no row to read: found 0 rows while at least 1 is required.")
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # It is no `numpy.memmap`, because joblib would have another process look for the file.
    return np.frombuffer(mapped, first.dtype).reshape(n_rows, *first.shape[1:])
