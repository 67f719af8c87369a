"""The command `apply` on several parquet files: each gives one of the same name; what is finished is not done again.

A result is written under a hidden name and renamed when it is whole. In its metadata stands what it was made from. A
process that works on a file holds a lock, so that several can share a folder, and one that is killed leaves the file to
others.
"""

import errno
import glob
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sklearn_sae.cli._partition import UnreadableError, annotate_file, is_finished, is_result
from sklearn_sae.cli._progress import say
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._optional import require
from sklearn_sae.utils._validation import counted
from sklearn_sae.utils.store._sqlite import remove, try_lock

_PROBE = 2**20  # bytes; so many must be free for the work to begin


class Counts(NamedTuple):
    """How many texts were annotated, and how many files were finished before, or are another process's."""

    texts: int = 0
    finished: int = 0
    elsewhere: int = 0


def are_partitions(files, output):
    """Return whether the files, or where the results go, ask for a result for each file."""
    is_many = len(files) > 1 or os.path.isdir(files[0]) or (glob.has_magic(files[0]) and not os.path.exists(files[0]))
    return is_many or (output is not None and not output.suffix)


def find_partitions(files, output):
    """Return from each file of a result to the parquet file that it is made of.

    Parameters
    ----------
    files : list of str
        A folder, a pattern, or files.
    output : Path or None
        The folder of the results, in which folders below what the files have in common are kept.

    Raises
    ------
    OSError, ValueError, ImportError
        If there is nothing to read, a result would replace what is read, or nothing can be written.
    """
    require("pyarrow", extra="parquet", purpose="Reading several parquet files")
    if output is None or (output.suffix and not output.is_dir()):
        raise ValueError("Several files give several results: --output names the folder for them.")
    root, sources = _find(files, output)
    for source in sources:
        if source.suffix.lower() != ".parquet":
            raise ValueError(
                f"{source} is no .parquet file; of other kinds, annotate one file at a time, --output naming a file."
            )
    pairs = {output / os.path.relpath(source, root): source for source in sources}
    read = {source.resolve() for source in sources}
    for target, source in pairs.items():
        if target.resolve() in read:
            raise ValueError(f"--output names the folder of {source}, which is read too; name another folder.")
    _check_folder(output, sum(source.stat().st_size for source in sources))
    return pairs


def annotate_partitions(pairs, arguments, annotate, fields):
    """Annotate what is neither finished nor another process's.

    Parameters
    ----------
    pairs : dict of Path to Path
        From result to source.
    arguments : Namespace
    annotate : callable (list of str) -> DataFrame
    fields : list of (str, DataType)
        The columns that `annotate` returns, the first of which are hypotheses.

    Returns
    -------
    counts : Counts

    Raises
    ------
    ValueError
        If a file could not be read, after all others were annotated.
    OSError
        If a result could not be written; what is finished is kept.
    """
    model = hashlib.sha256(Path(arguments.model).read_bytes()).hexdigest()
    counts, failed = Counts(), []
    for number, (target, source) in enumerate(pairs.items(), 1):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.lock")
        with try_lock(lock) as is_ours:
            if not is_ours:
                counts = counts._replace(elsewhere=counts.elsewhere + 1)
                continue
            try:
                origin = {"model": model, "text": arguments.text, **_state(source)}
                if is_finished(target, origin, fields):  # under the lock, because another may just have done it
                    counts = counts._replace(finished=counts.finished + 1)
                else:
                    say(arguments, f"Annotating {source} ({number:,} of {len(pairs):,}) …")
                    n_texts = annotate_file(source, target, arguments.text, annotate, fields, origin)
                    counts = counts._replace(texts=counts.texts + n_texts)
            except UnreadableError as error:
                failed.append(source)
                warn(str(error))
            except OSError as error:
                if error.errno is None:  # a whole sentence already, of the server or the cache
                    raise
                raise _in_words(error, target) from None
            finally:
                remove(lock)
    if failed:
        others = "; the others are done" if len(failed) < len(pairs) else ""
        raise ValueError(
            f"{len(failed):,} of {counted(len(pairs), 'file')} could not be read, {failed[0]} first{others}."
        )
    return counts


def _state(source):
    try:
        facts = source.stat()
    except OSError as error:
        raise UnreadableError(f"{source} cannot be read as parquet: {error.strerror}") from None
    return {"bytes": facts.st_size, "modified": facts.st_mtime_ns}


def _find(files, output):
    """Return the folder that files have in common, and the files."""
    found = {}
    for file in files:
        paths = [file] if os.path.exists(file) else glob.glob(file, recursive=True)
        if not paths:
            raise FileNotFoundError(f"{file} does not exist.")
        for path in map(Path, paths):
            found |= {os.path.abspath(one): one for one in (_below(path, output) if path.is_dir() else [path])}
    if len(files) == 1 and os.path.isdir(files[0]):
        return files[0], sorted(found.values())
    return os.path.commonpath([os.path.abspath(_fixed_part(file)) for file in files]), sorted(found.values())


def _below(folder, output):
    """Return the parquet files below a folder, without the results that are in a folder of it."""
    found = [path for path in folder.rglob("*.parquet") if path.is_file() and not _is_hidden(path.relative_to(folder))]
    if folder.resolve() in output.resolve().parents:
        found = [path for path in found if not (output.resolve() in path.resolve().parents and is_result(path))]
    if not found:
        raise FileNotFoundError(f"{folder} has no .parquet file.")
    return found


def _fixed_part(file):
    """Return the folder of a file or, of a pattern, the folder before whatever is not fixed."""
    folder = os.path.dirname(file)
    while glob.has_magic(folder) and not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return folder


def _is_hidden(path):
    return any(part.startswith((".", "_")) for part in path.parts)


def _check_folder(folder, n_bytes):
    """Make a folder, write to it and remove what was written; warn if it has less room than what is read takes."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        probe.write_bytes(bytes(_PROBE))
    except OSError as error:
        raise _in_words(error, folder) from None
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        warn(f"{folder} has room for {free / 1e6:,.0f} MB, and what is read takes {n_bytes / 1e6:,.0f} MB.")


def _in_words(error, path):
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return OSError(f"{path} cannot be written: the disk is full.")
    return OSError(f"{path} cannot be written: {error.strerror or error}.")
