# Two commands do everything on a fresh Debian machine with Rust:
#   make demo    the main job, live, on a real Odoo 19 (ONCE=1: check and exit)
#   make test    every test, on a real Odoo 19

CARGO  ?= cargo
SECONDS = 15
SERIES ?= 19.0
BINARY  = target/debug/g-assistant
ODOO    = tests/odoo/odoo-env

.PHONY: help demo test bench bench-table check unit addon-test integration torture torture-short fuzz deny odoo addon package \
	test-package clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: build ## The main job, live; ONCE=1 checks it and exits
	python3 tests/demo/demo.py --binary $(BINARY) $(if $(ONCE),--once)

test: check unit addon-test integration torture-short ## Everything, on the real Odoo

# The stores that are measured must be on a real disk, which /tmp often is not; and 1,024 connections need descriptors.
bench: ## Every figure against its baseline (half an hour); ONLY=push,pull QUICK=1 PUBLISH=1
	$(ODOO) setup
	mkdir -p target/bench/tmp
	ulimit -n 16384 && TMPDIR=$(CURDIR)/target/bench/tmp $(CARGO) bench --locked --bench bench -- \
		$(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(PUBLISH),--publish)

bench-table: ## What was measured last, as a table for the README
	@$(CARGO) bench --quiet --locked --bench bench -- --markdown

build:
	$(CARGO) build --locked

check: ## Formatting and lints
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings

unit: ## Tests without Odoo
	$(CARGO) test --locked --lib --bins --test architecture --test fuzz_corpus --test torture_parts

# They wait more than they compute: half as many again as there are cores.
integration: build ## The daemon against the real Odoo, crashes included
	$(CARGO) test --locked --test it -- --test-threads=$$(( $$(nproc) * 3 / 2 ))

torture: build ## Real faults for more than an hour; SEED=7 repeats a run, ONLY=a,b takes some of it
	$(CARGO) test --locked --test torture -- --long $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

torture-short: build ## The same in a few minutes
	$(CARGO) test --locked --test torture -- $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

addon-test: ## The addon's lints and its own tests, inside the real Odoo; its installation, upgrade and removal
	odoo-addon/lint
	odoo-addon/test-addon
	odoo-addon/test-lifecycle

fuzz: ## Random bytes for whatever reads foreign ones; SECONDS=15 for each target
	tests/fuzz/run $(SECONDS)

deny: ## Licences, banned crates, and known flaws where their database can be had
	.ci/deny

odoo: ## A real Odoo 19 with CRM and Sales, for tests and demos
	$(ODOO) setup

addon: ## An installable folder and a zip under target/addon/$(SERIES)
	odoo-addon/build-addon $(SERIES)

package: ## A Debian package under target/debian
	packaging/build-deb

test-package: package ## Installs, runs and purges it in a Debian of its own (root, systemd-container)
	packaging/test-deb

clean: ## Stop the test servers and remove their databases
	$(ODOO) stop --all
	$(ODOO) dropall
