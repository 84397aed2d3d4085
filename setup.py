import re
from pathlib import Path

from setuptools import find_packages, setup

# Read, not imported: the package needs what is being installed.
PACKAGE = Path(__file__).parent / 'lzero_mow' / '__init__.py'
VERSION = re.search(r"^__version__ = '(.+)'$", PACKAGE.read_text(), re.MULTILINE)[1]

setup(
    name='lzero_mow',
    version=VERSION,
    description='MoW and ScaleZero: multi-task reinforcement learning with world models, as a LightZero plugin',
    license='Apache-2.0',
    keywords='reinforcement-learning multi-task world-model model-based-rl lightzero di-engine',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Typing :: Typed',
    ],
    python_requires='>=3.10,<3.12',
    # The presets in config/ are shared by scripts that are no package; in a wheel they become lzero_mow/_config.
    packages=find_packages(include=['lzero_mow', 'lzero_mow.*']) + ['lzero_mow._config'],
    package_dir={'lzero_mow._config': 'config'},
    package_data={
        'lzero_mow': ['py.typed'],
        'lzero_mow._config': ['*.yaml'],
        'lzero_mow.studies': ['*/*.html', '*/*.jinja'],
    },
    # LightZero 0.2.0 and DI-engine 0.5.3 are needed too, but cannot be named here: LightZero's metadata pins
    # gymnasium 0.28.0 and DI-engine's pins setuptools <= 66.1.1, which no resolver accepts beside the rest.
    # requirements.lock installs them; in an environment that has them, this list changes nothing.
    install_requires=[
        'torch>=2.4',
        'numpy>=1.24.1,<2',
        'gymnasium>=1.0',
        'ale-py>=0.10',
        'opencv-python-headless',
        'easydict',
        'omegaconf>=2.3',
        'pandas>=1.5',
        'pyyaml',
        'rich>=12.2',
        'scikit-learn',
        'scipy',
        'matplotlib',
        'pillow',
        'imageio',
        'imageio-ffmpeg',
        'tensorboardX',
        'jinja2',
        'pydantic>=2',
        'zstandard>=0.19',
    ],
    extras_require={
        # The table and the curves of several seeds: python -m lzero_mow summary, curves.
        'eval': ['rliable==1.2.0', 'pandas<3'],
        # The suite minatar. GPL-3.0, so nothing else may depend on it.
        'minatar': ['MinAtar==1.0.15'],
        # The suite metaworld. It needs packaging and does not say so.
        'metaworld': ['metaworld==3.1.1', 'mujoco==3.3.0', 'packaging'],
        # python -m lzero_mow experiment --launcher slurm.
        'slurm': ['submitit>=1.5'],
        'test': ['pytest>=7', 'pytest-timeout', 'pytest-xdist', 'hypothesis', 'atarihns', 'codespell'],
        'style': ['yapf==0.29.0'],
    },
)
