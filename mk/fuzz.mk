# SPDX-License-Identifier: BSD-2-Clause
# Fuzz targets. Each tests/fuzz/fuzz_NAME.c becomes build/fuzz/tests/fuzz/fuzz_NAME, by clang with
# libFuzzer's instrumentation and both sanitizers, linked with the other .c files of its folder and
# those of tests/path that are no programs. They take from the library only what they name, so that
# little is instrumented that a target does not reach.

CC_fuzz := clang
# With instruments in them some loops are not unrolled as drivers ask.
CFLAGS_fuzz := $(SANITIZE) -fsanitize=fuzzer-no-link -Wno-pass-failed
$(eval $(call variant_rules,fuzz))
$(eval $(call test_library,fuzz))
# The tests themselves are not what is tested: without instruments they are fast, and what libFuzzer
# takes for new is new in the kernel.
build/fuzz/tests/%.o: CFLAGS_fuzz :=

FUZZ_MAINS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_OTHERS := $(filter-out $(FUZZ_MAINS),$(wildcard tests/fuzz/*.c)) \
    $(filter-out $(TEST_MAINS),$(wildcard tests/path/*.c))
build/fuzz/tests/fuzz/shared.a: $(FUZZ_OTHERS:%.c=build/fuzz/%.o)
	@rm -f $@
	@ar qcS $@ $^
	@ranlib $@

# $(call fuzz_program,MAIN)
define fuzz_program
build/fuzz/$(basename $(1)): build/fuzz/$(basename $(1)).o build/fuzz/tests/fuzz/shared.a build/fuzz/libtowpath.a
	@echo "  LD  fuzz  $$@"
	@clang $(CFLAGS_fuzz) -fsanitize=fuzzer -o $$@ $$^ $(LIBRARIES)
endef
$(foreach m,$(FUZZ_MAINS),$(eval $(call fuzz_program,$(m))))

.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_MAINS:%.c=build/fuzz/%)

# One target for MIN minutes, on JOBS cores; without T they are listed.
MIN ?= 10
JOBS ?= 2
fuzz:
	@tools/deps.sh build test
	@$(PYTHON) tools/fuzz.py $(if $(T),run $(T) --minutes $(MIN) --jobs $(JOBS),list)
