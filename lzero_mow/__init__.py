"""
MoW and ScaleZero: multi-task reinforcement learning with world models, as a LightZero plugin.

Importing the package is light and registers nothing. As everywhere in DI-engine, a create_config names the modules that
register its classes (``import_names``), and DI-engine imports those.
"""
__version__ = '0.1.0'
