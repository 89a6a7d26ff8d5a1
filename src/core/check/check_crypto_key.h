/* The check of KeycloakCryptoKey: strength, readers, and whether other nodes have the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_CRYPTO_KEY_H
#define KC_CHECK_CRYPTO_KEY_H

#include "check/check_task.h"

/* Why a key can be guessed, as the end of "the key ..."; NULL: nothing about it shows that. Thread
 * safe, pure. */
const char *kc_check_crypto_key_weakness(const char *key);
/* Adds the results about the keys. Reads who may read their files; asks nobody. With
 * check->fingerprints a difference from another node's keys has failed. */
void kc_check_crypto_key_tell(const kc_check_t *check);

#endif
