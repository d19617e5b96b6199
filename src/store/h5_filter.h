/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/h5_filter.h - what the process that reads HDF5 may still ask of the kernel. */
#ifndef TW_STORE_H5_FILTER_H
#define TW_STORE_H5_FILTER_H

/* From here on this process can read and write what it has open, take memory and end; every other
 * system call fails with EPERM. Cannot be undone. Where the kernel or the machine has no such
 * filter, nothing happens: the limits of h5_items.c hold in any case. */
void tw_h5_filter(void);

#endif
