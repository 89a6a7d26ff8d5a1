/* At start: locations that a public path opens although they are guarded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_GUARDS_PUBLIC_H
#define AKC_GUARDS_PUBLIC_H

#include "module.h"
#include "sections.h"

/* Warns of each <Location> with a Require that needs a user, at or below one of the server's public
 * paths. all, own: as of akc_sections_read, and those of this server. */
void akc_guards_public_warn(const akc_server_t *config, const apr_array_header_t *all,
                            const akc_sections_t *own, server_rec *main);

#endif
