/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who runs, and in which system call. */
#ifndef CLOSECAP_TASK_H
#define CLOSECAP_TASK_H

#include "kernel.h"

/* Flags of struct task. */
enum {
	EXITING = 1, /* the process is ending: this is the implicit close */
	IO_WORKER = 2, /* a thread of io_uring */
	KTHREAD = 4,
	COMPAT = 8, /* a 32-bit call: its numbers are others */
	OWNS = 16, /* the socket was locked by a process: the task is the doer, not a bystander */
};

struct task {
	__u32 pid, tid; /* of the initial namespace */
	__s32 call; /* system call number, -1 for none */
	__s32 fd; /* its first argument */
	__u32 how; /* its second */
	__u16 flags;
	__u16 status; /* as in wait(2), with EXITING */
	char comm[16];
};

INLINE __u16 swap16(__u16 v)
{
	return __builtin_bswap16(v);
}

/* Says who runs now, and in which system call. */
static __attribute__((noinline)) void current_task(struct task *t, int owned)
{
	struct task_struct *task = bpf_get_current_task_btf();

	t->pid = task->tgid;
	t->tid = task->pid;
	t->call = -1;
	t->fd = -1;
	t->how = 0;
	t->flags = owned ? OWNS : 0;
	t->status = 0;
	READ(t->comm, task->group_leader->comm); /* the process's: a thread may bear a name of its own */
	if (task->flags & PF_IO_WORKER)
		t->flags |= IO_WORKER;
	if (task->flags & PF_KTHREAD) {
		t->flags |= KTHREAD;
		return;
	}
	if (task->flags & PF_EXITING) {
		t->flags |= EXITING;
		t->status = task->signal->group_exit_code ?: task->exit_code;
	}
	void *regs = bpf_task_pt_regs(task);
	if (field_exists(((struct pt_regs___x86 *)0)->orig_ax)) {
		struct pt_regs___x86 *x86 = regs;
		__u64 cs = 0, v = 0;
		READ(v, x86->orig_ax);
		t->call = v;
		READ(v, x86->di);
		t->fd = v;
		READ(v, x86->si);
		t->how = v;
		READ(cs, x86->cs);
		if ((cs & 0xffff) == 0x23) /* __USER32_CS */
			t->flags |= COMPAT;
	} else {
		struct pt_regs___arm64 *arm = regs;
		__u64 v = 0;
		READ(t->call, arm->syscallno);
		READ(v, arm->orig_x0);
		t->fd = v;
		READ(v, arm->regs[1]);
		t->how = v;
		READ(v, arm->pstate);
		if (v & 0x10) /* PSR_MODE32_BIT */
			t->flags |= COMPAT;
	}
}

#endif
