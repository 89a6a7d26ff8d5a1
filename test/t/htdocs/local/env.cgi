#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows the environment that a CGI program sees.
printf 'Content-Type: text/plain\r\n\r\n'
env | sort
