"""What `discover(offset=)` finds that a model misses: nothing where it misses nothing, else what was planted.

``python -m benchmarks.offset [--quick]`` prints a markdown table. The texts are made up (600 and 2,000, with six
concepts, of which four drive the target), so that it is known what a model misses; 50 draws each (10 with ``--quick``).

- *null*: the model is least squares, or logistic regression, on all concepts, out of fold.
- *missed*: the same model without the concept of the largest effect.
"""

import argparse
import warnings

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_predict

from benchmarks._report import print_table
from sklearn_sae import discover
from sklearn_sae.datasets import make_concept_texts

N_TEXTS, N_CONCEPTS, N_HYPOTHESES, ALIKE = (600, 2000), 6, 8, 0.4


def draw(seed, n, *, binary, missed):
    """Return what `discover` finds beyond a model, and the annotations of the concept that the model does not know."""
    texts = make_concept_texts(n, n_concepts=N_CONCEPTS, noise=0.3, random_state=seed)
    largest = int(np.abs(texts.coef).argmax())
    known = np.delete(texts.concepts, largest, axis=1) if missed else texts.concepts
    if binary:
        y = texts.target > np.median(texts.target)
        p = cross_val_predict(LogisticRegression(C=100), known, y, method="predict_proba")[:, 1]
    else:
        y = texts.target
        p = cross_val_predict(LinearRegression(), known, y)
    found = discover(texts.data, y, offset=p, n_hypotheses=N_HYPOTHESES, random_state=seed)
    return found, texts.concepts[found.test, largest]


def called(found):
    """Return which hypotheses are significant beyond the model, in the order of the annotations."""
    return found.evaluation.table["significant_controlled"].to_numpy()


def is_found(found, concept):
    """Return whether a hypothesis that is called goes with the concept."""
    says = found.evaluation.annotations[:, called(found)]
    return any(abs(np.corrcoef(one, concept)[0, 1]) > ALIKE for one in says.T)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 draws, not 50")
    n_draws = 10 if parser.parse_args().quick else 50
    warnings.filterwarnings("ignore")
    rows = []
    for kind, binary, n in ((kind, kind == "two classes", n) for kind in ("numbers", "two classes") for n in N_TEXTS):
        null = [called(draw(seed, n, binary=binary, missed=False)[0]) for seed in range(n_draws)]
        missed = [is_found(*draw(seed, n, binary=binary, missed=True)) for seed in range(n_draws)]
        rows.append(
            {
                "target": kind,
                "texts": n,
                "null: draws in which any is called": f"{np.mean([some.any() for some in null]):.0%}",
                "null: hypotheses called": f"{np.mean(np.concatenate(null)):.1%}",
                "missed: draws in which it is found": f"{np.mean(missed):.0%}",
            }
        )
    note = (
        f"A fifth of the texts tests {N_HYPOTHESES} hypotheses, at 5 % after Bonferroni. Found: a "
        f"hypothesis that is called has a correlation above {ALIKE} with the concept, on the texts held out."
    )
    print_table(f"{n_draws} draws", rows, note)


if __name__ == "__main__":
    main()
