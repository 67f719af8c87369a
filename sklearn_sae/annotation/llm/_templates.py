"""Prompts in the words of the user: text with named fields, checked before anything is paid for."""

import os
from pathlib import Path
from string import Formatter

from sklearn_sae.utils._validation import listed

_REQUIRED = {"interpreter_prompt": ("group_a", "group_b"), "annotator_prompt": ("text", "properties", "form")}
_OPTIONAL = {"interpreter_prompt": ("form", "instructions"), "annotator_prompt": ("instructions",)}


def read_template(template, name, *, instructions=None):
    """Return the text of a template, None for None.

    Parameters
    ----------
    template : str, path-like or None
        The text, or the file that it stands in.
    name : {"interpreter_prompt", "annotator_prompt"}
        Which fields it has, and what to call it in an error.
    instructions : str or None, default=None
        If there are some, the template must have a place for them.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If a field is unknown or missing, a brace stands alone, or the file is no text in UTF-8.
    """
    if template is None:
        return None
    text = template
    if isinstance(template, os.PathLike):
        try:
            text = Path(template).read_text("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{name} is a file that is no text in UTF-8: {template}.") from None
    found, required = _fields(text, name), _REQUIRED[name]
    known = [*required, *_OPTIONAL[name]]
    unknown = [field for field in found if field not in known]
    if unknown:
        raise ValueError(
            f"{name} has the unknown field {{{unknown[0]}}}; its fields are {_listed(known)}, and a brace that is none "
            "is doubled."
        )
    missing = [field for field in required if field not in found]
    if missing:
        file = "" if text is not template or "{" in text else "; pass a file as a pathlib.Path"
        raise ValueError(f"{name} lacks {_listed(missing)}{file}.")
    if instructions and "instructions" not in found:
        raise ValueError(f"{name} lacks {{instructions}}, so that the instructions would not be sent.")
    return text


def _fields(text, name):
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{name} has a brace that stands alone ({error}); double it, or name a field.") from None
    return [
        f"{field}{'!' * bool(conversion)}{conversion or ''}{':' * bool(spec)}{spec or ''}"
        for _, field, spec, conversion in parts
        if field is not None
    ]


def _listed(fields):
    return listed([f"{{{field}}}" for field in fields], "and")
