"""The file that a discovery is written to."""

import json

import pandas as pd

from sklearn_sae._discovery import labelled_scores


def write(discovery, path):
    """Write the table to a .csv file, or the table and all scores to a .json file.

    Parameters
    ----------
    discovery : Discovery
    path : Path
    """
    if path.suffix.lower() == ".csv":
        discovery.table.to_csv(path, index=False)
        return
    metric, scores = labelled_scores(discovery)
    metrics, classes = discovery.evaluation.metrics, discovery.evaluation.class_metrics
    content = {
        f"held_out_{metric}": scores,
        "joint_regression_in_sample": _jsonable({k: v for k, v in metrics.items() if not k.endswith("_cv")}),
        "joint_regression_cross_fitted": _jsonable({k: v for k, v in metrics.items() if k.endswith("_cv")}),
        **({} if classes is None else {"classes": _records(classes)}),
        "hypotheses": _records(discovery.table),
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _records(table):
    return json.loads(table.to_json(orient="records"))


def _jsonable(metrics):
    return json.loads(pd.Series(metrics, dtype=object).to_json())  # turns NaN into null
