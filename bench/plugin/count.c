/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU TCG plugin that counts what a guest executes: instructions, and when asked loads, stores
 * and accesses to devices. The counters lie in a shared file, so whoever started QEMU reads them at
 * any moment and takes the difference of two readings; nothing in the guest is marked or changed.
 *
 *     -plugin build/bench/count.so,out=FILE[,mem=on][,io=on][,hot=FILE]
 *
 * FILE is four 64-bit numbers of this machine's byte order: instructions, loads, stores, device
 * accesses. An instruction is counted when it starts, one by one: counting by blocks would count
 * those that an exception or interrupt keeps from running. For guests with one processor.
 * hot: at the end, one line per address that was executed, `address times`, as often as QEMU
 * translated it; bench/instructions.py --hot adds them up by function.
 * A file that cannot be mapped ends QEMU with a line on standard error.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The part of QEMU 7.2's plugin interface (version 1) that is used here. */
typedef uint64_t plugin_id;
typedef uint32_t plugin_meminfo;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
enum plugin_op { OP_ADD_U64 };
enum plugin_rw { RW_READ = 1, RW_WRITE = 2, RW_BOTH = 3 };
enum plugin_regs { REGS_NONE };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*cb)(plugin_id id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum plugin_op op,
                                                void *at, uint64_t add);
void qemu_plugin_register_vcpu_mem_inline(struct qemu_plugin_insn *insn, enum plugin_rw rw,
                                          enum plugin_op op, void *at, uint64_t add);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                      void (*cb)(unsigned cpu, plugin_meminfo info, uint64_t addr,
                                                 void *arg),
                                      enum plugin_regs regs, enum plugin_rw rw, void *arg);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(plugin_meminfo info, uint64_t addr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *at);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*cb)(plugin_id id, void *arg), void *arg);

#define EXPORT __attribute__((visibility("default")))
struct plugin_info;
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv);

struct counters {
    uint64_t instructions, loads, stores, io;
};

static struct counters *counters;
static bool count_mem, count_io;

struct spot { /* an instruction as translated once */
    struct spot *next;
    uint64_t addr, times;
};

static struct spot *spots;
static const char *hot;

static void access_done(unsigned cpu, plugin_meminfo info, uint64_t addr, void *arg)
{
    const struct qemu_plugin_hwaddr *at = qemu_plugin_get_hwaddr(info, addr);
    (void)cpu;
    (void)arg;
    if (at && qemu_plugin_hwaddr_is_io(at))
        counters->io++;
}

static void count_spot(struct qemu_plugin_insn *insn)
{
    struct spot *s = calloc(1, sizeof *s);
    if (!s)
        return;
    s->addr = qemu_plugin_insn_vaddr(insn);
    s->next = spots;
    spots = s;
    qemu_plugin_register_vcpu_insn_exec_inline(insn, OP_ADD_U64, &s->times, 1);
}

static void spots_write(plugin_id id, void *arg)
{
    FILE *f = fopen(hot, "w");
    (void)id;
    (void)arg;
    if (!f) {
        fprintf(stderr, "count: hot=%s cannot be written\n", hot);
        return;
    }
    for (const struct spot *s = spots; s; s = s->next)
        if (s->times)
            fprintf(f, "%llx %llu\n", (unsigned long long)s->addr, (unsigned long long)s->times);
    fclose(f);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, OP_ADD_U64, &counters->instructions, 1);
        if (hot)
            count_spot(insn);
        if (count_mem) {
            qemu_plugin_register_vcpu_mem_inline(insn, RW_READ, OP_ADD_U64, &counters->loads, 1);
            qemu_plugin_register_vcpu_mem_inline(insn, RW_WRITE, OP_ADD_U64, &counters->stores, 1);
        }
        if (count_io)
            qemu_plugin_register_vcpu_mem_cb(insn, access_done, REGS_NONE, RW_BOTH, NULL);
    }
}

static struct counters *counters_map(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct counters)) == 0)
        at = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return at == MAP_FAILED ? NULL : at;
}

int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
    const char *out = NULL;
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = argv[i] + 4;
        } else if (strncmp(argv[i], "hot=", 4) == 0) {
            hot = argv[i] + 4;
        } else if (strcmp(argv[i], "mem=on") == 0) {
            count_mem = true;
        } else if (strcmp(argv[i], "io=on") == 0) {
            count_io = true;
        } else {
            fprintf(stderr, "count: argument %s; expected out=FILE, mem=on, io=on, hot=FILE\n",
                    argv[i]);
            return -1;
        }
    }
    counters = out ? counters_map(out) : NULL;
    if (!counters) {
        fprintf(stderr, "count: out=%s cannot be mapped\n", out ? out : "(missing)");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    if (hot)
        qemu_plugin_register_atexit_cb(id, spots_write, NULL);
    return 0;
}
