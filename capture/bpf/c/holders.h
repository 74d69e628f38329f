/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who has which socket as a descriptor, of all processes. */
#ifndef CLOSECAP_HOLDERS_H
#define CLOSECAP_HOLDERS_H

#include "kernel.h"

/* Who has a socket as a descriptor. */
struct holder {
	__u64 cookie;
	__u32 pid;
	__u32 fd;
	char comm[16];
};

/* The compiler describes in the object only what a variable has. */
const struct holder *describe_holder __attribute__((unused));

SEC("iter/task_file")
int holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file)
		return 0;
	struct socket *socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	struct sock *sk = socket->sk;
	struct holder h = {};

	READ(h.cookie, sk->__sk_common.skc_cookie.counter);
	if (!h.cookie)
		return 0;
	h.pid = task->tgid;
	h.fd = ctx->fd;
	READ(h.comm, task->comm);
	bpf_seq_write(ctx->meta->seq, &h, sizeof(h));
	return 0;
}

#endif
