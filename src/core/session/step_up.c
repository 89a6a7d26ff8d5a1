/* Step-up requirements: read from the settings, compared with a sign-in, encoded and decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/step_up.h"

#include <apr_strings.h>
#include <string.h>

#include "rp.h"

static const char purpose[] = "demand";

kc_step_up_t kc_step_up_required(const kc_conf_dir_t *conf)
{
    kc_step_up_t required = {conf->require_acr, conf->max_age};

    if (required.acr && strcmp(APR_ARRAY_IDX(required.acr, 0, const char *), KC_CONF_NONE) == 0)
        required.acr = NULL;
    return required;
}

int kc_step_up_is_none(const kc_step_up_t *required)
{
    return !required->acr && !required->max_age;
}

static int is_named(const apr_array_header_t *names, const char *acr)
{
    int i;

    for (i = 0; acr && i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), acr) == 0)
            return 1;
    }
    return 0;
}

/* A time in the future does not tell how long ago it was. */
static int is_recent(int64_t auth_time, int64_t max_age, int64_t now, int64_t skew)
{
    return auth_time > 0 && auth_time <= now + skew && now - auth_time <= max_age + skew;
}

int kc_step_up_is_met(const kc_step_up_t *required, const char *acr, int64_t auth_time, int64_t now,
                      int64_t skew)
{
    if (required->acr && !is_named(required->acr, acr))
        return 0;
    return !required->max_age || is_recent(auth_time, required->max_age, now, skew);
}

const char *kc_step_up_acr_values(const kc_step_up_t *required, apr_pool_t *pool)
{
    return required->acr ? apr_array_pstrcat(pool, required->acr, ' ') : "";
}

const char *kc_step_up_challenge(const kc_step_up_t *required, apr_pool_t *pool)
{
    const char *text = ", error=\"insufficient_user_authentication\"";

    /* the settings accept no text that would have to be escaped here */
    if (required->acr)
        text = apr_pstrcat(pool, text, ", acr_values=\"", kc_step_up_acr_values(required, pool),
                           "\"", NULL);
    if (required->max_age)
        text = apr_psprintf(pool, "%s, max_age=\"%" APR_INT64_T_FMT "\"", text, required->max_age);
    return text;
}

/* ---------------------------------------------------------------- encoding */

void kc_step_up_put(const kc_step_up_t *required, kc_buf_t *buf)
{
    kc_buf_put_u32(buf, (uint32_t)required->max_age);
    kc_buf_put_block(buf, kc_buf_text(kc_step_up_acr_values(required, buf->pool)));
}

static const apr_array_header_t *split(kc_bytes_t text, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 4, sizeof(const char *));
    const char *at = kc_buf_copy(text.data, text.len, pool);

    while (*at) {
        size_t len = strcspn(at, " ");

        APR_ARRAY_PUSH(words, const char *) = kc_buf_copy(at, len, pool);
        at += at[len] ? len + 1 : len;
    }
    return words;
}

kc_step_up_t kc_step_up_read(kc_reader_t *reader, apr_pool_t *pool)
{
    kc_step_up_t required = {NULL, kc_buf_read_u32(reader)};
    kc_bytes_t acr = kc_buf_read_block(reader);

    if (acr.len)
        required.acr = split(acr, pool);
    return required;
}

/* ---------------------------------------------------------------- sealing */

static kc_seal_use_t seal_use(const kc_rp_t *rp)
{
    kc_seal_use_t use = {purpose, {rp->id, KC_RP_ID_SIZE}, {rp->id, KC_RP_ID_SIZE}};

    return use;
}

kc_rc_t kc_step_up_seal(const kc_rp_t *rp, const kc_step_up_t *required, apr_pool_t *pool,
                        const char **out, kc_err_t *err)
{
    kc_seal_use_t use = seal_use(rp);
    int64_t end = rp->env->now(rp->env->context) + KC_STEP_UP_TTL;
    unsigned char iv[KC_CRYPTO_IV_SIZE];
    kc_bytes_t plain, sealed;
    kc_buf_t buf;
    kc_rc_t rc;

    if (rp->env->random(rp->env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a demand");
    kc_buf_init(&buf, KC_CONF_ACR_MAX + 6, pool);
    kc_step_up_put(required, &buf);
    if (kc_buf_bytes(&buf, &plain) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "KeycloakRequireACR names too much");
    rc = kc_seal_close(rp->keys, &use, end, iv, plain, pool, &sealed, err);
    if (rc == KC_OK)
        *out = kc_buf_base64url(sealed, pool);
    return rc;
}

kc_rc_t kc_step_up_unseal(const kc_rp_t *rp, const char *text, apr_pool_t *pool, kc_step_up_t *out,
                          kc_err_t *err)
{
    kc_seal_use_t use = seal_use(rp);
    int64_t now = rp->env->now(rp->env->context);
    kc_bytes_t sealed, plain;
    kc_reader_t reader;
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    if (kc_buf_unbase64url(text, strlen(text), pool, &sealed) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SEAL, "a sealed demand is not base64url");
    rc = kc_seal_open(rp->keys, &use, now, sealed, pool, &plain, NULL, err);
    if (rc != KC_OK)
        return rc;
    kc_buf_reader_init(&reader, plain);
    *out = kc_step_up_read(&reader, pool);
    return KC_OK;
}
