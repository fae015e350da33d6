# SPDX-License-Identifier: BSD-2-Clause
# Towpath. `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
#
# The rules are in mk/: common (flags, graphs), hosted (the Linux program), x86_64 (the image that
# boots), test. Everything that is made goes under build/, which `make clean` removes.

.DEFAULT_GOAL := help

include mk/common.mk
include mk/hosted.mk
include mk/x86_64.mk
include mk/test.mk
include mk/fuzz.mk

# What the compilers wrote down with -MMD: the headers each object was made from.
-include $(shell find build -path build/newlib -prune -o -name '*.d' -print 2>/dev/null)

NIC ?= e1000
PYTHON := /usr/bin/python3

.PHONY: help deps demo run show gdb lint format bench coverage clean

help:
	@echo "make demo              boot a forwarder in QEMU, fetch a file through it, show what happens"
	@echo "make test              all tests but the long ones (at most 20 minutes); make test-long: the rest"
	@echo "make fuzz T=tcp MIN=60    one fuzz target for so many minutes; without T: lists them"
	@echo "make run               boot GRAPH between two namespaces, its console on this terminal"
	@echo "make host              build/hosted/GRAPH, the same sources as a Linux program"
	@echo "make image             build/x86_64/GRAPH.elf, for QEMU -kernel, GRUB and iPXE"
	@echo "make iso               build/x86_64/GRAPH.iso, for CD and USB, BIOS and UEFI"
	@echo "make badwire           build/hosted/tools/badwire, a wire with faults between two interfaces"
	@echo "make show              draw GRAPH: text here, SVG under build/graph/"
	@echo "make gdb               boot GRAPH and wait for a debugger"
	@echo "make lint              who includes whom, formatting, licence lines, static analysis"
	@echo "make format            lay out every C file as lint wants it"
	@echo "make bench             what it costs, beside Linux and beside the paper; QUICK=1 for some minutes"
	@echo "make coverage          which branches of the network code the fast tests take, by file"
	@echo "make asan              the Linux program with sanitizers, by gcc and by clang"
	@echo "make deps              install every package that any of this needs"
	@echo "make clean             remove build/"
	@echo
	@echo "GRAPH=$(GRAPH)   one or several of: $(ALL_GRAPHS), or all"
	@echo "NIC=$(NIC)   one of: e1000 e1000e tulip virtio"
	@echo "CC=$(CC)   gcc or clang      O=$(O)   0 to 3"

# The dependencies come first, and make starts again behind them: the graph compiler and the
# compilers that the rules above want may not be there before.
deps:
	@tools/deps.sh build lab test lint iso

demo:
	@tools/deps.sh build lab
	@$(PYTHON) tools/demo.py

run:
	@tools/deps.sh build lab
	@$(MAKE) --no-print-directory image GRAPH=$(GRAPH)
	@$(PYTHON) tools/lab.py run --graph $(GRAPH) --nic $(NIC)

gdb:
	@tools/deps.sh build lab
	@$(MAKE) --no-print-directory image GRAPH=$(GRAPH)
	@$(PYTHON) tools/lab.py run --graph $(GRAPH) --nic $(NIC) --gdb

show:
	@tools/deps.sh build
	@$(foreach g,$(GRAPHS),$(MKGRAPH) --show --out build/graph/$(g) $(filter %/$(g).graph,$(GRAPH_FILES));)

lint:
	@tools/deps.sh lint
	@$(PYTHON) tools/lint.py

# All rows, at most an hour; QUICK=1: six of them in some minutes.
bench:
	@tools/deps.sh build lab bench
	@$(MAKE) --no-print-directory image GRAPH=all
	@$(PYTHON) bench/run.py $(if $(QUICK),--quick)

coverage:
	@tools/deps.sh build test
	@$(PYTHON) tools/coverage.py

format:
	@tools/deps.sh lint
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i

clean:
	@rm -rf build
