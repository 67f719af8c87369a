"""Which way of finding and naming hypotheses to take: what `discover` finds on the same texts, by each.

``python -m benchmarks.naming [--seeds 3] [dataset ...]`` prints one markdown table for `yelp`, `movies` and `planted`,
or for those named: the share of the target that the names explain on texts held out, how many hypotheses are
significant, how well names fit their neurons, and how long it takes. Needs the data folder (see `_data.py`) and the
extra `minilm`.
"""

import argparse
import warnings

import numpy as np

from benchmarks._data import load
from benchmarks._measure import seconds
from benchmarks._report import machine, mean, print_table
from sklearn_sae import EmbeddingTransformer, discover
from sklearn_sae.datasets import make_concept_texts

N = 20  # hypotheses
MOST_ALIKE = 0.7
MODEL = "all-MiniLM-L6-v2"
WAYS = {
    "keywords, nothing downloaded": {},
    "keywords, MiniLM of texts": {"embedder": True, "unit": "document"},
    "keywords, MiniLM of sentences": {"embedder": True, "unit": "sentence"},
    "quotes, MiniLM of texts": {"embedder": True, "unit": "document", "naming": "quotes"},
    "quotes, MiniLM of sentences": {"embedder": True, "unit": "sentence", "naming": "quotes"},
    "keywords, MiniLM's words": {"reader": MODEL},
}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naming", description=__doc__.partition("\n")[0])
    parser.add_argument("datasets", nargs="*", default=["yelp", "movies", "planted"])
    parser.add_argument("--seeds", type=int, default=3, help="how many, 3 if not given")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    print_table(
        f"`discover`, {N} hypotheses, mean ± deviation over seeds ({arguments.seeds})",
        (_row(data, way, arguments.seeds) for data in arguments.datasets for way in WAYS),
        "Each seed holds out another fifth of the texts, and all figures are of these. R2: of least squares on the "
        "names. Significant: on their own, of 20. F1: whether the neuron is active against whether the name holds. "
        f"Alike: pairs whose annotations correlate by more than {MOST_ALIKE}. Vectors of MiniLM are made once, so that "
        "the seconds of later seeds and ways are without them; the first figure is that of the first seed.",
    )
    print(f"\nMeasured on {machine()}")


def _row(data, way, n_seeds):
    figures = [_figures(data, way, seed) for seed in range(n_seeds)]
    r2, significant, f1, alike, taken = np.transpose(figures)
    return {
        "texts": data,
        "way": way,
        "R2 of names": mean(r2),
        "significant": mean(significant, ".1f"),
        "F1": mean(f1, ".2f"),
        "alike": mean(alike, ".1f"),
        "s": f"{taken[0]:.0f}; {np.median(taken[1:]):.0f}" if n_seeds > 1 else f"{taken[0]:.0f}",
    }


def _figures(data, way, seed):
    texts, y = _texts(data)
    options = dict(WAYS[way])
    if options.get("embedder"):
        options["embedder"] = EmbeddingTransformer(MODEL)
    found = []
    taken = seconds(lambda: found.append(discover(texts, y, n_hypotheses=N, random_state=seed, **options)))
    return *_on_held_out(found[0], np.asarray(texts, dtype=object)), taken


def _texts(data):
    if data == "planted":
        reviews = make_concept_texts(2000, n_concepts=12, random_state=0)
        return reviews.data, reviews.target
    texts, y, _ = load(data)
    return texts.tolist(), y.astype(float)


def _on_held_out(found, texts):
    annotator, unseen = found.pipeline["hypotheses"], texts[found.test].tolist()
    says = annotator.transform(unseen)
    neurons = annotator.hypotheses_["neuron"].to_numpy()
    active = annotator.encoder_.transform(unseen)[:, neurons].toarray() > 0
    both, either = (says * active).sum(0), says.sum(0) + active.sum(0)
    f1 = np.divide(2 * both, either, out=np.zeros(len(neurons)), where=either > 0)
    varies = says[:, np.ptp(says, axis=0) > 0]
    alike = np.abs(np.corrcoef(varies, rowvar=False))[np.triu_indices(varies.shape[1], 1)] > MOST_ALIKE
    return found.scores["r2"], found.table["significant"].sum(), f1.mean(), alike.sum()


if __name__ == "__main__":
    main()
