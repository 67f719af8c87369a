"""The pictures of docs/report.md, drawn from made-up reviews.

``python -m benchmarks.pictures [FOLDER]`` writes them as PNG files to a folder, `docs` if none is given. It needs the
extra ``plot``, and takes half a minute.
"""

import sys
from pathlib import Path

import pandas as pd

from sklearn_sae import HypothesisDisplay, NeuronMapDisplay, PredictionPathDisplay, discover
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._optional import require


def main():
    require("matplotlib.pyplot", extra="plot", purpose="The pictures").switch_backend("agg")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    reviews = make_concept_texts(3000, random_state=0)
    stars = pd.Series(reviews.target, name="stars")
    found = discover(reviews.data, stars, n_hypotheses=12, random_state=0)
    pictures = {
        "effects": HypothesisDisplay.from_evaluation(found),
        "path": PredictionPathDisplay.from_estimator(found, reviews.data, stars),
        "neuron_map": NeuronMapDisplay.from_estimator(found),
    }
    for name, display in pictures.items():
        display.figure_.savefig(folder / f"{name}.png", dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    main()
