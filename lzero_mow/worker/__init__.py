"""Collection and evaluation: LightZero's workers, except that no step is lost."""
from .collector import MoWSegmentCollector
from .evaluator import MoWEvaluator
