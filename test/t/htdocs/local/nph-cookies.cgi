#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the whole answer itself, a cookie that is the module's and another one in it; with the query "open" no end of the headers.
printf 'HTTP/1.1 200 Mine\r\nConnection: close\r\nContent-Type: text/plain\r\n'
printf 'Set-Cookie: borders_session=planted; Path=/\r\nClear-Site-Data: "cookies"\r\nSet-Cookie: theme=dark\r\n'
[ "$QUERY_STRING" = open ] || printf '\r\nSet-Cookie: borders_session=of-the-page\r\n\r\nhello\n'
