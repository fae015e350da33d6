/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_LOGIN_LOGIN_H
#define MODULES_LOGIN_LOGIN_H
/*
 * What the files of the login proxy tell each other: reading a line as TELNET sends it, and
 * checking a password. Neither can fail; both have no state but what they are given.
 */
#include "kernel/types.h"

enum {
    TELNET_WILL = 251,
    TELNET_WONT = 252,
    TELNET_DO = 253,
    TELNET_DONT = 254,
    TELNET_IAC = 255,
    TELNET_ECHO = 1, /* option, RFC 857 */
};

struct telnet {
    uint8_t state;
    uint8_t verb;    /* of the option command being read */
    uint8_t said[3]; /* TELNET_SAY: the answer to be sent */
};

enum telnet_what {
    TELNET_NONE, /* part of something longer */
    TELNET_CHAR, /* *c is a character of the user */
    TELNET_LINE, /* the line has ended */
    TELNET_SAY,  /* an option must be refused: said */
};

/* Takes a byte or, after a lone CR, leaves it for the next call (returns 0, else 1). */
size_t telnet_take(struct telnet *t, uint8_t byte, enum telnet_what *what, uint8_t *c);

enum { LOGIN_HASH = 32, LOGIN_SALT_MAX = 32, LOGIN_ROUNDS_MAX = 20000 };

/* PBKDF2 with HMAC-SHA-256 (RFC 8018 5.2), one block. */
void login_hash(const char *password, const uint8_t *salt, size_t nsalt, uint32_t rounds,
                uint8_t out[LOGIN_HASH]);
/* Is this the password of that user of the list `NAME=SALT:HASH,...` (hexadecimal)? Takes as long
 * for users that do not exist. */
bool login_check(const char *users, uint32_t rounds, const char *name, const char *password);
/* Does every entry of the list read as one? *bad: the name of the first that does not. */
bool login_users_valid(const char *users, char *bad, size_t nbad);

#endif
