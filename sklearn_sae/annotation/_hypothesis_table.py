"""The table of hypotheses."""

import numpy as np
import pandas as pd

from sklearn_sae.annotation._fidelity import Fidelity
from sklearn_sae.annotation._short_names import short_names


def hypothesis_table(*, interpretation, **columns):
    """Return one row a hypothesis, with all columns that a table has; those that are not given are NaN.

    The short name stands beside the whole one, so that it is seen where a wide frame is cut when printed.
    """
    names = ["neuron", "feature", "interpretation", "short", "selection_score"]
    names += ["selection_class"] * ("selection_class" in columns)
    names += [f"fidelity_{name}" for name in Fidelity._fields] + ["density"]
    columns |= {"interpretation": list(interpretation), "short": short_names(interpretation)}
    return pd.DataFrame({name: columns.get(name, np.nan) for name in names})
