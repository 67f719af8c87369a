# The public names: editors read them here, and so does `__init__.py`, which loads each when it is first used.

from . import analysis as analysis
from . import annotation as annotation
from . import compose as compose
from . import datasets as datasets
from . import embedding as embedding
from . import evaluation as evaluation
from . import pretrained as pretrained
from . import sae as sae
from . import selection as selection
from ._discover import discover as discover
from ._discovery import Discovery as Discovery
from ._pipeline import make_hypothesis_pipeline as make_hypothesis_pipeline
from ._show_versions import show_versions as show_versions
from .annotation import KeywordHypothesisAnnotator as KeywordHypothesisAnnotator
from .annotation import LLMHypothesisAnnotator as LLMHypothesisAnnotator
from .annotation import QuoteHypothesisAnnotator as QuoteHypothesisAnnotator
from .annotation import score_hypotheses as score_hypotheses
from .compose import ChunkTransformer as ChunkTransformer
from .compose import PairTransformer as PairTransformer
from .compose import PartitionTransformer as PartitionTransformer
from .embedding import EmbeddingTransformer as EmbeddingTransformer
from .evaluation import CorrectedEvaluation as CorrectedEvaluation
from .evaluation import HypothesisEvaluation as HypothesisEvaluation
from .evaluation import HypothesisMatching as HypothesisMatching
from .evaluation import Labels as Labels
from .evaluation import agreement as agreement
from .evaluation import correct_annotations as correct_annotations
from .evaluation import evaluate_hypotheses as evaluate_hypotheses
from .evaluation import match_hypotheses as match_hypotheses
from .evaluation import read_labels as read_labels
from .evaluation import sample_for_labelling as sample_for_labelling
from .pretrained import PretrainedSAETransformer as PretrainedSAETransformer
from .pretrained import ReaderSAETransformer as ReaderSAETransformer
from .report import HypothesisDisplay as HypothesisDisplay
from .report import NeuronDisplay as NeuronDisplay
from .report import NeuronMapDisplay as NeuronMapDisplay
from .report import PredictionPathDisplay as PredictionPathDisplay
from .report import SizeSearchDisplay as SizeSearchDisplay
from .report import SubgroupDisplay as SubgroupDisplay
from .report import TrainingHistoryDisplay as TrainingHistoryDisplay
from .report import show_neurons as show_neurons
from .sae import TopKSAETransformer as TopKSAETransformer
from .selection import NeuronSelector as NeuronSelector

__version__: str
