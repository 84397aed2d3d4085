"""Collection and evaluation: LightZero's workers, minus what loses steps."""
from .collector import MoWSegmentCollector
from .evaluator import MoWEvaluator
