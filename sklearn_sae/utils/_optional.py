"""Packages that only some uses need."""

from importlib import import_module


def require(module, *, extra, purpose):
    """Import `module`, or say which extra of this package brings it.

    Raises
    ------
    ImportError
        If `module` is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise ImportError(
            f"{purpose} needs the package {module.split('.')[0]!r}: pip install 'sklearn-sae[{extra}]'"
        ) from None
