# SPDX-License-Identifier: BSD-2-Clause
# What every ground shares: the compiler's flags, the list of graphs, the graph compiler, and how a
# change of flags or of a list of objects makes things be built again. Included by the Makefile.

ifeq ($(origin CC),default)
CC := gcc
endif
O ?= 2

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
# Includes are spelled from the root; -MMD writes down which headers an object was made from, -MP
# keeps make going when one of them is deleted.
CFLAGS_ALL := -std=c11 $(WARNINGS) -O$(O) -g -I. -MMD -MP -ffunction-sections -fdata-sections
# Libraries that modules stand on, the same on both grounds: BearSSL (modules/login), llhttp
# (modules/http), which comes as sources. As system headers, so they are not held to our warnings.
CFLAGS_ALL += -isystem /usr/include/bearssl -isystem /usr/share/llhttp -isystem /usr/share/include/llhttp
LIBRARIES := -lbearssl

# Sources that are linked into everything, whatever the graph says.
KERNEL_SRC := $(wildcard kernel/*.c) $(wildcard modules/wire/*.c)

# Graphs: config/ holds those for users, tests/*/ those that only tests want.
GRAPH_FILES := $(wildcard config/*.graph) $(wildcard tests/*/*.graph)
ALL_GRAPHS := $(sort $(basename $(notdir $(GRAPH_FILES))))
GRAPH ?= firewall-1path
ifeq ($(GRAPH),all)
GRAPHS := $(ALL_GRAPHS)
else
GRAPHS := $(GRAPH)
endif
UNKNOWN_GRAPHS := $(filter-out $(ALL_GRAPHS),$(GRAPHS))
ifneq ($(UNKNOWN_GRAPHS),)
$(error no graph $(UNKNOWN_GRAPHS); expected one of: $(ALL_GRAPHS))
endif

FORCE:
.PHONY: FORCE
# A recipe that fails half way must not leave a target that looks new.
.DELETE_ON_ERROR:
# No built-in rules: what is not written here is not done.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

# A file that holds a line of text and changes only when the text does. Objects depend on the file
# with their flags, programs on the one with their list of objects (a deleted source is noticed).
# $(call text_file,FILE,TEXT)
define text_file
$(1): FORCE
	@mkdir -p $$(@D)
	@echo '$(2)' | cmp -s - $$@ || echo '$(2)' > $$@
endef

# The graph compiler. It writes graph.c and graph.mk only when their text changes, so the stamp
# says when it ran, and an unchanged graph.c compiles nothing again.
MKGRAPH := tools/mkgraph.py --root .
MKGRAPH_INPUT := tools/mkgraph.py $(wildcard tools/graph/*.py) kernel/node.h \
    $(wildcard kernel/*.module modules/*/*.module tests/*/*.module)

# $(call graph_rules,GRAPH,FILE)
define graph_rules
build/graph/$(1)/stamp: $(2) $(MKGRAPH_INPUT)
	@tools/deps.sh build
	@mkdir -p $$(@D)
	@$(MKGRAPH) --out build/graph/$(1) $(2)
	@touch $$@
build/graph/$(1)/graph.c build/graph/$(1)/graph.mk: build/graph/$(1)/stamp ;
endef
$(foreach f,$(GRAPH_FILES),$(eval $(call graph_rules,$(basename $(notdir $(f))),$(f))))

# graph.mk says GRAPH_SRC_name := the sources of the modules, paths and rules of that graph. make
# makes it first and starts over; goals that build nothing do without.
PLAIN_GOALS := help clean deps lint format demo run test test-long fuzz show gdb bench coverage build/%.o build/%.a
ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),help)),)
include $(GRAPHS:%=build/graph/%/graph.mk)
endif
