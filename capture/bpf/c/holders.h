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

/*
 * Returns by which number a socket is known: its cookie, 0 until somebody asks for it. Those that an MPTCP
 * listener accepts have its cookie (mptcp_sk_clone_init does not clear it), so they are known by their
 * inodes. No cookie is so large.
 */
INLINE __u64 identity(struct file *file, struct sock *sk)
{
	struct inode *inode = 0;
	unsigned long number = 0;
	__u64 cookie = 0;
	__u16 protocol = 0;

	READ(protocol, sk->sk_protocol);
	if (protocol == IPPROTO_MPTCP) {
		READ(inode, file->f_inode);
		READ(number, inode->i_ino);
		return 1ULL << 52 | number;
	}
	READ(cookie, sk->__sk_common.skc_cookie.counter);
	return cookie;
}

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

	h.cookie = identity(file, sk);
	if (!h.cookie)
		return 0;
	h.pid = task->tgid;
	h.fd = ctx->fd;
	READ(h.comm, task->comm);
	bpf_seq_write(ctx->meta->seq, &h, sizeof(h));
	return 0;
}

#endif
