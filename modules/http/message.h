/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MODULES_HTTP_MESSAGE_H
#define MODULES_HTTP_MESSAGE_H
/*
 * What a parsed head means: how its body is delimited, where it is to go, whether the connection
 * goes on after it. Everything that two parsers might read differently is refused (RFC 9112 11.2).
 * Nothing here allocates; failure is the status code of the answer.
 */
#include "modules/http/head.h"

enum body { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_CLOSE };

enum { HOST_MAX = 255 };

struct request {
    struct part path;        /* of the target: from the first / on, or * */
    struct part authority;   /* host and port as they were written; n 0: there is none */
    char host[HOST_MAX + 1]; /* lower case, without a port; empty: HTTP/1.0 without Host */
    enum body body;
    uint64_t length;
    bool head;    /* HEAD: the response has no body */
    bool close;   /* the client's connection ends after the response */
    bool upgrade; /* asks for another protocol */
    bool expect;  /* waits for a 100 */
};

struct response {
    enum body body;
    uint64_t length;
    bool interim; /* 1xx: another response follows */
    bool upgrade; /* 101: both directions are something else now */
    bool close;   /* the connection ends after it */
};

/* 0, or 400, 417, 501. */
int request_read(const struct head *h, struct request *r);
/* The head as the server gets it: from the fields, not from the client's bytes (RFC 9112 11.2).
 * Returns its length; at most h->n + REQUEST_MORE bytes are written to `to`. */
enum { REQUEST_MORE = 256 };
size_t request_write(const struct head *h, const struct request *r, char *to);
/* The answer to request r. 0, or 502. */
int response_read(const struct head *h, const struct request *r, struct response *out);

/* Does the path begin with the prefix, segment by segment? Escaped letters are letters. */
bool path_begins(const char *path, size_t n, const char *prefix);
/* No dot segment, no escaped one, no fragment, no broken escape. */
bool path_fits(const char *path, size_t n);

/* A chunked body (RFC 9112 7.1), byte by byte. */
struct chunks {
    uint8_t state, digits;
    bool strict;    /* a request: no extensions, no trailer fields */
    uint32_t extra; /* bytes of extensions and trailers */
    uint64_t left;  /* of the chunk's data */
};

enum chunk_is {
    CHUNK_MORE,
    CHUNK_DATA, /* `left` bytes may pass without a look, then chunks_passed */
    CHUNK_END,  /* that was the last byte of the body */
    CHUNK_BAD,
};

void chunks_init(struct chunks *c, bool strict);
/* Takes of n bytes what is not data; returns how many. */
size_t chunks_take(struct chunks *c, const uint8_t *from, size_t n, enum chunk_is *is);
void chunks_passed(struct chunks *c, uint64_t n);

#endif
