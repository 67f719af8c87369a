"""The API page lists what is public, and nothing else."""

import inspect
import re
from pathlib import Path

import sklearn_sae

DOCS = Path(__file__).resolve().parents[1] / "docs"


def _public_names():
    """The names of the package, and those that only its modules have, as the page writes them."""
    modules = {name for name in sklearn_sae.__all__ if inspect.ismodule(getattr(sklearn_sae, name))}
    names = set(sklearn_sae.__all__) - modules
    return names | {f"{m}.{name}" for m in modules for name in getattr(sklearn_sae, m).__all__ if name not in names}


def test_the_page_lists_the_public_names_once():
    listed = re.findall(r"^- `([\w.]+)`:", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(_public_names())


def test_each_entry_links_to_a_page_that_speaks_of_it():
    entries = re.split(r"^- ", (DOCS / "api.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    for entry in entries:
        names = re.findall(r"`(?:\w+\.)?(\w+)`", entry)  # its own, and that of the function that returns it
        (page,) = re.findall(r"\]\((\w+\.md)\)\.", entry)
        text = (DOCS / page).read_text("utf-8")
        assert any(re.search(rf"\b{name}\b", text) for name in names), f"{names[0]} is not on {page}"
