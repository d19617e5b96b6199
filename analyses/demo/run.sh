#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Fit two schedules, forecast five others, and say how far off that was; figures go to plots/.
# usage: run.sh [THALWEG [FOLDER]]
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/../.."
thalweg=${1:-build/release/bin/thalweg}
out=${2:-plots}
data=data/loss-curves
mkdir -p "$out"

# Three seeds each; the first 300 of 3000 steps are not the law's (see README.md).
set -- --schedules "$data/schedules.csv" --from 300 --group --quiet --force

echo '== Fitted: cosine and constant learning rates, three seeds averaged'
echo
"$thalweg" fit annealing "$data"/cosine-seed?.csv "$data"/constant-seed?.csv "$@" \
	-o "$out/fit.h5" --plot "$out/fit.pdf" --residuals --profile-plot "$out/profile.pdf"

echo
echo '== Forecast: five schedules that took no part, beside what was measured'
echo
against=
for curve in wsd wsd-linear wsd-1-sqrt wsdcon cosine-long; do
	for seed in 1 2 3; do
		against="$against --against $data/$curve-seed$seed.csv"
	done
done
# shellcheck disable=SC2086 # the list is made of words
"$thalweg" forecast "$out/fit.h5" $against "$@" -o "$out/forecast.h5" --plot "$out/forecast.pdf"

cat <<EOF

== Figures in $out/ (each with its script .gp and data .dat)
fit.pdf       measured points, the law, its residuals, the learning rates
profile.pdf   how well alpha and lambda are determined
forecast.pdf  forecasts with 68 and 95 % bands, and the curves they were made without
EOF
