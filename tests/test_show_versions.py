"""What is printed for a report of a problem."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

import sklearn_sae
from sklearn_sae import _show_versions
from sklearn_sae.sae.native import _calls


def printed(capsys):
    """Return what is printed as a dict by section of dicts."""
    sklearn_sae.show_versions()
    sections, section = {}, {}
    for line in capsys.readouterr().out.splitlines():
        name, _, value = line.strip().partition(":")
        if line.startswith(" "):
            section[name] = value.strip()
        else:
            sections[name] = section = {}
    return sections


def test_it_names_what_is_installed_and_what_is_not(capsys, monkeypatch):
    def lookup(name):
        if name == "tiktoken":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(_show_versions, "version", lookup)
    sections = printed(capsys)
    assert sections["System"]["python"].startswith(sys.version.split()[0])
    for name in ("numpy", "scikit-learn", "torch", "sklearn-sae"):
        assert sections["Dependencies"][name] == version(name)
    assert sections["Extras"]["matplotlib"] == version("matplotlib")
    assert sections["Extras"]["tiktoken"] == "not installed"
    assert not set(sections["Extras"]) & set(sections["Dependencies"])


def test_it_says_what_autoencoders_compute_with(capsys, monkeypatch):
    computation = printed(capsys)["Computation"]
    assert computation["torch threads"] == str(torch.get_num_threads())
    assert (computation["GPU"] == "none") != torch.cuda.is_available()
    assert computation["C code"].startswith("not compiled" if _calls.compiled is None else "compiled, in ")
    monkeypatch.setattr(_calls, "compiled", object())
    for shared, words in ((True, "compiled, in the threads of torch"), (False, "compiled, in one thread")):
        monkeypatch.setattr(_calls, "shares_threads", shared)
        assert printed(capsys)["Computation"]["C code"] == words
    monkeypatch.setattr(_calls, "compiled", None)
    assert printed(capsys)["Computation"]["C code"] == "not compiled"


def test_it_works_from_the_sources_where_nothing_is_installed(capsys, monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_show_versions, "version", absent)
    sections = printed(capsys)
    assert sections["Dependencies"] == {"sklearn-sae": "not installed"}
    assert sections["Extras"] == {}


def test_it_imports_no_heavy_package_but_torch():
    code = "import sys, sklearn_sae; sklearn_sae.show_versions(); print([m for m in {} if m in sys.modules])"
    heavy = ["sentence_transformers", "openai", "transformers", "statsmodels", "matplotlib", "sae_lens"]
    lines = subprocess.run(
        [sys.executable, "-c", code.format(heavy)], capture_output=True, text=True, check=True
    ).stdout
    assert lines.splitlines()[-1] == "[]"
