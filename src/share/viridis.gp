# SPDX-License-Identifier: GPL-3.0-or-later
# viridis (S. van der Walt and N. Smith, given under CC0), twenty of its colours
set palette defined ( 0 "#440154",  1 "#481568",  2 "#482677",  3 "#453781",  4 "#3f4788", \
     5 "#39558c",  6 "#32648e",  7 "#2d718e",  8 "#287d8e",  9 "#238a8d", 10 "#1f968b", \
    11 "#20a386", 12 "#29af7f", 13 "#3cbc75", 14 "#56c667", 15 "#74d055", 16 "#94d840", \
    17 "#b8de29", 18 "#dce318", 19 "#fde725") maxcolors 0
