/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing capture files. Written in nanoseconds, so that virtual time survives. */
#include "drivers/hosted/pcapfile.h"

#include <errno.h>
#include <string.h>

enum { LINK_ETHERNET = 1, FRAME_MAX = 262144 };
static const uint32_t magic_us = 0xa1b2c3d4, magic_ns = 0xa1b23c4d;

static uint32_t turn(const struct pcapfile *p, uint32_t v)
{
    return p->swapped ? __builtin_bswap32(v) : v;
}

static status_t refuse(struct pcapfile *p, const char *why)
{
    fprintf(stderr, "%s: %s\n", p->name, why);
    pcapfile_close(p);
    return E_NODEV;
}

status_t pcapfile_read(struct pcapfile *p, const char *name)
{
    uint32_t head[6];
    *p = (struct pcapfile){.f = fopen(name, "rb"), .name = name};
    if (!p->f)
        return refuse(p, strerror(errno));
    if (fread(head, sizeof head, 1, p->f) != 1)
        return refuse(p, "too short for a capture file");
    uint32_t magic = head[0];
    p->swapped = magic == __builtin_bswap32(magic_us) || magic == __builtin_bswap32(magic_ns);
    magic = turn(p, magic);
    if (magic != magic_us && magic != magic_ns)
        return refuse(p, "not a capture file of the classic format");
    if ((turn(p, head[5]) & 0xffff) != LINK_ETHERNET)
        return refuse(p, "a capture of frames that are not Ethernet's");
    p->scale = magic == magic_ns ? 1 : US;
    return OK;
}

status_t pcapfile_write(struct pcapfile *p, const char *name)
{
    const uint32_t head[6] = {magic_ns, 2 | 4 << 16, 0, 0, FRAME_MAX, LINK_ETHERNET};
    *p = (struct pcapfile){.f = fopen(name, "wb"), .name = name, .scale = 1};
    if (!p->f)
        return refuse(p, strerror(errno));
    if (fwrite(head, sizeof head, 1, p->f) != 1)
        return refuse(p, "cannot be written");
    return OK;
}

bool pcapfile_next(struct pcapfile *p, uint64_t *ns, uint8_t *frame, size_t room, size_t *n)
{
    uint32_t head[4];
    if (!p->f || fread(head, sizeof head, 1, p->f) != 1)
        return false;
    size_t have = turn(p, head[2]), take = have < room ? have : room;
    if (have > FRAME_MAX || fread(frame, 1, take, p->f) != take ||
        fseek(p->f, (long)(have - take), SEEK_CUR) != 0) {
        fprintf(stderr, "%s: damaged; the frames before the damage are used\n", p->name);
        pcapfile_close(p);
        return false;
    }
    *ns = (uint64_t)turn(p, head[0]) * SECOND + (uint64_t)turn(p, head[1]) * p->scale;
    *n = have;
    return true;
}

void pcapfile_add(struct pcapfile *p, uint64_t ns, const uint8_t *frame, size_t n)
{
    const uint32_t head[4] = {(uint32_t)(ns / SECOND), (uint32_t)(ns % SECOND), (uint32_t)n,
                              (uint32_t)n};
    if (!p->f)
        return;
    if (fwrite(head, sizeof head, 1, p->f) != 1 || (n && fwrite(frame, n, 1, p->f) != 1)) {
        fprintf(stderr, "%s: cannot be written to any more\n", p->name);
        pcapfile_close(p);
    }
}

void pcapfile_close(struct pcapfile *p)
{
    if (p->f)
        fclose(p->f);
    p->f = NULL;
}
