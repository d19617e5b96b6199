# SPDX-License-Identifier: GPL-3.0-or-later
# ---- house style -------------------------------------------------------------------------
# Sizes in inches and points. Thin lines, ticks outside, no box round the key, no title.
set encoding utf8
set minussign
set decimalsign "."
set datafile missing "NaN"
if (!exists("TW_LW")) TW_LW = 1.0            # scales every line and marker
LW(pt) = 2 * pt * TW_LW                      # gnuplot's line width for a width in points
if (!exists("C0")) C0 = "#888888"            # neutral: marks, zero lines, shared key entries
# The colour mixed with white, for dense points under a line of that colour.
MIX(c, i) = int(255 - 0.55 * (255 - int("0x".c[i:i + 1])))
LIGHT(c) = sprintf("#%02x%02x%02x", MIX(c, 2), MIX(c, 4), MIX(c, 6))
set border 3 lw LW(0.5) lc rgb "black"
set tics nomirror out scale 0.55, 0.3
set mxtics 2; set mytics 2
unset title
TW_USER = system('f="${XDG_CONFIG_HOME:-$HOME/.config}/thalweg/style.gp"; test -r "$f" && echo "$f"')
if (strlen(TW_USER)) load TW_USER            # your own colours, fonts and lines

if (TW_FORMAT eq "tex") TW_FONT = ""         # the document's own
TW_TF = sprintf("%s,%g", TW_FONT, TW_FS)     # axis labels
TW_KF = sprintf("%s,%g", TW_FONT, TW_FS - 1) # ticks and key
if (TW_FORMAT eq "pdf") set term pdfcairo enhanced color butt size TW_W in, TW_H in font TW_TF
if (TW_FORMAT eq "eps") set term epscairo enhanced color butt size TW_W in, TW_H in font TW_TF
if (TW_FORMAT eq "tex") set term cairolatex pdf input color butt size TW_W in, TW_H in \
    font TW_TF
if (TW_FORMAT eq "png") set term pngcairo enhanced color butt size TW_W * 300, TW_H * 300 \
    font TW_TF fontscale 300 / 144.0 linewidth 300 / 144.0 pointscale 300 / 72.0
TW_SF = sprintf("%s,%.4g", TW_FONT, TW_FS * 96 / 72.0)
if (TW_FORMAT eq "svg") set term svg enhanced butt size TW_W * 96, TW_H * 96 font TW_SF \
    linewidth 96 / 144.0
if (TW_FORMAT eq "sixel") set term sixelgd enhanced truecolor size TW_PX, TW_PX * TW_H / TW_W \
    font TW_TF fontscale TW_PX / TW_W / 98.0 linewidth TW_PX / TW_W / 144.0
if (TW_FORMAT eq "dumb") set term dumb enhanced ansi256 size TW_COLS, TW_ROWS
