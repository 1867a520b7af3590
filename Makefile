# Every target runs by hand as it runs in CI. `make help` lists them.
PYTHON := .venv/bin/python
# Namespaces, captures and the firewall need root: as another user the tests go through sudo.
ROOT := $(if $(filter-out 0,$(shell id -u)),sudo --preserve-env env PATH="$(PATH)",)
TOOL := /usr/bin/python3 -m tools
TESTS := PYTHONPATH=tests $(ROOT) $(PYTHON)
ARGS :=
# Most tests wait most of the time: several files at once, each by one process.
SPREAD := -n 2 --dist loadfile
# Out of time, or of capture, is tried once more and listed: docs/decisions/0012.
AGAIN := --reruns 1 --only-rerun '^(Expired|TimeoutExpired|TimeoutError): ' --only-rerun 'too busy for this rate'

.PHONY: help demo setup check test conformance gateway-transcript leak bench load kills long soak fuzz sanitize wire fresh lock shrink engine wireguard-go deb freeze audit packages test-packages dist boot-root docs reference ui ui-test test-windows dist-windows clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: setup ## show a real tunnel: connect, pull the cable, kill the helper, count leaks (ARGS=--stay leaves it running)
	$(TESTS) -m demo $(ARGS)

setup: ## make this checkout ready: system packages, Rust, virtual environment, engine; safe to repeat
	@$(TOOL).setup

check: setup ## judge the code without running it: lint, format, types for three platforms, imports, lengths, Rust, shell
	@$(TOOL).check $(ARGS)

test: setup wireguard-go boot-root ## everything: check, Rust tests, Python tests; ends in pytest's closing line
	@$(TOOL).check
	@$(TOOL).rust_tests
	@$(PYTHON) -m tools.ui test
	$(TESTS) -m pytest -m "not long and not packages" $(SPREAD) $(AGAIN) $(ARGS)

gateway-transcript: setup ## set a gateway up on a booted Debian, and write down in docs/gateway.md how that went
	$(TESTS) -m support.gateway_story

conformance: setup wireguard-go ## WireGuard's own functional test with slopn-engine in wireguard-go's place (ARGS=--short: without throughput)
	@$(TOOL).conformance $(ARGS)

LEAKS := .cache/leak/leak.jsonl
leak: setup wireguard-go ## the leak lab: every fault under every mode, counted, and docs/leak-report.md of it (about ten minutes)
	@mkdir -p $(dir $(LEAKS)) && rm -f $(LEAKS)
	@status=0; \
	$(if $(ARGS),,$(TESTS) -m pytest -m leak tests/netns || status=1;) \
	LEAK_RESULTS=$(LEAKS) $(TESTS) -m pytest tests/leak $(ARGS) || status=1; \
	$(TOOL).leak_report $(LEAKS) $(if $(ARGS),$(LEAKS:.jsonl=.md),docs/leak-report.md) || status=1; \
	exit $$status

bench: setup wireguard-go ## throughput and CPU per GB against the latest wireguard-go (ARGS=--help)
	$(TESTS) -m bench $(ARGS)

load: setup ## the control plane under load: many watchers, restarts, logs, commands, attacks (ARGS=--help)
	$(TESTS) -m load $(ARGS)

kills: setup ## kill the helper at hundreds of moments; `slopn-helper restore` gives the host back each time (ARGS=--help)
	$(TESTS) -m kills $(ARGS)
	$(TESTS) -m pytest -m long tests/kills tests/netns/test_dns_*.py tests/netns/test_journal_kill.py

long: setup wireguard-go boot-root ## every test that is too long for `make test` (ARGS="tests/FOLDER", or -k)
	$(TESTS) -m pytest -m long $(ARGS)

test-windows: setup ## what is for Windows, under Wine: the engine cross-built, its tests, the pipe, secrets (minutes; ARGS to pytest)
	@$(TOOL).windows test $(ARGS)

dist-windows: setup ## the signed installer for Windows, into dist/windows: frozen under Wine, engine cross-built (minutes)
	@$(PYTHON) -m tools.windows dist $(ARGS)

soak: setup ## the engine at full rate for half an hour: renewals, moves, loss (ARGS="--minutes 2"); then 65,536 renewals by the test clock
	$(TESTS) -m soak $(ARGS)
	@$(TOOL).rust_tests --renewals 65536

fuzz: setup ## fuzz what parses foreign bytes (ARGS="seconds a target, 60, and perhaps a target's name")
	@$(TOOL).fuzz $(ARGS)

sanitize: setup ## the engine's own tests under AddressSanitizer and ThreadSanitizer, or valgrind (ARGS=address)
	@$(TOOL).sanitize $(ARGS)

wire: setup ## write helper/wire/schema/ and tests/data/events/ anew: the types as JSON Schema, and recordings
	@$(PYTHON) -m tools.wire
	@$(PYTHON) -m tools.ui_types
	@PYTHONPATH=tests $(PYTHON) -m model.recordings

fresh: ## make test and make demo, twice, in a bare Debian 12 that has only git, make and python3
	@$(TOOL).fresh $(ARGS)

lock: setup ## make requirements/ anew from the pyproject files (ARGS=--upgrade takes newer versions)
	@$(TOOL).lock $(ARGS)

shrink: ## lower the limits of long files to what they are today
	@$(TOOL).lengths --shrink

engine: setup ## build the Rust engine (setup does it when its sources changed)

wireguard-go: setup ## build the latest wireguard-go into .cache/bin: the one we are measured against
	@$(TOOL).wireguard_go

deb: setup ## build a Debian package of the command line and the helper into .cache/deb
	@$(PYTHON) -m tools.deb

packages: setup ## build the packages as .deb and .rpm into dist/ (ARGS=--plain: for Debian's Python, for tests)
	@$(PYTHON) -m tools.packages $(ARGS)

FROZEN := $(CURDIR)/.cache/freeze/bundles
test-packages: freeze boot-root ## freeze, then install, upgrade, remove and purge the packages on computers that boot (many minutes)
	SLOPN_BUNDLES="$${SLOPN_BUNDLES:-$(FROZEN)}" $(TESTS) -m pytest -m packages tests/packages $(ARGS)

freeze: setup ## the programs with Python and all their libraries, three folders of them, checked, in .cache/freeze/bundles
	@$(PYTHON) -m tools.freeze $(ARGS)

audit: setup ## known holes in what is pinned: Python, Rust, npm; needs the advisory databases
	@$(PYTHON) -m tools.audit

dist: setup ## everything a release consists of, into dist/: packages, signed repositories, sums, signatures (ARGS=--help)
	@$(PYTHON) -m tools.dist $(ARGS)

boot-root: setup ## make the bare Debian or Ubuntu that tests boot a real systemd in
	@$(ROOT) $(TOOL).boot_root

docs: setup ## build the site for users into .cache/site; a link that leads nowhere fails
	@$(PYTHON) -m tools.site $(ARGS)

reference: setup ## write docs/reference-*.md anew from the code: commands, settings, messages
	@$(PYTHON) -m tools.reference

ui: setup ## the window's page in a browser, against a helper that is made up; edits show at once
	@$(PYTHON) -m tools.ui serve

ui-test: setup ## the window's page: types, format, unit tests, then every page and state in Chromium
	@$(PYTHON) -m tools.ui check test build fake
	PYTHONPATH=tests $(PYTHON) -m pytest tests/ui $(ARGS)

clean: ## remove the environment, build outputs and caches
	rm -rf .venv .cache app/ui/dist app/ui/node_modules app/ui/src/generated helper/engine/target helper/engine/fuzz/target .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find app helper tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
