#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run one test file for prove: a script by sh, a program as it is (under $TW_WRAP if set).
case $1 in
*.sh) exec sh "$1" ;;
*) exec ${TW_WRAP:-} "$1" ;;
esac
