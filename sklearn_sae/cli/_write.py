"""The files that results are written to."""

import json

import pandas as pd

from sklearn_sae.utils._write_table import records, write_json, write_table


def write_discovery(discovery, path):
    """Write the table of hypotheses to a .csv or .xlsx file, or the table and all scores to a .json file.

    Parameters
    ----------
    discovery : Discovery
    path : Path
    """
    if path.suffix.lower() != ".json":
        write_table(discovery.table, path)
        return
    from sklearn_sae._discovery import labelled_scores

    metric, scores = labelled_scores(discovery)
    metrics, classes = discovery.evaluation.metrics, discovery.evaluation.class_metrics
    content = {
        f"held_out_{metric}": scores,
        "joint_regression_in_sample": _jsonable({k: v for k, v in metrics.items() if not k.endswith("_cv")}),
        "joint_regression_cross_fitted": _jsonable({k: v for k, v in metrics.items() if k.endswith("_cv")}),
        **({} if classes is None else {"classes": records(classes)}),
        "notes": list(discovery.notes),
        "hypotheses": records(discovery.table),
    }
    write_json(content, path)


def _jsonable(metrics):
    return json.loads(pd.Series(metrics, dtype=object).to_json())  # turns NaN into null
