/* SPDX-License-Identifier: BSD-2-Clause */
/* Chunked bodies, walked in pieces of any size, and paths as routes see them. */
#include <stdlib.h>
#include <string.h>

#include "modules/http/message.h"
#include "tests/unit/fixture.h"

/* Bytes of data, or -1: bad, -2: not whole. *end: bytes taken. */
static long walk(const char *text, bool strict, size_t piece, size_t *end)
{
    struct chunks c;
    size_t n = strlen(text), at = 0;
    long total = 0;
    enum chunk_is is = CHUNK_MORE;
    chunks_init(&c, strict);
    while (at < n && is != CHUNK_END && is != CHUNK_BAD) {
        size_t part = n - at < piece ? n - at : piece;
        at += chunks_take(&c, (const uint8_t *)text + at, part, &is);
        if (is == CHUNK_DATA) {
            uint64_t left = c.left;
            if (left > n - at)
                return -2;
            chunks_passed(&c, left);
            at += (size_t)left;
            total += (long)left;
        }
    }
    *end = at;
    return is == CHUNK_BAD ? -1 : is == CHUNK_END ? total : -2;
}

static void chunks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        long strict, lenient;
    } all[] = {
        {"5\r\nhello\r\n0\r\n\r\n", 5, 5},
        {"A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", 11, 11},
        {"00\r\n\r\n", 0, 0},
        {"005\r\nhello\r\n000\r\n\r\n", 5, 5},
        {"5;a=b\r\nhello\r\n0\r\n\r\n", -1, 5},
        {"5 \r\nhello\r\n0\r\n\r\n", -1, 5},
        {"5\r\nhello\r\n0\r\nX: y\r\n\r\n", -1, 5},
        {"5\r\nhello\r\n0\r\n X: y\r\n\r\n", -1, -1},
        {"5;a\rb\r\nhello\r\n0\r\n\r\n", -1, -1},
        {"5;a\nb\r\nhello\r\n0\r\n\r\n", -1, -1},
        {"5\nhello\r\n0\r\n\r\n", -1, -1},
        {"5\r\nhello\n0\r\n\r\n", -1, -1},
        {"5\r\nhelloX\r\n0\r\n\r\n", -1, -1},
        {"5\r\nhell\r\n0\r\n\r\n", -1, -1},
        {"5\r\nhello\r\n0\r\n", -2, -2},
        {"5\r\nhello\r\n", -2, -2},
        {"\r\n0\r\n\r\n", -1, -1},
        {"-1\r\n", -1, -1},
        {"+1\r\nx\r\n0\r\n\r\n", -1, -1},
        {"0x5\r\nhello\r\n0\r\n\r\n", -1, -1},
        {" 5\r\nhello\r\n0\r\n\r\n", -1, -1},
        {"5_0\r\n", -1, -1},
        {"fffffffffffffff0\r\n", -1, -1},
        {"10000000000000005\r\nhello\r\n0\r\n\r\n", -1, -1},
        {"0\r\n\r", -2, -2},
        {"0\r\nX\r\r\n\r\n", -1, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (size_t piece = 1; piece < 40; piece++) {
            size_t end;
            long strict = walk(all[i].text, true, piece, &end);
            long lenient = walk(all[i].text, false, piece, &end);
            if (strict != all[i].strict || lenient != all[i].lenient)
                fail_msg("%ld and %ld, expected %ld and %ld: %s", strict, lenient, all[i].strict,
                         all[i].lenient, all[i].text);
            if (lenient >= 0)
                assert_int_equal(end, strlen(all[i].text));
        }
    size_t end;
    static const char two[] = "0\r\n\r\nGET / HTTP/1.1";
    assert_int_equal(walk(two, true, 100, &end), 0);
    assert_int_equal(end, 5); /* what follows is not the body's */
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    static char text[20000] = "0\r\nX: ";
    size_t end;
    memset(text + 6, 'y', 9000);
    strcpy(text + 9006, "\r\n\r\n");
    assert_int_equal(walk(text, false, 100, &end), -1);
    strcpy(text + 8000, "\r\n\r\n");
    assert_int_equal(walk(text, false, 100, &end), 0);
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *prefix;
        bool begins;
    } all[] = {
        {"/", "/", true},           {"/a", "/", true},
        {"/img", "/img", true},     {"/img/x", "/img", true},
        {"/images", "/img", false}, {"/img?x", "/img", true},
        {"/im", "/img", false},     {"/img/", "/img/", true},
        {"/img", "/img/", false},   {"/%69mg", "/img", true},
        {"/%49mg", "/img", false},  {"/img%2fx", "/img", false},
        {"/x?/img", "/img", false}, {"/img/xy", "/img/x", false},
        {"//img", "/img", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (path_begins(all[i].path, strlen(all[i].path), all[i].prefix) != all[i].begins)
            fail_msg("%s begins with %s", all[i].path, all[i].prefix);
    static const char *const fit[] = {"/",   "/a.b", "/...",    "/a..", "/..a",
                                      "/.a", "/?..", "/a?/../", "*"};
    static const char *const unfit[] = {"/.",    "/..",  "/./",     "/../",
                                        "/a/..", "/%2e", "/%2E./x", "/.%2e?x"};
    for (size_t i = 0; i < ARRAY_LEN(fit); i++)
        if (!path_fits(fit[i], strlen(fit[i])))
            fail_msg("%s does not fit", fit[i]);
    for (size_t i = 0; i < ARRAY_LEN(unfit); i++)
        if (path_fits(unfit[i], strlen(unfit[i])))
            fail_msg("%s fits", unfit[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN_TEST("R-BAD-68 chunk sizes, extensions, trailers", chunks),
        PLAIN_TEST("R-BAD-68 trailers are bounded", trailers_are_bounded),
        PLAIN_TEST("paths: escapes, dots, prefixes by segment", paths),
    };
    return cmocka_run_group_tests_name("http_body", tests, NULL, NULL);
}
