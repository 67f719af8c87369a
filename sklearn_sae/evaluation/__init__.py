"""From annotations and a target to tested hypotheses."""

from sklearn_sae.evaluation._agreement import agreement
from sklearn_sae.evaluation._correct_annotations import correct_annotations
from sklearn_sae.evaluation._corrected_evaluation import CorrectedEvaluation
from sklearn_sae.evaluation._evaluate_hypotheses import evaluate_hypotheses
from sklearn_sae.evaluation._hypothesis_evaluation import HypothesisEvaluation
from sklearn_sae.evaluation._match_hypotheses import HypothesisMatching, match_hypotheses
from sklearn_sae.evaluation._read_labels import Labels, read_labels
from sklearn_sae.evaluation._sample_for_labelling import sample_for_labelling

__all__ = [
    "CorrectedEvaluation",
    "HypothesisEvaluation",
    "HypothesisMatching",
    "Labels",
    "agreement",
    "correct_annotations",
    "evaluate_hypotheses",
    "match_hypotheses",
    "read_labels",
    "sample_for_labelling",
]
