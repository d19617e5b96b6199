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
# By terminal: the fontscale that makes a point of text a point, and the height in em that it
# takes for a line. Cairo and sixel's library set text at 96 dots an inch (cairo half of it by
# default in PDF and EPS); SVG takes sizes for pixels.
TW_SCALE = 1.0; TW_LINE = 1.0
if (strstrt("pdf eps tex", TW_FORMAT)) TW_SCALE = 72 / 96.0; TW_LINE = 1.336
if (TW_FORMAT eq "png") TW_SCALE = 300 / 96.0; TW_LINE = 1.336
if (TW_FORMAT eq "svg") TW_SCALE = 96 / 72.0; TW_LINE = 1.125
if (TW_FORMAT eq "sixel") TW_SCALE = TW_PX / TW_W / 96.0; TW_LINE = 0.96
TW_LEAD = TW_FORMAT eq "dumb" ? 1 : 1.2 / TW_LINE             # key: lines 1.2 em apart
if (TW_FORMAT ne "dumb") set xtics offset 0, 1 - 0.75 / TW_LINE # numbers: 0.75 em under the axis
if (TW_FORMAT eq "pdf") set term pdfcairo enhanced color butt size TW_W in, TW_H in \
    font TW_TF fontscale TW_SCALE
if (TW_FORMAT eq "eps") set term epscairo enhanced color butt size TW_W in, TW_H in \
    font TW_TF fontscale TW_SCALE
# LaTeX has only the size that it is told: that of ticks; labels begin with TW_L.
SIZE(pt) = sprintf("\\fontsize{%g}{%g}\\selectfont ", pt, 1.2 * pt)
TW_L = TW_FORMAT eq "tex" ? SIZE(TW_FS) : ""
TW_TEX = SIZE(TW_FS - 1)
if (TW_FORMAT eq "tex") set term cairolatex pdf input header TW_TEX color butt \
    size TW_W in, TW_H in font TW_TF fontscale TW_SCALE
if (TW_FORMAT eq "png") set term pngcairo enhanced color butt size TW_W * 300, TW_H * 300 \
    font TW_TF fontscale TW_SCALE linewidth 300 / 144.0 pointscale 300 / 72.0
if (TW_FORMAT eq "svg") set term svg enhanced butt size TW_W * 96, TW_H * 96 font TW_TF \
    fontscale TW_SCALE linewidth 96 / 144.0
if (TW_FORMAT eq "sixel") set term sixelgd enhanced truecolor size TW_PX, TW_PX * TW_H / TW_W \
    font TW_TF fontscale TW_SCALE linewidth TW_PX / TW_W / 144.0
if (TW_FORMAT eq "dumb") set term dumb enhanced ansi256 size TW_COLS, TW_ROWS
