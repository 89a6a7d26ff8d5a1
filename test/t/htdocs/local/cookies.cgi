#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sets a cookie that is the module's, and another one, with the status that the query names.
printf 'Status: %s\r\nContent-Type: text/plain\r\n' "${QUERY_STRING:-200}"
printf 'Set-Cookie: borders_session=planted; Path=/\r\nSet-Cookie: theme=dark\r\n\r\nhello\n'
