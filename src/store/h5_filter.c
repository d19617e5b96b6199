/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A seccomp filter (Linux, Documentation/userspace-api/seccomp_filter.rst) without a library. What
 * is not in the list fails and does not kill: a C library that asks for something new then finds
 * its other way. */
#include "h5_filter.h"

#include <errno.h>
#include <stddef.h>

#ifdef __linux__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#if defined __linux__ && defined __x86_64__
#define MACHINE AUDIT_ARCH_X86_64
#elif defined __linux__ && defined __aarch64__
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#ifdef MACHINE
static const unsigned allowed[] = {
    /* what is open already */
    SYS_read, SYS_pread64, SYS_readv, SYS_write, SYS_pwrite64, SYS_writev, SYS_lseek, SYS_close,
    SYS_fstat, SYS_newfstatat, SYS_fcntl, SYS_flock,
    /* memory */
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise,
    /* the process itself: its end, its signals, threads that wait, its clock and limits */
    SYS_exit, SYS_exit_group, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
    SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_tgkill, SYS_getpid, SYS_gettid, SYS_futex,
    SYS_sched_yield, SYS_restart_syscall, SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom,
    SYS_prlimit64
};

enum { CALLS = sizeof allowed / sizeof *allowed, HEAD = 4, TAIL = 2 };

void tw_h5_filter(void)
{
    /* Another architecture's numbers mean something else; then all numbers one by one. */
    struct sock_filter code[HEAD + CALLS + TAIL] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    const struct sock_fprog program = { HEAD + CALLS + TAIL, code };

    for (unsigned i = 0; i < CALLS;
         i++) /* to the last statement, past the others and the refusal */
        code[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
                                                      (unsigned char)(CALLS - i), 0);
    code[HEAD + CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[HEAD + CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
#else
void tw_h5_filter(void)
{
}
#endif
