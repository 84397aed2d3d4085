"""Everything that needs no torch: keys and their defaults, presets, suites, methods, checks. Light."""
from .build import build_config, lightzero_configs
