#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

expect "the version" 0 - thalweg version
done_testing
