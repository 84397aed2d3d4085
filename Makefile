# make install                            make the environment .venv, which train and test do first
# make train                              train MoW on Atari games
# make train ARGS="--games Pong Boxing"   hand arguments on to zoo/atari/config/mow_multitask.py
# make test                               run the tests, a process per core (ARGS goes to pytest)
#     PYTHON=/path/to/python3.11          build it with this Python (3.10 or 3.11)
#     TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
#                                         with another build of torch than PyPI's, which on Linux is the CUDA 13 one

VENV := .venv
TORCH := torch==2.13.0
SUPPORTED := 3.10 3.11

run := $(VENV)/bin/python
pip := $(run) -m pip --quiet --no-input --disable-pip-version-check
log := >> $(VENV)/install.log 2>&1 || { tail -n 15 $(VENV)/install.log >&2; \
    echo "Installation failed; all of it is in $(VENV)/install.log. The next make starts afresh." >&2; exit 1; }

# Looked up only where a recipe uses them, so that a ready environment costs nothing.
candidates = $(or $(PYTHON),python3.11 python3.10 python3)
version_of = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
fitting = $(firstword $(foreach p,$(candidates),$(if $(filter $(SUPPORTED),$(call version_of,$(p))),$(p))))
found = $(foreach p,$(candidates),$(p) is $(or $(call version_of,$(p)),missing);)
python = $(or $(fitting),$(error Python 3.10 or 3.11 is needed (LightZero has no wheels for others): $(found) \
    name one with make PYTHON=/path/to/python3.11))

.PHONY: install train test

install: $(VENV)/.installed

train: $(VENV)/.installed
	@$(run) zoo/atari/config/mow_multitask.py $(ARGS)

test: $(VENV)/.installed
	@$(run) -m pytest --numprocesses auto --dist loadfile $(ARGS)

# The two stamps are written last: an interrupted installation leaves none and is thrown away by the next make.
$(VENV)/.packages: requirements.lock
	@if [ -e $(VENV) ] && [ ! -e $(VENV)/.made-by-make ]; then \
	    echo "$(VENV) was not made by make: move it away, or use it without make (see docs/usage.md)." >&2; exit 1; fi
	@echo "[1/4] $(VENV) with $(python)"
	@rm -rf $(VENV) && mkdir $(VENV) && touch $(VENV)/.made-by-make && $(python) -m venv $(VENV) $(log)
	@echo "[2/4] $(TORCH) (a CUDA build is a download of 2 to 3 GB)"
	@$(pip) install --constraint requirements.lock $(TORCH) $(log)
	@echo "[3/4] LightZero, DI-engine and what they need, as pinned in requirements.lock"
	@$(pip) install --no-deps --no-build-isolation --requirement requirements.lock $(log)
	@touch $@

$(VENV)/.installed: $(VENV)/.packages setup.py
	@echo "[4/4] lzero_mow, editable"
	@$(pip) install --no-deps --no-build-isolation --editable . $(log)
	@touch $@
