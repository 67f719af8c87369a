"""The docstrings of everything public, checked by numpydoc."""

import inspect

import pytest

import sklearn_sae
from sklearn_sae import analysis, datasets

numpydoc = pytest.importorskip("numpydoc.validate")

# What is not asked of a docstring.
NOT_ASKED = {
    "ES01": "One line can say it all.",
    "PR07": "X, y and the like mean what they mean in scikit-learn.",
    "PR08": "A description may start with the name of a dtype.",
    "RT02": "A returned value may have a name.",
    "RT03": "A fitted estimator, an array or axes need no words.",
    "RT04": "A Bunch is described field by field.",
}
NOT_ASKED_OF_METHODS = {"EX01", "SA01"}  # their class has them
NOT_ASKED_OF_PLOTS = {"EX01"}  # the guide shows them


def _public_objects():
    for module in (sklearn_sae, analysis, datasets):
        for name in module.__all__:
            public = getattr(module, name)
            if inspect.ismodule(public):
                continue
            yield f"{module.__name__}.{name}"
            if inspect.isclass(public):
                for method, _ in inspect.getmembers(public, _is_ours):
                    if not method.startswith("_"):
                        yield f"{module.__name__}.{name}.{method}"


def _is_ours(member):
    function = member.fget if isinstance(member, property) else member
    return callable(function) and (getattr(function, "__module__", None) or "").startswith("sklearn_sae")


@pytest.mark.parametrize("name", list(_public_objects()))
def test_docstrings_are_whole(name):
    *_, owner, last = name.split(".")
    not_asked = set(NOT_ASKED)
    if owner[0].isupper():
        not_asked |= NOT_ASKED_OF_METHODS
    elif last.startswith("plot_"):
        not_asked |= NOT_ASKED_OF_PLOTS
    errors = [f"{code}: {message}" for code, message in numpydoc.validate(name)["errors"] if code not in not_asked]
    assert not errors, "\n".join([name, *errors])
