"""What is installed, for a report of a problem."""

import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

_ABSENT = "not installed"
_NAME = re.compile(r"[\w.-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def show_versions():
    """Print the system, the versions of what this package builds on, and what its autoencoders compute with.

    Versions are those of what is installed, read without importing it. Only torch is imported, to look for a GPU and to
    ask for its threads, and the room of the autoencoders, which says whether their C code is compiled and used.

    See Also
    --------
    sklearn.show_versions : Prints the same of scikit-learn, and the libraries that its threads come from.

    Examples
    --------
    >>> import sklearn_sae
    >>> sklearn_sae.show_versions()  # doctest: +ELLIPSIS
    System:
    ...
    """
    dependencies, extras = _requirements()
    _print_section("System", _system())
    _print_section("Dependencies", {name: _version(name) for name in ("sklearn-sae", *dependencies)})
    _print_section("Extras", {name: _version(name) for name in extras})
    _print_section("Computation", _computation())


def versions():
    """Return the versions of Python, of this package and of what it needs, by name."""
    packages = {name: _version(name) for name in ("sklearn-sae", *_requirements()[0])}
    return {"python": platform.python_version(), **packages}


def _system():
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
    }


def _requirements():
    """Return the names of the packages that this one needs, and of those that only its extras need."""
    if _version("sklearn-sae") == _ABSENT:  # run from its sources
        return [], []
    stated = requires("sklearn-sae") or []
    needed = [_NAME.match(line)[0] for line in stated if not _EXTRA.search(line)]
    optional = (_NAME.match(line)[0] for line in stated if _EXTRA.search(line))
    return sorted(needed), sorted(set(optional) - {*needed, "sklearn-sae"})


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return _ABSENT


def _computation():
    import torch

    from sklearn_sae.sae import native

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    c_code = native.state()
    return {"GPU": gpu, "torch threads": torch.get_num_threads(), "C code": c_code}


def _print_section(title, lines):
    width = max((len(name) for name in lines), default=0)
    print(f"{title}:")
    for name, value in lines.items():
        print(f"    {name:>{width}}: {value}")
