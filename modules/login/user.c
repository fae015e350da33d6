/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Credentials. The list of users names, for each, a salt and PBKDF2-HMAC-SHA-256 of the password,
 * made by BearSSL's HMAC; README.md has the line that makes an entry. Nothing here stops early at
 * the first byte or the first user that differs.
 */
#include <bearssl_hmac.h>
#include <string.h>

#include "modules/login/login.h"
#include "modules/proxy/proxy.h"

struct user {
    uint8_t salt[LOGIN_SALT_MAX], hash[LOGIN_HASH];
    size_t nsalt;
};

void login_hash(const char *password, const uint8_t *salt, size_t nsalt, uint32_t rounds,
                uint8_t out[LOGIN_HASH])
{
    static const uint8_t block[4] = {0, 0, 0, 1}; /* INT(1) */
    uint8_t u[LOGIN_HASH];
    br_hmac_key_context key;
    br_hmac_context h;
    br_hmac_key_init(&key, &br_sha256_vtable, password, strlen(password));
    br_hmac_init(&h, &key, 0);
    br_hmac_update(&h, salt, nsalt);
    br_hmac_update(&h, block, sizeof block);
    br_hmac_out(&h, u);
    memcpy(out, u, LOGIN_HASH);
    for (uint32_t i = 1; i < rounds; i++) {
        br_hmac_init(&h, &key, 0);
        br_hmac_update(&h, u, sizeof u);
        br_hmac_out(&h, u);
        for (int j = 0; j < LOGIN_HASH; j++)
            out[j] ^= u[j];
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Lower-case hexadecimal up to `end`; SIZE_MAX: something else. */
static size_t hex_read(const char *s, char end, uint8_t *to, size_t max)
{
    size_t n = 0;
    for (; *s != end; s += 2, n++) {
        int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);
        if (low < 0 || n == max)
            return SIZE_MAX;
        to[n] = (uint8_t)(high << 4 | low);
    }
    return n;
}

static bool user_read(const char *value, struct user *u)
{
    const char *colon = strchr(value, ':');
    if (!colon)
        return false;
    u->nsalt = hex_read(value, ':', u->salt, sizeof u->salt);
    return u->nsalt != SIZE_MAX && u->nsalt > 0 &&
           hex_read(colon + 1, 0, u->hash, sizeof u->hash) == LOGIN_HASH;
}

bool login_users_valid(const char *users, char *bad, size_t nbad)
{
    char name[PROXY_WORD], value[PROXY_WORD];
    struct user u;
    while (proxy_item(&users, name, value))
        if (!name[0] || !user_read(value, &u)) {
            memcpy(bad, name, nbad < sizeof name ? nbad : sizeof name);
            bad[nbad - 1] = 0;
            return false;
        }
    return true;
}

bool login_check(const char *users, uint32_t rounds, const char *name, const char *password)
{
    char each[PROXY_WORD], value[PROXY_WORD];
    struct user u, found = {.nsalt = LOGIN_SALT_MAX}; /* of nobody: hashed all the same */
    bool known = false;
    uint8_t hash[LOGIN_HASH], differs = 0;
    while (proxy_item(&users, each, value))
        if (strcmp(each, name) == 0 && user_read(value, &u)) {
            found = u;
            known = true;
        }
    login_hash(password, found.salt, found.nsalt, rounds, hash);
    for (int i = 0; i < LOGIN_HASH; i++)
        differs |= hash[i] ^ found.hash[i];
    return known && differs == 0;
}
