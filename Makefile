# make app     the app, on http://localhost:8501    (PORT=8600 for another port, ARGS="..." for other options of streamlit run;
#              HOST=192.168.1.5 opens it to everybody who can reach this machine by that name or address, and lets them delete runs)
# make class   the app for a class: prints two links and a QR code; viewers look, answer and train within a quota    (PORT=, HOST=)
# make test    the checks of style and types, and all tests    (ARGS="-k data" for some of them, ARGS="-n 0 --pdb" in one process)
# make lint    the checks of style and types alone
# make bench   images per second, ours and the usual way, interleaved    (ARGS="..." for its options)
# make zoo     train what is missing of the nets in checkpoints/, on the full CIFAR-10    (ARGS="--jobs 2"; goes on after any interruption)
# make setup   only what the app needs, into .venv
# make clean   caches and half-made files; runs/ and .venv stay
#
# Everything is installed into .venv, once for each content of the requirements files.
# PYTHON=python3.12 chooses the Python (3.11 or newer) that .venv is made with.

PYTHON ?= python3
PORT ?= 8501
ARGS ?=
HOST ?=

VENV := .venv
BIN := $(VENV)/bin
# The stamps carry the content's checksum in their names: a changed file, and nothing else, installs again.
APP_STAMP := $(VENV)/.app-$(shell cat requirements.txt | cksum | tr -s ' \t' '--')
DEV_STAMP := $(VENV)/.dev-$(shell cat requirements.txt requirements-dev.txt | cksum | tr -s ' \t' '--')
OPENED := $(if $(HOST),--server.address 0.0.0.0 --browser.serverAddress $(HOST) $(foreach host,$(HOST) localhost 127.0.0.1,--server.allowedHosts $(host)))
# Not compiled by pip: files are when they are first imported, and most of what PyTorch brings never is.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-compile

.PHONY: help app class test lint bench zoo setup browser clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

app: $(APP_STAMP)
	$(BIN)/streamlit run app.py --server.port $(PORT) $(OPENED) $(ARGS)

class: $(APP_STAMP)
	$(BIN)/python -m resnet_core class --port $(PORT) $(if $(HOST),--host $(HOST)) $(ARGS)

test: lint browser
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --config-file pyproject.toml

bench: $(APP_STAMP)
	$(BIN)/python -m resnet_core bench $(ARGS)

zoo: $(APP_STAMP)
	$(BIN)/python -m resnet_core zoo $(ARGS)

setup: $(APP_STAMP)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ResNet Lab needs Python 3.11 or newer as '$(PYTHON)'; name another with make PYTHON=python3.12." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(APP_STAMP): | $(BIN)/pip
	@echo "Installing requirements.txt into $(VENV) (once; PyTorch for Linux comes with CUDA and takes about 6 GB)."
	$(PIP_INSTALL) -r requirements.txt
	@rm -f $(VENV)/.app-*
	@touch $@

$(DEV_STAMP): | $(APP_STAMP)
	$(PIP_INSTALL) -r requirements-dev.txt
	@rm -f $(VENV)/.dev-*
	@touch $@

# The browser tests drive a Chromium (or Chrome) of the system.
browser: $(DEV_STAMP)
	@if $(BIN)/python -m tests.chromium >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium for the browser tests."; \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; \
	fi
	@$(BIN)/python -m tests.chromium

clean:
	rm -rf .pytest_cache .ruff_cache .mypy_cache build *.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
