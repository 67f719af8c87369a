"""The package as a whole: what importing it costs and gives, and whether the README tells the truth."""

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import sklearn_sae

ROOT = Path(__file__).resolve().parents[1]


def _python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "sentence_transformers", "openai", "sklearn", "pandas", "statsmodels"]
    code = f"import sys, sklearn_sae; print([m for m in {heavy} if m in sys.modules])"
    assert _python(code).strip() == "[]"


def test_importing_the_estimators_loads_no_engine():
    code = (
        "import sys; from sklearn_sae import *; "
        "print([m for m in ['torch', 'sentence_transformers', 'openai', 'statsmodels'] if m in sys.modules])"
    )
    assert _python(code).strip() == "[]"


def test_every_public_name_is_there():
    for name in sklearn_sae.__all__:
        assert getattr(sklearn_sae, name) is not None
        assert name in dir(sklearn_sae)
    with pytest.raises(AttributeError, match="attribute TopKSAE"):
        _ = sklearn_sae.TopKSAE


def test_editors_find_the_public_names():
    assert (files("sklearn_sae") / "__init__.pyi").is_file()


def test_no_stage_imports_another():
    stages = ["annotation", "compose", "datasets", "embedding", "evaluation", "sae", "selection"]
    for stage in stages:
        for path in (ROOT / "sklearn_sae" / stage).glob("*.py"):
            imported = re.findall(r"^\s*from sklearn_sae\.(\w+)", path.read_text("utf-8"), re.MULTILINE)
            assert not set(imported) & set(stages) - {stage}, path


def test_the_example_of_the_readme_runs_and_prints_what_is_shown(capsys):
    """Words may differ on another processor, so the printed shape is compared: the first line and the heads."""
    readme = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"## In Python\n\n```python\n(.*?)```", readme, re.DOTALL)[1]
    shown = re.search(r"```\n(R² on unseen.*?)```", readme, re.DOTALL)[1].splitlines()
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert float(printed[0].split()[-1]) == pytest.approx(float(shown[0].split()[-1]), abs=0.1)
    assert printed[3].split() == shown[3].split()
    assert sum("mentions" in line for line in printed) == sum("mentions" in line for line in shown) == 10
