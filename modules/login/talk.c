/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login: a proxy of class 2. It greets, asks for user, password (not echoed: RFC 857) and host,
 * checks them, connects, and from then on only forwards; what the user typed ahead goes to the
 * host. Wrong answers are counted; lines are bounded; a timer ends who takes too long. Passwords
 * are kept no longer than it takes to check them, and are in no log.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/show.h"
#include "modules/login/login.h"
#include "modules/proxy/proxy.h"

enum { LINE_MAX_LEN = 128, PIECE = 256, SAY_ROOM = 512, BACKSPACE = 8, DELETE = 127 };
static const uint64_t LINGER = 5 * SECOND; /* for the client to close after our last word */

enum step { ASK_USER, ASK_PASSWORD, ASK_HOST, CONNECTING, OVER };

struct login { /* a node's */
    uint64_t asked, passed, wrong, late;
};

struct talk { /* a connection's, until it is forwarded */
    struct timer timer;
    struct conn *c;
    struct telnet telnet;
    uint8_t step;
    bool too_long, finished; /* the line; the client has sent its FIN */
    uint32_t wrong;
    size_t n;
    char line[LINE_MAX_LEN], user[LINE_MAX_LEN];
};

static struct talk *talk_of(struct conn *c)
{
    return *proxy_private(c);
}

static struct login *login_of(struct conn *c)
{
    return proxy_node(c)->state;
}

static void say(struct conn *c, const char *text)
{
    if (proxy_write(c, BA, text, strlen(text)) != OK)
        proxy_reset(c);
}

static void over(struct talk *t, const char *why)
{
    struct kernel *k = proxy_node(t->c)->k;
    if (t->step == OVER)
        return;
    say(t->c, why);
    t->step = OVER;
    timer_arm(k, &t->timer, k->now + LINGER);
    proxy_shut(t->c, BA);
}

static void fire(struct kernel *k, struct timer *timer)
{
    struct talk *t = (struct talk *)timer;
    (void)k;
    if (t->step == OVER || t->step == CONNECTING) {
        proxy_reset(t->c);
        return;
    }
    login_of(t->c)->late++;
    over(t, "\r\nTime is up.\r\n");
}

static void ask(struct talk *t)
{
    static const char *const prompts[] = {"login: ", "\xff\xfb\x01password: ", "host: "};
    say(t->c, prompts[t->step]);
}

static void wrong(struct talk *t, const char *says, enum step next)
{
    login_of(t->c)->wrong++;
    say(t->c, says);
    t->step = (uint8_t)next;
    if (++t->wrong >= conf_number(&proxy_node(t->c)->conf, "tries"))
        over(t, "Too many tries.\r\n");
    else
        ask(t);
}

static bool find_host(const struct node *n, const char *name, struct endpoint *out)
{
    char each[PROXY_WORD], value[PROXY_WORD];
    const char *hosts = conf_text(&n->conf, "hosts");
    while (proxy_item(&hosts, each, value))
        if (strcmp(each, name) == 0)
            return endpoint_parse(value, out) == OK;
    return conf_bool(&n->conf, "open") && endpoint_parse(name, out) == OK && out->port &&
           !netaddr_is_any(&out->addr);
}

static void got_password(struct talk *t)
{
    const struct conf *conf = &proxy_node(t->c)->conf;
    say(t->c, "\xff\xfc\x01\r\n"); /* the client echoes again */
    bool good =
        !t->too_long && login_check(conf_text(conf, "users"), (uint32_t)conf_number(conf, "rounds"),
                                    t->user, t->line);
    memset(t->line, 0, sizeof t->line);
    if (!good) {
        wrong(t, "Login incorrect.\r\n", ASK_USER);
        return;
    }
    t->step = ASK_HOST;
    ask(t);
}

static void got_host(struct talk *t)
{
    struct endpoint to;
    if (t->too_long || !find_host(proxy_node(t->c), t->line, &to)) {
        wrong(t, "Unknown host.\r\n", ASK_HOST);
        return;
    }
    t->step = CONNECTING;
    if (proxy_connect(t->c, &to, NULL) != OK)
        over(t, "No connection.\r\n");
}

static void got_line(struct talk *t)
{
    t->line[t->n] = 0;
    switch (t->step) {
    case ASK_USER:
        memcpy(t->user, t->line, sizeof t->user);
        if (t->too_long)
            t->user[0] = 0;
        t->step = ASK_PASSWORD;
        ask(t);
        break;
    case ASK_PASSWORD:
        got_password(t);
        break;
    default:
        got_host(t);
        break;
    }
    t->n = 0;
    t->too_long = false;
}

static void got_char(struct talk *t, uint8_t c)
{
    if (c == BACKSPACE || c == DELETE)
        t->n -= t->n > 0;
    else if (t->n == LINE_MAX_LEN - 1)
        t->too_long = true;
    else if (c >= ' ')
        t->line[t->n++] = (char)c;
}

/* Reads as long as there is room for what may have to be said. */
static void listen_to(struct talk *t)
{
    uint8_t piece[PIECE], c = 0;
    size_t n;
    while (t->step < CONNECTING && proxy_room(t->c, BA) >= SAY_ROOM &&
           (n = proxy_peek(t->c, AB, piece, sizeof piece))) {
        enum telnet_what what = TELNET_NONE;
        size_t i = 0;
        while (i < n && what < TELNET_LINE) {
            i += telnet_take(&t->telnet, piece[i], &what, &c);
            if (what == TELNET_CHAR)
                got_char(t, c);
        }
        memset(piece, 0, sizeof piece);
        proxy_consume(t->c, AB, i);
        if (what == TELNET_SAY && proxy_write(t->c, BA, t->telnet.said, 3) != OK)
            proxy_reset(t->c);
        if (what == TELNET_LINE)
            got_line(t);
    }
}

static void data(struct conn *c, enum dir d)
{
    struct talk *t = talk_of(c);
    (void)d;
    if (!t)
        return;
    listen_to(t);
    if (t->step == OVER)
        proxy_consume(c, AB, proxy_held(c, AB)->bytes);
    else if (t->step < CONNECTING && t->finished && !proxy_held(c, AB)->head)
        over(t, "");
}

static void eof(struct conn *c, enum dir d)
{
    struct talk *t = talk_of(c);
    if (t && d == AB)
        t->finished = true;
    data(c, d);
}

static status_t accept(struct conn *c)
{
    struct talk *t = pool_alloc(proxy_pool(c), sizeof *t);
    if (!t)
        return E_NOMEM;
    t->timer.fire = fire;
    t->c = c;
    *proxy_private(c) = t;
    proxy_answer(c);
    return OK;
}

static void opened(struct conn *c, enum side s)
{
    struct talk *t = talk_of(c);
    const struct node *n = proxy_node(c);
    if (s == SIDE_A) {
        login_of(c)->asked++;
        timer_arm(n->k, &t->timer, n->k->now + conf_number(&n->conf, "time"));
        say(c, conf_text(&n->conf, "banner"));
        say(c, "\r\n");
        ask(t);
        return;
    }
    login_of(c)->passed++;
    timer_cancel(n->k, &t->timer);
    say(c, "Connected.\r\n");
    memset(t, 0, sizeof *t);
    pool_free(proxy_pool(c), t); /* nothing of it is needed any more */
    *proxy_private(c) = NULL;
    proxy_forward(c, AB);
    proxy_forward(c, BA);
}

static void closed(struct conn *c, enum side s)
{
    struct talk *t = talk_of(c);
    if (t && s == SIDE_B && t->step == CONNECTING)
        over(t, "No connection.\r\n");
    else
        proxy_reset(c);
}

static void ended(struct conn *c)
{
    struct talk *t = talk_of(c);
    if (t)
        timer_cancel(proxy_node(c)->k, &t->timer);
}

static const struct proxy_code login_code = {accept, opened, data, eof, closed, ended};

static status_t login_create_stage(struct node *n, struct node *from, struct attrs *a,
                                   struct path *p, struct hop *h)
{
    (void)from;
    return proxy_create_stage(n, &login_code, a, p, h);
}

static status_t login_init(struct node *n)
{
    char name[PROXY_WORD], value[PROXY_WORD];
    const char *hosts = conf_text(&n->conf, "hosts");
    struct endpoint to;
    if (!login_users_valid(conf_text(&n->conf, "users"), name, sizeof name)) {
        log_error(n->k, "%s.users: %s: expected NAME=SALT:HASH", n->name, name);
        return E_INVAL;
    }
    while (proxy_item(&hosts, name, value))
        if (!name[0] || endpoint_parse(value, &to) != OK || !to.port || netaddr_is_any(&to.addr)) {
            log_error(n->k, "%s.hosts: %s=%s: expected NAME=ADDR:PORT", n->name, name, value);
            return E_INVAL;
        }
    return proxy_init(n);
}

static void login_show(const struct node *n, struct show *out)
{
    const struct login *l = n->state;
    show_printf(out, "  asked %llu\n  passed %llu\n  wrong %llu\n  late %llu\n",
                (unsigned long long)l->asked, (unsigned long long)l->passed,
                (unsigned long long)l->wrong, (unsigned long long)l->late);
}

static const struct proxy_ops login_ops = {proxy_listens, proxy_backlog, &login_code};

const struct module login_module = {
    .name = "login",
    .node_size = sizeof(struct login),
    .ops = &login_ops,
    .init = login_init,
    .create_stage = login_create_stage,
    .show = login_show,
};
