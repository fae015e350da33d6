# SPDX-License-Identifier: BSD-2-Clause
# The image that boots: newlib, the objects of the bare machine, build/x86_64/GRAPH.elf, the ISO.
# An object is compiled once, whatever graphs it goes into.

# newlib, once, by gcc whatever CC is, from Debian's source package. Its headers and those of the
# compiler itself (stdint, stdarg) are all that C sees here.
NEWLIB := build/newlib
# Told not to be Linux: the host's compiler is used for a machine without a system.
NOT_LINUX := -U__linux__ -U__linux -Ulinux -U__gnu_linux__ -U__unix__ -U__unix -Uunix
NEWLIB_CFLAGS := -O2 -w -fno-pic -fno-pie -ffunction-sections -fdata-sections -fno-stack-protector $(NOT_LINUX)
NEWLIB_CONFIG := --host=x86_64-pc-elf --build=x86_64-pc-linux-gnu --disable-multilib --disable-newlib-multithread \
    --disable-newlib-iconv --disable-newlib-mb --enable-newlib-io-long-long --enable-newlib-io-c99-formats \
    --disable-newlib-io-pos-args --disable-newlib-wide-orient --disable-newlib-fseek-optimization \
    --disable-dependency-tracking

$(eval $(call text_file,build/newlib.config,$(NEWLIB_CFLAGS) $(NEWLIB_CONFIG)))

$(NEWLIB)/libc.a: build/newlib.config
	@tools/deps.sh build
	@echo "  newlib (once, about a minute)"
	@rm -rf $(NEWLIB) && mkdir -p $(NEWLIB)/source $(NEWLIB)/build
	@tar -xf "$$(ls /usr/src/newlib/newlib-*.tar.xz | tail -n 1)" -C $(NEWLIB)/source --strip-components=1
	@cd $(NEWLIB)/build && { CC=gcc AR=ar RANLIB=ranlib CFLAGS="$(NEWLIB_CFLAGS)" \
	    ../source/newlib/configure -C $(NEWLIB_CONFIG) && $(MAKE) --no-print-directory; \
	    } > log 2>&1 || { tail -n 20 log; exit 1; }
	@cp -r $(NEWLIB)/source/newlib/libc/include $(NEWLIB)/include
	@cp -r $(NEWLIB)/build/targ-include/. $(NEWLIB)/include
	@rm -f $(NEWLIB)/include/stdatomic.h # the compiler's own is complete, this one is not for clang
	@cp $(NEWLIB)/build/libc.a $@.new
	@rm -rf $(NEWLIB)/source $(NEWLIB)/build
	@mv $@.new $@

# No position-independent code: the image runs where it is linked. The red zone may stay, because
# every trap and interrupt enters on a stack of its own (boot/x86_64/trap.c).
# One step more than what is tested elsewhere: where packets flow it saves one instruction in twenty-five.
X86_O := $(if $(filter 2,$(O)),-O3)
X86_CFLAGS := $(X86_O) -m64 -march=x86-64 -mcmodel=small -fno-pic -fno-pie -fstack-protector-strong -fno-asynchronous-unwind-tables \
    -fno-common $(NOT_LINUX) -nostdinc -isystem $(shell $(CC) -print-file-name=include 2>/dev/null) -isystem $(NEWLIB)/include
X86_LDFLAGS := -m64 -nostdlib -static -Wl,-T,boot/x86_64/link.ld -Wl,--gc-sections -Wl,-z,max-page-size=4096 \
    -Wl,-z,noexecstack -Wl,--build-id=none
X86_SRC := $(KERNEL_SRC) $(wildcard boot/x86_64/*.c drivers/*.c)
X86_ASM := $(wildcard boot/x86_64/*.S)

# No path of the machine that builds gets into what is built. The path is not among the flags that are written down: a
# tree that was moved need not be built anew.
PATHLESS := -ffile-prefix-map=$(CURDIR)=.

$(eval $(call text_file,build/x86_64/flags,$(CC) $(CFLAGS_ALL) $(X86_CFLAGS) -ffile-prefix-map))

build/x86_64/%.o: %.c build/x86_64/flags $(NEWLIB)/libc.a
	@mkdir -p $(@D)
	@echo "  CC  x86_64  $<"
	@$(CC) $(CFLAGS_ALL) $(X86_CFLAGS) $(PATHLESS) -c $< -o $@

build/x86_64/%.asm.o: %.S build/x86_64/flags
	@mkdir -p $(@D)
	@echo "  AS  x86_64  $<"
	@$(CC) -m64 -g $(PATHLESS) -I. -MMD -MP -c $< -o $@

build/x86_64/graph/%.o: build/graph/%/graph.c build/x86_64/flags $(NEWLIB)/libc.a
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS_ALL) $(X86_CFLAGS) $(PATHLESS) -c $< -o $@

# GRAPH.elf64 is for debuggers, with symbols; GRAPH.elf the image for Multiboot loaders: the same
# 64-bit code in a 32-bit ELF file, which is what QEMU, iPXE and Multiboot 1 read.
# $(call x86_program,GRAPH)
define x86_program
X86_OBJ_$(1) := $(patsubst %.S,build/x86_64/%.asm.o,$(X86_ASM)) \
    $(patsubst %.c,build/x86_64/%.o,$(sort $(X86_SRC) $(GRAPH_SRC_$(1)))) build/x86_64/graph/$(1).o
$(call text_file,build/x86_64/graph/$(1).list,$$(X86_OBJ_$(1)))
build/x86_64/$(1).elf64: $$(X86_OBJ_$(1)) build/x86_64/graph/$(1).list boot/x86_64/link.ld $(NEWLIB)/libc.a
	@echo "  LD  x86_64  $$@"
	@$(CC) $(X86_LDFLAGS) -o $$@ $$(X86_OBJ_$(1)) $(LIBRARIES) $(NEWLIB)/libc.a -lgcc
build/x86_64/$(1).elf: build/x86_64/$(1).elf64
	@objcopy --strip-all -O elf32-i386 $$< $$@
endef
$(foreach g,$(GRAPHS),$(eval $(call x86_program,$(g))))

.PHONY: image iso
image: $(GRAPHS:%=build/x86_64/%.elf)



# A CD and USB image for BIOS and UEFI. GRUB's modules are those that grub.cfg needs; its fonts and
# languages stay out. SETTINGS: a file of settings to put onto it.
SETTINGS ?= boot/grub/settings.txt
GRUB_MODULES := normal multiboot2 serial iso9660 part_msdos part_gpt configfile echo

# $(call iso_rule,GRAPH)
define iso_rule
build/x86_64/$(1).iso: build/x86_64/$(1).elf boot/grub/grub.cfg $(SETTINGS)
	@tools/deps.sh iso
	@rm -rf build/iso/$(1) && mkdir -p build/iso/$(1)/boot/grub
	@cp build/x86_64/$(1).elf build/iso/$(1)/boot/towpath.elf
	@cp $(SETTINGS) build/iso/$(1)/boot/settings.txt
	@cp boot/grub/grub.cfg build/iso/$(1)/boot/grub/grub.cfg
	@echo "  ISO $$@"
	@grub-mkrescue -o $$@ --install-modules="$(GRUB_MODULES)" --fonts= --locales= --themes= build/iso/$(1) \
	    > build/iso/$(1).log 2>&1 || { cat build/iso/$(1).log; exit 1; }
endef
$(foreach g,$(GRAPHS),$(eval $(call iso_rule,$(g))))

iso: $(GRAPHS:%=build/x86_64/%.iso)
