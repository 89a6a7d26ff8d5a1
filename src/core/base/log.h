/* Levels of the log callback. Core has no log of its own; it uses the one in the environment.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LOG_H
#define KC_LOG_H

typedef enum {
    KC_LOG_ERROR,
    KC_LOG_WARNING,
    KC_LOG_NOTICE,
    KC_LOG_INFO,
    KC_LOG_DEBUG
} kc_log_level_t;

#endif
