#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Make text.txt: the licences of the Free Software Foundation, whole and one after another.
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)"
(cd /usr/share/common-licenses && cat GPL-1 GPL-2 LGPL-2 LGPL-2.1 GFDL-1.2 GFDL-1.3 LGPL-3 GPL-3) \
    >text.txt
grep ' data/text.txt$' SHA256SUMS | (cd .. && sha256sum -c -)
