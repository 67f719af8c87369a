"""The package as a whole: what importing it costs and gives, and whether the README tells the truth."""

import ast
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import sklearn_sae

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sklearn_sae"


def _python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_importing_the_package_loads_nothing_heavy():
    heavy = ["torch", "sentence_transformers", "openai", "sklearn", "pandas", "statsmodels"]
    code = f"import sys, sklearn_sae; print([m for m in {heavy} if m in sys.modules])"
    assert _python(code).strip() == "[]"


def test_importing_and_making_the_estimators_loads_no_engine():
    engines = ["torch", "sentence_transformers", "transformers", "tokenizers", "sae_lens", "openai", "statsmodels"]
    code = f"""
import sys
from sklearn_sae import *
print(EmbeddingTransformer(), LLMHypothesisAnnotator(), PretrainedSAETransformer("a/b"), TopKSAETransformer())
print([m for m in {engines} if m in sys.modules])
"""
    assert _python(code).splitlines()[-1] == "[]"


def test_help_loads_no_library():
    code = """
import sys
from sklearn_sae.cli import main
try:
    main(["discover", "--help"])
except SystemExit:
    print([m for m in ["numpy", "pandas", "sklearn", "torch"] if m in sys.modules])
"""
    assert _python(code).splitlines()[-1] == "[]"


def test_every_public_name_is_there():
    for name in sklearn_sae.__all__:
        assert getattr(sklearn_sae, name) is not None
        assert name in dir(sklearn_sae)
    with pytest.raises(AttributeError, match="attribute TopKSAE"):
        _ = sklearn_sae.TopKSAE


def test_editors_find_the_public_names():
    assert (files("sklearn_sae") / "__init__.pyi").is_file()


def _imports(path):
    """Return the full name of everything that a file imports, inside of functions too."""
    return _imported_by(ast.walk(ast.parse(path.read_text("utf-8"))), path)


def _imports_at_the_top(path):
    return _imported_by(ast.parse(path.read_text("utf-8")).body, path)


def _imported_by(nodes, path):
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # The folder that dots stand for: one is the folder of the file, two are the folder above.
            parents = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            names += [".".join([*parents, *filter(None, [node.module]), alias.name]) for alias in node.names]
    return names


def test_no_stage_imports_another():
    above = {"cli", "report"}  # these may know every stage
    # An autoencoder that is trained on a reader's states is trained as every other.
    allowed = {"pretrained": {"sae"}}
    # What shows itself as HTML, and nothing else, imports report/ when it is asked to.
    shown = [PACKAGE / "evaluation" / "_hypothesis_evaluation.py", PACKAGE / "annotation" / "_base.py"]
    assert not {name for path in shown for name in _imports_at_the_top(path) if ".report" in name}
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - above
    assert {"sae", "utils"} <= rooms
    for room in rooms:
        for path in (PACKAGE / room).rglob("*.py"):
            imported = {f"{name}.".split(".")[1] for name in _imports(path) if name.split(".")[0] == "sklearn_sae"}
            others = allowed.get(room, set()) | ({"report"} if path in shown else set())
            assert imported <= {room, "utils", "__version__"} | others, path.relative_to(ROOT)


def test_one_file_imports_what_is_private_to_scikit_learn():
    for path in PACKAGE.rglob("*.py"):
        private = [name for name in _imports(path) if name.startswith("sklearn.") and "._" in name]
        assert bool(private) == (path.name == "_sklearn_compat.py"), f"{path.relative_to(ROOT)} imports {private}"


def test_the_example_of_the_readme_runs_and_prints_what_is_shown(capsys):
    """Words may differ on another processor, so the printed shape is compared: the first line and the heads."""
    readme = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"## In Python\n\n```python\n(.*?)```", readme, re.DOTALL)[1]
    shown = re.search(r"```\n(R² on unseen.*?)```", readme, re.DOTALL)[1].splitlines()
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert float(printed[0].split()[-1]) == pytest.approx(float(shown[0].split()[-1]), abs=0.1)
    assert printed[3].split() == shown[3].split()
    for lines in (printed, shown):
        assert sum(re.match(r" +[+-]\d", line) is not None for line in lines) == 10
