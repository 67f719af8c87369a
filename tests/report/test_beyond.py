"""What a report says of controls and weights."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import evaluate_hypotheses


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_a_report_says_what_is_beyond_the_controls(task, tmp_path):
    rng = np.random.default_rng(0)
    A, price = rng.integers(0, 2, size=(400, 2)).astype(float), rng.normal(size=400)
    A[:, 1] = price + rng.normal(size=400) > 0
    y = A[:, 0] + price + rng.normal(size=400)
    y = y if task == "regression" else np.array(["low", "middle", "high"])[np.digitize(y, [0, 1])]
    plain, given = evaluate_hypotheses(A, y), {"sample_weight": rng.gamma(2, size=400)}
    beyond = evaluate_hypotheses(A, y, controls=pd.Series(price, name="price"), **given)

    def shown(evaluation):
        return " ".join(re.sub("<[^>]+>", " ", evaluation.to_html(tmp_path / "page.html").read_text("utf-8")).split())

    page = shown(beyond)
    assert page.count("Beyond price its effect") == len(beyond.table)
    n = beyond.metrics["n_significant_controlled"]
    assert f"{n} of {len(beyond.table)} are significant after correction. All other figures are without" in page
    assert f"they are worth {beyond.metrics['n_effective']:,.0f} of equal weight" in page
    assert "Beyond" not in shown(plain)
    if task == "regression":
        coef = beyond.table["controlled_score"][0]
        assert f"Beyond price its effect is +{coef:.2f}, 95% interval" in page
        assert "The mean of" not in page
