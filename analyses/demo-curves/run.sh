#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Remake the demo's loss curves: data/loss-curves/*.csv and data/SHA256SUMS.
# usage: run.sh [check]
#   check: train one branched run again from its start and compare; nothing
#          else is made.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
out=data/loss-curves
seeds='1 2 3'
python=${PYTHON:-/usr/bin/python3}
head='peak=0.004,warmup=100,ramp=(s+1)/w'

train() {
	nice -n 10 "$python" -B analyses/demo-curves/train.py "$@"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

wsd=wsd:$head,total=3000,decay=600,end=0.0004

if [ "${1-}" = check ]; then
	train --seed 1 --spec "$wsd" --out "$tmp/wsd-seed1.csv"
	cmp "$tmp/wsd-seed1.csv" "$out/wsd-seed1.csv"
	echo "wsd-seed1.csv: the same, byte for byte, without branching"
	exit 0
fi

mkdir -p "$out"
rm -f "$out"/*.csv
echo file,seed,spec >"$tmp/schedules.csv"

# curve NAME SEED SPEC [OPTION...]
curve() {
	file=$1-seed$2.csv
	printf '%s,%s,"%s"\n' "$file" "$2" "$3" >>"$tmp/schedules.csv"
	seed=$2 spec=$3
	shift 3
	train --seed "$seed" --spec "$spec" --out "$out/$file" "$@"
}

for k in $seeds; do
	# Runs that are constant at first go on from the constant run's state.
	curve constant "$k" "constant:$head,total=3000" \
		--save "1500:$tmp/half" --save "2400:$tmp/stage"
	curve cosine "$k" "cosine:$head,total=3000,end=0.0004"
	curve wsd "$k" "$wsd" --resume "$tmp/stage"
	curve wsd-linear "$k" "$wsd,shape=linear" --resume "$tmp/stage"
	curve wsd-1-sqrt "$k" "$wsd,shape=1-sqrt" --resume "$tmp/stage"
	curve wsdcon "$k" "wsdcon:$head,total=3000,stage=1500,end=0.0012" \
		--resume "$tmp/half"
	curve cosine-long "$k" "cosine:$head,total=4500,end=0.0004"
done
cp "$tmp/schedules.csv" "$out/schedules.csv"

"$python" -B analyses/demo-curves/check.py "$out"
LC_ALL=C
export LC_ALL
sha256sum data/digits-mlp-?.h5 data/digits.h5 "$out"/*.csv >data/SHA256SUMS
sha256sum --quiet -c data/SHA256SUMS
