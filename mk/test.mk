# SPDX-License-Identifier: BSD-2-Clause
# Test programs. In tests/*/ each test_NAME.c and each run.c is a program; the other .c files of the
# folder are linked into all of its programs. They are linked with everything there is, as a library:
# the kernel, all modules, paths and rules, the Linux ground without its main, and every graph, as
# graph_NAME and in the table graph_list (tests/graphs.h).

LIBRARY_SRC := $(sort $(filter-out $(HOSTED_MAIN),$(HOSTED_SRC)) $(wildcard drivers/*.c) \
    $(wildcard modules/*/*.c paths/*.c paths/rules/*.c))

build/graph/list.c: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '/* SPDX-License-Identifier: BSD-2-Clause */' '#include "tests/graphs.h"' \
	    $(foreach g,$(ALL_GRAPHS),'extern const struct graph $(call graph_symbol,$(g));') \
	    'const struct graph *const graph_list[] = {' \
	    $(foreach g,$(ALL_GRAPHS),'    &$(call graph_symbol,$(g)),') '    NULL,' '};' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# $(call test_library,VARIANT)
define test_library
build/$(1)/graph/%.named.o: build/graph/%/graph.c build/$(1)/flags
	@mkdir -p $$(@D)
	@$(CC_$(1)) $(CFLAGS_ALL) $(CFLAGS_$(1)) -DGRAPH_SYMBOL=$$(call graph_symbol,$$*) -c $$< -o $$@

LIBRARY_OBJ_$(1) := $(patsubst %.c,build/$(1)/%.o,$(LIBRARY_SRC) build/graph/list.c) \
    $(ALL_GRAPHS:%=build/$(1)/graph/%.named.o)
$(call text_file,build/$(1)/libtowpath.list,$$(LIBRARY_OBJ_$(1)))
build/$(1)/libtowpath.a: $$(LIBRARY_OBJ_$(1)) build/$(1)/libtowpath.list
	@echo "  AR  $(1)  $$@"
	@rm -f $$@
	@ar qcS $$@ $$(LIBRARY_OBJ_$(1))
	@ranlib $$@
endef
$(foreach v,$(VARIANTS),$(eval $(call test_library,$(v))))

TEST_MAINS := $(wildcard tests/*/test_*.c tests/*/run.c)
# The simulation lets allocations fail (tests/sim/alloc.h).
WRAP_sim := -Wl,--wrap=pool_alloc,--wrap=msg_alloc,--wrap=msg_alloc_class
# Files that a folder has from another one.
BORROWED_tests/differ/ := tests/unit/fixture.c tests/unit/tcp_link.c tests/unit/tcp_nodes.c
# $(call test_program,VARIANT,MAIN,OTHERS): -lcmocka only where it is used
define test_program
build/$(1)/$(basename $(2)): build/$(1)/$(basename $(2)).o $(patsubst %.c,build/$(1)/%.o,$(3)) build/$(1)/libtowpath.a
	@echo "  LD  $(1)  $$@"
	@$(CC_$(1)) $(CFLAGS_$(1)) $(WRAP_$(notdir $(patsubst %/,%,$(dir $(2))))) -o $$@ $$^ -Wl,--as-needed $(LIBRARIES) -lcmocka -lm
TEST_PROGRAMS += build/$(1)/$(basename $(2))
endef
$(foreach v,$(VARIANTS),$(foreach m,$(TEST_MAINS),\
    $(eval $(call test_program,$(v),$(m),$(filter-out $(TEST_MAINS),$(wildcard $(dir $(m))*.c)) $(BORROWED_$(dir $(m)))))))

.PHONY: test-programs test test-long
test-programs: $(TEST_PROGRAMS)

# `make test` and `make test-long` are one program; it builds what it runs.
test:
	@tools/deps.sh build lab test lint iso
	@$(PYTHON) tools/runtests.py

test-long:
	@tools/deps.sh build lab test lint iso
	@$(PYTHON) tools/runtests.py --long
