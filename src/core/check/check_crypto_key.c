/* The check of KeycloakCryptoKey.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_crypto_key.h"

#include <apr_file_info.h>
#include <apr_strings.h>
#include <apr_user.h>
#include <string.h>
#include <unistd.h>

#include "base/url.h"
#include "crypto/crypto.h"

enum {
    DIFFERENT_MIN = 8, /* characters, or distances from one to the next, of a random text of 32 */
    PRINT_TEXT = 2 * KC_CRYPTO_PRINT_SIZE + 1
};

/* ---------------------------------------------------------------- strength */

/* How many different bytes there are: of the text itself, or of the distances from one to the next.
 */
static int count_different(const char *text, int is_distances)
{
    unsigned char seen[256] = {0};
    int count = 0;

    for (; *text && (!is_distances || text[1]); text++) {
        const unsigned char at = (unsigned char)(is_distances ? text[1] - text[0] : text[0]);

        count += !seen[at];
        seen[at] = 1;
    }
    return count;
}

/* 1 when the text is the repetition of a beginning of half its length or less. */
static int is_repeated(const char *text)
{
    const size_t len = strlen(text);
    size_t period;

    for (period = 1; period <= len / 2; period++) {
        if (memcmp(text, text + period, len - period) == 0)
            return 1;
    }
    return 0;
}

const char *kc_check_crypto_key_weakness(const char *key)
{
    if (count_different(key, 0) < DIFFERENT_MIN)
        return "is made of few different characters";
    if (is_repeated(key))
        return "repeats a short text";
    if (count_different(key, 1) < DIFFERENT_MIN)
        return "is a sequence of neighbouring characters";
    return NULL;
}

static const kc_conf_file_t *key_at(const kc_check_t *check, int i)
{
    return &APR_ARRAY_IDX(check->rp->conf->crypto_key, i, kc_conf_file_t);
}

static void tell_strength(const kc_check_t *check)
{
    const kc_check_fault_t weak = {
        KC_CHECK_FAILED, "crypto_key.strength", KC_ERR_NONE,
        "make a new one on one node with openssl rand -base64 48, copy it to all nodes, and leave "
        "this one out at once: who guesses it can read and make sessions"};
    int i, count = 0;

    for (i = 0; i < check->rp->conf->crypto_key->nelts; i++) {
        const char *weakness = kc_check_crypto_key_weakness(key_at(check, i)->text);

        if (weakness)
            kc_check_report_add(check->report, &weak, "the key in %s %s", key_at(check, i)->path,
                                weakness);
        count += weakness == NULL;
    }
    if (count == i)
        kc_check_report_ok(check->report, "crypto_key.strength",
                           "nothing shows that KeycloakCryptoKey could be guessed (keys: %d)", i);
}

/* ---------------------------------------------------------------- readers */

static const char *user_name(const apr_finfo_t *info, apr_pool_t *pool)
{
    char *name;

    return apr_uid_name_get(&name, info->user, pool) == APR_SUCCESS
               ? name
               : apr_psprintf(pool, "uid %lu", (unsigned long)info->user);
}

static const char *group_name(const apr_finfo_t *info, apr_pool_t *pool)
{
    char *name;

    return apr_gid_name_get(&name, info->group, pool) == APR_SUCCESS
               ? name
               : apr_psprintf(pool, "gid %lu", (unsigned long)info->group);
}

/* An httpd that is not started as root needs its own group's right to read, as in a container. */
static int is_group_too_much(const apr_finfo_t *info)
{
    return info->protection & APR_FPROT_GREAD && info->group != 0 && geteuid() == 0;
}

static void tell_readers(const kc_check_t *check, const char *path)
{
    const apr_int32_t wanted = APR_FINFO_PROT | APR_FINFO_USER | APR_FINFO_GROUP;
    kc_check_fault_t fault = {KC_CHECK_WARNING, "crypto_key.readers", KC_ERR_NONE, ""};
    apr_finfo_t info;

    if (apr_stat(&info, path, wanted, check->pool) != APR_SUCCESS)
        return;
    if (info.user != 0 && info.user != geteuid()) {
        fault.cure = apr_psprintf(check->pool, "chown root '%s'", path);
        kc_check_report_add(check->report, &fault, "%s belongs to the user %s, who can change it",
                            path, user_name(&info, check->pool));
    } else if (is_group_too_much(&info)) {
        fault.cure = apr_psprintf(check->pool, "httpd reads it as root, so chmod g-r '%s'", path);
        kc_check_report_add(check->report, &fault, "the group %s can read %s",
                            group_name(&info, check->pool), path);
    } else {
        kc_check_report_ok(check->report, "crypto_key.readers", "%s: the user %s%s%s can read it",
                           path, user_name(&info, check->pool),
                           info.protection & APR_FPROT_GREAD ? " and the group " : "",
                           info.protection & APR_FPROT_GREAD ? group_name(&info, check->pool) : "");
    }
}

/* ---------------------------------------------------------------- fingerprints */

/* The fingerprints of all keys, newest first, with blanks between; NULL: OpenSSL failed. */
static const char *fingerprints(const kc_check_t *check)
{
    const char *all = "";
    int i;

    for (i = 0; i < check->rp->conf->crypto_key->nelts; i++) {
        unsigned char bytes[KC_CRYPTO_PRINT_SIZE];
        char text[PRINT_TEXT];
        kc_err_t err;

        if (kc_crypto_fingerprint(kc_buf_text(key_at(check, i)->text), bytes, &err) != KC_OK)
            return NULL;
        kc_buf_hex_to(bytes, sizeof(bytes), text);
        all = apr_pstrcat(check->pool, all, *all ? " " : "", text, NULL);
    }
    return all;
}

/* 1 when the list of words has the word. */
static int has_word(const char *list, const char *word)
{
    const size_t len = strcspn(word, " ,");

    while (*list) {
        const size_t other = strcspn(list, " ,");

        if (other == len && strncmp(list, word, len) == 0)
            return 1;
        list += other;
        list += strspn(list, " ,");
    }
    return 0;
}

static int has_all(const char *list, const char *words)
{
    for (words += strspn(words, " ,"); *words; words += strspn(words, " ,")) {
        if (!has_word(list, words))
            return 0;
        words += strcspn(words, " ,");
    }
    return 1;
}

/* The newest key seals, and each node must be able to open what another one has sealed. */
static void compare(const kc_check_t *check, const char *ours)
{
    const char *theirs = check->fingerprints;
    kc_check_fault_t fault = {KC_CHECK_FAILED, "crypto_key.equal", KC_ERR_KEY_FOREIGN,
                              "copy the files of KeycloakCryptoKey from one node to all, in the "
                              "same order, and restart httpd there"};

    theirs += strspn(theirs, " ,");
    if (!has_word(ours, theirs) || !has_word(theirs, ours)) {
        kc_check_report_add(check->report, &fault,
                            "the other node seals with another key: here %s, there %s", ours,
                            theirs);
        return;
    }
    if (has_all(ours, theirs) && has_all(theirs, ours) &&
        strcspn(ours, " ,") == strcspn(theirs, " ,") &&
        strncmp(ours, theirs, strcspn(ours, " ,")) == 0) {
        kc_check_report_ok(check->report, "crypto_key.equal", "both nodes have the same keys");
        return;
    }
    fault.outcome = KC_CHECK_WARNING;
    fault.reason = KC_ERR_NONE;
    kc_check_report_add(check->report, &fault,
                        "each node reads the other's new sessions, but their lists of keys differ: "
                        "here %s, there %s",
                        ours, theirs);
}

static void tell_fingerprints(const kc_check_t *check)
{
    const char *ours = fingerprints(check);

    if (!ours)
        return;
    kc_check_report_ok(check->report, "crypto_key.fingerprint", "%s", ours);
    if (check->fingerprints)
        compare(check, ours);
}

/* ---------------------------------------------------------------- no key */

static int is_shared(const kc_conf_t *conf, apr_pool_t *pool)
{
    int i;

    for (i = 0; conf->memcached && i < conf->memcached->nelts; i++) {
        const char *text = APR_ARRAY_IDX(conf->memcached, i, const char *);
        kc_url_t url;

        if (kc_url_parse(apr_pstrcat(pool, "http://", text, NULL), pool, &url, NULL) != KC_OK ||
            !kc_url_is_loopback(&url))
            return 1;
    }
    return conf->memcached && conf->memcached->nelts > 1;
}

static void tell_none(const kc_check_t *check)
{
    const kc_conf_t *conf = check->rp->conf;
    kc_check_fault_t fault = {KC_CHECK_WARNING, "crypto_key.missing", KC_ERR_EVENT_KEY_UNSET,
                              "write openssl rand -base64 48 into a file of one node, copy it to "
                              "all, and set KeycloakCryptoKey file:PATH"};

    if (check->fingerprints || is_shared(conf, check->pool)) {
        fault.outcome = KC_CHECK_FAILED;
        kc_check_report_add(check->report, &fault,
                            "KeycloakCryptoKey is not set: each node makes a key of its own, so "
                            "that none reads another's sessions in memcached");
    } else if (conf->memcached) {
        kc_check_report_add(check->report, &fault,
                            "KeycloakCryptoKey is not set: sessions in memcached are lost when "
                            "httpd is stopped and started");
    } else {
        kc_check_report_ok(check->report, "crypto_key.missing",
                           "KeycloakCryptoKey is not set; sessions are in this host's memory, "
                           "and end with httpd");
    }
}

void kc_check_crypto_key_tell(const kc_check_t *check)
{
    const apr_array_header_t *keys = check->rp->conf->crypto_key;
    int i;

    if (!keys) {
        tell_none(check);
        return;
    }
    tell_strength(check);
    for (i = 0; i < keys->nelts; i++) {
        if (key_at(check, i)->path)
            tell_readers(check, key_at(check, i)->path);
    }
    tell_fingerprints(check);
}
