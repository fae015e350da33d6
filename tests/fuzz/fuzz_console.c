/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Characters typed at the console of a forwarder with a connection. Inside an answer there is no
 * empty line (docs/TRICKS.md), every line typed is answered, and no answer is without bound.
 */
#include <string.h>

#include "boot/hosted/ground.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/rig.h"
#include "tests/fuzz/talk.h"

extern const struct graph graph_firewall;

enum { ANSWER = 200000 };
static const char prompt[] = "\ntowpath> ";

static char last[2]; /* what was printed before */
static uint32_t printed, prompts;
static size_t matched; /* of the prompt */

static void put(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printed++;
        HOLDS(text[i] == '\n' || text[i] == '\b' || (text[i] >= ' ' && text[i] < 127),
              "what is printed can be read");
        matched = text[i] == prompt[matched] ? matched + 1 : text[i] == prompt[0];
        if (matched == sizeof prompt - 1) {
            prompts++;
            matched = 0;
        }
        HOLDS(!(last[0] == '\n' && last[1] == '\n' && text[i] == '\n'), "one empty line at most");
        last[0] = last[1];
        last[1] = text[i];
    }
    HOLDS(printed < ANSWER, "an answer has an end");
}

static void start(void)
{
    rig_start(&graph_firewall, "idle=900s");
    talk_open(8080);
    HOLDS(talkers[1].open, "there is a connection");
}

static void input(const uint8_t *data, size_t n)
{
    uint32_t lines = 0;
    ground_console(put);
    memset(last, 0, sizeof last);
    printed = prompts = 0;
    matched = 0;
    for (size_t i = 0; i < n; i++) {
        lines += data[i] == '\n' || data[i] == '\r';
        printed = 0;
        kernel_console(kernel, data[i]);
    }
    HOLDS(prompts == lines, "each line is answered");
    HOLDS(kernel->ninput < sizeof kernel->input, "what is typed is bounded");
    kernel->stopping = kernel->stop_now = false; /* quit */
    rig_run();
    kernel->ninput = 0;
}

static void settle(void)
{
    char words[] = "set idle=900s"; /* it may have been set to 500 years */
    for (const char *c = words; *c; c++)
        kernel_console(kernel, *c);
    kernel_console(kernel, '\n');
    kernel->pool.limit = UINT32_MAX;
    rig_settle();
}

const struct target target = {5000, start, input, settle};
