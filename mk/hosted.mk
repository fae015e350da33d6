# SPDX-License-Identifier: BSD-2-Clause
# The Linux program, in three variants: build/hosted (optimised), build/asan-gcc and
# build/asan-clang (address and undefined behaviour sanitizers). An object is compiled once per
# variant, whatever graphs it goes into: build/VARIANT/kernel/msg.o, build/VARIANT/GRAPH.

HOSTED_SRC := $(KERNEL_SRC) $(wildcard boot/hosted/*.c drivers/hosted/*.c) $(wildcard drivers/loop.c)
HOSTED_MAIN := boot/hosted/main.c

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
VARIANTS := hosted asan-gcc asan-clang
CC_hosted := $(CC)
CFLAGS_hosted :=
CC_asan-gcc := gcc
CFLAGS_asan-gcc := $(SANITIZE)
CC_asan-clang := clang
# Only clang looks for numbers that wrap or are cut where nobody means it; mk/wraps.list says where somebody does.
INTEGERS := -fsanitize=unsigned-integer-overflow,unsigned-shift-base,implicit-conversion \
    -fno-sanitize-recover=all -fsanitize-ignorelist=mk/wraps.list
# What is asked to be unrolled and cannot be with a check in it is not.
CFLAGS_asan-clang := $(SANITIZE) $(INTEGERS) -Wno-pass-failed
# Not among VARIANTS: tools/coverage.py says VARIANTS=cover. A branch is one of the source, and counted once, only at
# -O0 and when no function is written into each of its callers.
CC_cover := gcc
CFLAGS_cover := --coverage -fprofile-update=atomic -O0 -Dalways_inline=

# graph_firewall_1path: the name a graph has in a program that links several.
graph_symbol = graph_$(subst -,_,$(1))

# $(call variant_rules,VARIANT)
define variant_rules
$(call text_file,build/$(1)/flags,$(CC_$(1)) $(CFLAGS_ALL) $(CFLAGS_$(1)))

build/$(1)/%.o: %.c build/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  CC  $(1)  $$<"
	@$(CC_$(1)) $(CFLAGS_ALL) $(CFLAGS_$(1)) -c $$< -o $$@

build/$(1)/graph/%.o: build/graph/%/graph.c build/$(1)/flags
	@mkdir -p $$(@D)
	@$(CC_$(1)) $(CFLAGS_ALL) $(CFLAGS_$(1)) -c $$< -o $$@
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$(v))))

# $(call hosted_program,VARIANT,GRAPH)
define hosted_program
OBJ_$(1)_$(2) := $(patsubst %.c,build/$(1)/%.o,$(sort $(HOSTED_SRC) $(GRAPH_SRC_$(2)))) build/$(1)/graph/$(2).o
$(call text_file,build/$(1)/graph/$(2).list,$$(OBJ_$(1)_$(2)))
build/$(1)/$(2): $$(OBJ_$(1)_$(2)) build/$(1)/graph/$(2).list
	@echo "  LD  $(1)  $$@"
	@$(CC_$(1)) $(CFLAGS_$(1)) -Wl,--gc-sections -o $$@ $$(OBJ_$(1)_$(2)) $$(LIBRARIES)
endef
$(foreach v,$(VARIANTS),$(foreach g,$(GRAPHS),$(eval $(call hosted_program,$(v),$(g)))))

.PHONY: host asan
host: $(GRAPHS:%=build/hosted/%)
asan: $(foreach v,asan-gcc asan-clang,$(GRAPHS:%=build/$(v)/%))


# tools/badwire.c: the links of the simulation between interfaces of this machine.
BADWIRE_OBJ := $(patsubst %.c,build/hosted/%.o,tools/badwire.c $(sort $(filter-out $(HOSTED_MAIN),$(HOSTED_SRC))))
build/hosted/tools/badwire: $(BADWIRE_OBJ)
	@echo "  LD  hosted  $@"
	@$(CC_hosted) $(CFLAGS_hosted) -Wl,--gc-sections -o $@ $^

.PHONY: badwire
badwire: build/hosted/tools/badwire
