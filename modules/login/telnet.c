/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TELNET as the login proxy needs it (RFC 854, RFC 855): commands are taken out of what the user
 * types, every option but our own ECHO is refused, subnegotiations are skipped. A line ends with
 * CR LF, CR NUL, a lone LF (netcat), or CR and anything else, which then begins the next line.
 */
#include "modules/login/login.h"

enum { IN_DATA, IN_CR, IN_COMMAND, IN_OPTION, IN_SUB, IN_SUB_IAC };
enum { NUL = 0, LF = 10, CR = 13, SE = 240, SB = 250 };

/* RFC 854: who asks for what we do not do is told so; who says that he does not is not answered. */
static enum telnet_what option(struct telnet *t, uint8_t code)
{
    t->state = IN_DATA;
    if (t->verb == TELNET_WONT || t->verb == TELNET_DONT || code == TELNET_ECHO)
        return TELNET_NONE;
    t->said[0] = TELNET_IAC;
    t->said[1] = t->verb == TELNET_DO ? TELNET_WONT : TELNET_DONT;
    t->said[2] = code;
    return TELNET_SAY;
}

static enum telnet_what command(struct telnet *t, uint8_t byte, uint8_t *c)
{
    t->state = IN_DATA;
    if (byte == TELNET_IAC) { /* doubled: the byte itself */
        *c = byte;
        return TELNET_CHAR;
    }
    if (byte == SB) {
        t->state = IN_SUB;
    } else if (byte >= TELNET_WILL) {
        t->verb = byte;
        t->state = IN_OPTION;
    }
    return TELNET_NONE;
}

static enum telnet_what data(struct telnet *t, uint8_t byte, uint8_t *c)
{
    if (byte == LF)
        return TELNET_LINE;
    if (byte == CR) {
        t->state = IN_CR;
        return TELNET_NONE;
    }
    if (byte == TELNET_IAC) {
        t->state = IN_COMMAND;
        return TELNET_NONE;
    }
    *c = byte;
    return TELNET_CHAR;
}

size_t telnet_take(struct telnet *t, uint8_t byte, enum telnet_what *what, uint8_t *c)
{
    *what = TELNET_NONE;
    switch (t->state) {
    case IN_CR:
        t->state = IN_DATA;
        *what = TELNET_LINE;
        return byte == LF || byte == NUL;
    case IN_COMMAND:
        *what = command(t, byte, c);
        break;
    case IN_OPTION:
        *what = option(t, byte);
        break;
    case IN_SUB:
        t->state = byte == TELNET_IAC ? IN_SUB_IAC : IN_SUB;
        break;
    case IN_SUB_IAC:
        t->state = byte == SE ? IN_DATA : IN_SUB;
        break;
    default:
        *what = data(t, byte, c);
        break;
    }
    return 1;
}
