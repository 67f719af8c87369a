"""What a search over M and K costs on Dask beside joblib's own processes: 12 candidates x 3 folds on two workers.

``python -m benchmarks.search [--repeats 3] [--texts 600]`` prints a markdown table. The two take turns, with their
workers already started. Texts are embedded by TF-IDF in each fit, so nothing is stored. The ratio is that of each turn.
"""

import argparse
import os
import statistics

import joblib
from dask.distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV, KFold

from benchmarks._measure import in_turns
from sklearn_sae import make_hypothesis_pipeline
from sklearn_sae.datasets import make_concept_texts

GRID = {
    "hypotheses__encoder__sae__n_components": [16, 32, 64],
    "hypotheses__encoder__sae__k": [2, 4],
    "hypotheses__encoder__sae__target_weight": [0.0, 0.2],
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--texts", type=int, default=600)
    given = arguments.parse_args()
    reviews = make_concept_texts(given.texts, random_state=0)
    texts, target = reviews.data, reviews.target
    pipeline = make_hypothesis_pipeline(n_hypotheses=5, random_state=0)
    folds = [(train.tolist(), test.tolist()) for train, test in KFold(3).split(texts)]
    scores = {}

    def search(backend, **options):
        def run():
            with joblib.parallel_config(backend, n_jobs=2, **options):
                found = GridSearchCV(pipeline, GRID, cv=folds, scoring="r2", error_score="raise", refit=False)
                scores[backend] = found.fit(texts, target).cv_results_["mean_test_score"].tolist()

        return run

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        client.amm.stop()
        calls = {"joblib": search("loky"), "Dask": search("dask", scatter=[texts, target])}
        for call in calls.values():
            call()  # starts the workers and imports the package there
        taken = in_turns(calls, given.repeats)
    ratios = [dask / own for dask, own in zip(taken["Dask"], taken["joblib"], strict=True)]
    print(f"12 candidates x 3 folds, {len(texts)} texts, keywords; two workers; load {os.getloadavg()[0]:.1f}\n")
    print("| | seconds, each turn | median |")
    print("| --- | --- | --- |")
    for name, seconds in taken.items():
        print(f"| {name} | {', '.join(f'{s:.1f}' for s in seconds)} | {statistics.median(seconds):.1f} |")
    print(f"| Dask / joblib | {', '.join(f'{r:.2f}' for r in ratios)} | {statistics.median(ratios):.2f} |")
    assert scores["loky"] == scores["dask"], "the scores differ"


if __name__ == "__main__":
    main()
