"""The command `cache`: what the store on disk holds, and how to be rid of some of it."""

import heapq
import sys
import time
from collections import Counter
from contextlib import ExitStack

from sklearn_sae.utils._validation import counted
from sklearn_sae.utils.store import cache_folder
from sklearn_sae.utils.store._sqlite import size_on_disk
from sklearn_sae.utils.store._survey import Pruning, days_ago, opened, store_files, survey

# From the name of a store to what its values are called.
_NOUNS = {
    "annotations": ("answer", "answers"),
    "embeddings": ("embedding", "embeddings"),
    "activations": ("text's activations", "texts' activations"),
    "word_activations": ("text's word activations", "texts' word activations"),
    "states": ("text's states", "texts' states"),
}
_MB = 1e6


def run(arguments):
    """Say what is stored, or remove some of it."""
    folder = cache_folder(arguments.cache_dir)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name the folder that it is in.")
    files = store_files(folder)
    if not files:
        print(f"{folder}: nothing is stored.")
    elif arguments.action == "info":
        _inform(folder, files)
    else:
        _prune(folder, files, arguments)


def _inform(folder, files):
    print(f"{folder}: {_size(sum(map(size_on_disk, files)))}")
    errors = []
    for path in files:
        print(f"\n{path.name}: {_size(size_on_disk(path))}")
        try:
            parts = survey(path)
        except OSError as error:
            errors.append(str(error))
            continue
        for part in parts:
            print(f"  {part.model}: {_counted(path, part.n)}, {_size(part.n_bytes)}{_dates(part)}")
    damaged = sorted(folder.glob("*.damaged-*.sqlite"))
    if damaged:
        print(f"\nCopies of damaged files, which nothing uses: {', '.join(path.name for path in damaged)}")
    if errors:
        raise OSError(" ".join(errors))


def _prune(folder, files, arguments):
    if arguments.model is arguments.older_than is arguments.max_size is None:
        raise ValueError("say what to remove: --model NAME, --older-than DAYS or --max-size MB.")
    if arguments.model is not None:
        _check_model(files, arguments.model)
    before = None if arguments.older_than is None else days_ago(arguments.older_than)
    with ExitStack() as stack:
        prunings = [
            Pruning(*stack.enter_context(opened(path)), path, model=arguments.model, before=before) for path in files
        ]
        if arguments.max_size is not None:
            _keep_oldest(prunings, sum(map(size_on_disk, files)) - arguments.max_size * _MB)
        counts = [(one, one.counts()) for one in prunings]
        counts = [(one, some) for one, some in counts if some]
        if not counts:
            print(f"{folder}: {_size(sum(map(size_on_disk, files)))}; there is nothing to remove.")
            return
        for one, _ in counts:
            one.check_free()
        print(f"To be removed from {folder}:")
        for one, some in counts:
            for model, n, n_bytes in some:
                print(f"  {one.path.name}: {_counted(one.path, n)} of {model}, {_size(n_bytes)}")
        if any(one.path.stem == "annotations" for one, _ in counts):
            print("Answers that are removed are paid for again when they are asked for again.")
        if not (arguments.yes or _agreed()):
            print("Nothing was removed.")
            return
        freed = sum(one.remove() for one, _ in counts)
    print(f"Removed; {_size(freed)} given back, {_size(sum(map(size_on_disk, files)))} left.")


def _keep_oldest(prunings, excess):
    """Let the oldest values go, whichever store they are in, until `excess` bytes are freed."""
    rows = heapq.merge(*(_numbered(one, i) for i, one in enumerate(prunings)), key=lambda row: row[0])
    n_oldest = Counter()
    for _, size, i in rows:
        if excess <= 0:
            break
        n_oldest[i] += 1
        excess -= size
    for i, one in enumerate(prunings):
        one.keep_oldest(n_oldest[i])


def _numbered(pruning, i):
    return ((written, size, i) for written, size in pruning.sizes())


def _check_model(files, model):
    models = list(dict.fromkeys(part.model for path in files for part in survey(path)))
    if model not in models:
        raise ValueError(f"nothing is stored of {model!r}; there is {', '.join(models) or 'nothing'}.")


def _agreed():
    if not sys.stdin.isatty():
        raise ValueError("nothing was removed; --yes removes it without asking.")
    return input("Remove it? [y/N] ").strip().lower() in ("y", "yes")


def _counted(path, n):
    return counted(n, *_NOUNS.get(path.stem, ("value", "values")))


def _size(n_bytes):
    return f"{n_bytes / _MB:,.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:,.1f} kB"


def _dates(part):
    if part.oldest is None:
        return ", from before dates were noted"
    oldest, newest = (time.strftime("%Y-%m-%d", time.localtime(at)) for at in (part.oldest, part.newest))
    return f", of {oldest}" if oldest == newest else f", of {oldest} to {newest}"
