// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Follows the socket calls of some processes and their children: each call when it returns, with
 * what its socket was before and after, and each change of state of the sockets. Payload is never
 * read; of what a program hands over only a connect's address and a socket option's value are.
 *
 * As in closecap.bpf.c every byte of the structures has a name.
 */
#include "kernel.h"
#include "task.h"
#include "holders.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading: what each system call of this architecture is to us. */
#define CALLS 512
const volatile __u8 kinds[CALLS] = {};

enum call_kind { NO_CALL, SOCKET_CALL, CONNECT, ACCEPT, CLOSE, OPTION, SENDS, RECEIVES, SPLICE };

enum { UNREAD_UNKNOWN = 2 };

enum kind { CALL = 1, STEP, EXIT, DEPARTURE };

/* What a socket was at one moment. */
struct look {
	__u64 cookie;
	__u8 laddr[16], raddr[16];
	__u16 lport, rport; /* host order */
	__u16 family;
	__u8 state;
	__u8 fin_in; /* the peer's FIN came; UNREAD_UNKNOWN: the queues are not known */
	__u32 rcv_nxt, copied_seq;
	__u32 write_seq, snd_una;
};

struct call {
	__u8 kind;
	__u8 how; /* enum call_kind */
	__u8 blocked;
	__u8 opened; /* after tells of the descriptor that was returned */
	__u32 refs; /* to the open file when the call began */
	__u64 start, end; /* CLOCK_MONOTONIC */
	__s64 ret;
	__u64 args[5];
	__u8 given[32]; /* the address, or the option's value */
	__s32 nr;
	__u32 pid, tid;
	__s32 fd;
	__u64 switches;
	__u64 signals; /* that the thread is about to get, bit 0 for signal 1; of a close, or where ret is an error */
	char comm[16];
	__u32 status; /* with which SIGKILL among them ends it, as in wait(2) */
	__u32 zero;
	struct look before, after;
};

/* A socket changed its state. */
struct step {
	__u8 kind;
	__u8 old, new;
	__u8 owned;
	__u8 own; /* in a process that is followed */
	__u8 zero[3];
	__u64 at;
	struct look look;
	struct task task;
};

struct exit {
	__u8 kind;
	__u8 zero[3];
	__u32 pid;
	__u64 at;
};

/* A segment that a call handed to the network device. */
struct departure {
	__u8 kind;
	__u8 flags;
	__u16 family;
	__u32 tid;
	__u64 at;
	__u32 seq, len;
	__u16 lport, rport; /* host order */
	__u32 exiting; /* the process is closing what it had: no call */
	__u8 laddr[16], raddr[16];
};

const struct call *describe_call __attribute__((unused));
const struct step *describe_step __attribute__((unused));
const struct exit *describe_exit __attribute__((unused));
const struct departure *describe_departure __attribute__((unused));

/* The processes, by number of the initial namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} followed SEC(".maps");

/* Calls that have not returned, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct call);
} running SEC(".maps");

/* The sockets that they have used, by cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} used SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 << 20);
} events SEC(".maps");

__u64 ring_full, no_record;

INLINE void send(void *data, __u64 size)
{
	__u64 wake = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > (4 << 20) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_output(&events, data, size, wake))
		__sync_fetch_and_add(&ring_full, 1);
}

INLINE int is_followed(__u32 pid)
{
	return bpf_map_lookup_elem(&followed, &pid) != 0;
}

/* Returns what the descriptor of the current process is open to. */
INLINE struct file *file_at(struct task_struct *task, __u32 fd)
{
	struct files_struct *files = task->files;
	struct fdtable *fdt = 0;
	struct file **table = 0, *file = 0;
	__u32 max = 0;

	if (!files)
		return 0;
	READ(fdt, files->fdt);
	READ(max, fdt->max_fds);
	if (fd >= max)
		return 0;
	READ(table, fdt->fd);
	bpf_probe_read_kernel(&file, sizeof(file), table + fd);
	return file;
}

/* Returns the socket of TCP or MPTCP of an open file, null when it is none. */
INLINE struct sock *socket_of(struct file *file)
{
	struct inode *inode = 0;
	struct socket *socket = 0;
	struct sock *sk = 0;
	__u16 mode = 0, protocol = 0, type = 0;

	if (!file)
		return 0;
	READ(inode, file->f_inode);
	READ(mode, inode->i_mode);
	if ((mode & 0170000) != 0140000) /* S_IFMT, S_IFSOCK */
		return 0;
	READ(socket, file->private_data);
	if (!socket)
		return 0;
	READ(sk, socket->sk);
	if (!sk)
		return 0;
	READ(protocol, sk->sk_protocol);
	READ(type, sk->sk_type);
	return (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) && type == 1 ? sk : 0; /* SOCK_STREAM */
}

INLINE __u32 references(struct file *file)
{
	__u64 n = 0;

	if (field_exists(((struct file___ref *)0)->f_ref)) {
		READ(n, ((struct file___ref *)file)->f_ref.refcnt.counter);
		return n + 1;
	}
	READ(n, ((struct file___count *)file)->f_count.counter);
	return n;
}

/* Its sequence numbers are MPTCP's own, of 64 bits. */
INLINE int look_at_multipath(struct look *l, struct mptcp_sock *msk)
{
	__u64 n = 0;

	l->fin_in = UNREAD_UNKNOWN;
	if (!field_exists(((struct mptcp_sock *)0)->bytes_consumed))
		return 0;
	l->fin_in = 0;
	READ(n, msk->bytes_received);
	l->rcv_nxt = n;
	READ(n, msk->bytes_consumed);
	l->copied_seq = n;
	READ(n, msk->write_seq);
	l->write_seq = n;
	READ(n, msk->snd_una);
	l->snd_una = n;
	return 0;
}

static __attribute__((noinline)) int look_at(struct look *l, struct sock *sk)
{
	struct tcp_sock *tp = (void *)sk;
	unsigned long flags = 0;
	__u16 port = 0, protocol = 0;

	if (!l)
		return 0;
	READ(l->family, sk->__sk_common.skc_family);
	READ(l->state, sk->__sk_common.skc_state);
	READ(port, tp->inet_conn.icsk_inet.inet_sport);
	l->lport = swap16(port);
	READ(port, sk->__sk_common.skc_dport);
	l->rport = swap16(port);
	if (l->family == AF_INET) {
		bpf_probe_read_kernel(l->laddr, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_probe_read_kernel(l->raddr, 4, &sk->__sk_common.skc_daddr);
	} else {
		READ(l->laddr, sk->__sk_common.skc_v6_rcv_saddr);
		READ(l->raddr, sk->__sk_common.skc_v6_daddr);
	}
	READ(protocol, sk->sk_protocol);
	if (protocol == IPPROTO_MPTCP)
		return look_at_multipath(l, (void *)sk);
	READ(flags, sk->__sk_common.skc_flags);
	l->fin_in = flags >> SOCK_DONE & 1;
	READ(l->rcv_nxt, tp->rcv_nxt);
	READ(l->copied_seq, tp->copied_seq);
	READ(l->write_seq, tp->write_seq);
	READ(l->snd_una, tp->snd_una);
	return 0;
}

INLINE void arguments(struct call *c, void *regs)
{
	if (field_exists(((struct pt_regs___x86 *)0)->orig_ax)) {
		struct pt_regs___x86 *x86 = regs;

		READ(c->args[0], x86->di);
		READ(c->args[1], x86->si);
		READ(c->args[2], x86->dx);
		READ(c->args[3], x86->r10);
		READ(c->args[4], x86->r8);
	} else {
		struct pt_regs___arm64 *arm = regs;

		READ(c->args[0], arm->orig_x0);
		READ(c->args[1], arm->regs[1]);
		READ(c->args[2], arm->regs[2]);
		READ(c->args[3], arm->regs[3]);
		READ(c->args[4], arm->regs[4]);
	}
}

SEC("tp_btf/sys_enter")
int sys_enter(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 nr = ctx[1];
	__u32 tid = task->pid;

	if (nr >= CALLS || !kinds[nr] || !is_followed(task->tgid))
		return 0;
	struct call c = { .kind = CALL, .how = kinds[nr], .nr = nr, .pid = task->tgid, .tid = tid };
	struct file *file = 0;
	struct sock *sk = 0;

	arguments(&c, (void *)ctx[0]);
	c.fd = c.args[0];
	if (c.how != SOCKET_CALL) {
		file = file_at(task, c.fd);
		sk = socket_of(file);
		if (!sk && c.how == SPLICE) {
			c.fd = c.args[2];
			file = file_at(task, c.fd);
			sk = socket_of(file);
		}
		if (!sk)
			return 0;
		look_at(&c.before, sk);
		c.before.cookie = identity(file, sk);
		c.refs = references(file);
	}
	if (c.how == CONNECT)
		bpf_probe_read_user(c.given, 28, (void *)c.args[1]);
	else if (c.how == OPTION)
		bpf_probe_read_user(c.given, 16, (void *)c.args[3]);
	READ(c.comm, task->group_leader->comm);
	c.switches = task->nvcsw;
	c.start = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&running, &tid, &c, 0))
		__sync_fetch_and_add(&no_record, 1);
	return 0;
}

SEC("tp_btf/sys_exit")
int sys_exit(__u64 *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tid = task->pid;

	if (!is_followed(task->tgid))
		return 0;
	struct call *c = bpf_map_lookup_elem(&running, &tid);
	if (!c)
		return 0;
	c->end = now;
	c->ret = ctx[1];
	c->blocked = task->nvcsw != c->switches;
	if (c->how == CLOSE || c->ret < 0) {
		c->signals = (task->pending.signal.sig[0] | task->signal->shared_pending.signal.sig[0]) & ~task->blocked.sig[0];
		c->status = task->signal->group_exit_code;
	}
	__u32 fd = c->fd;
	int opens = c->how == ACCEPT || c->how == SOCKET_CALL;
	if (opens && c->ret >= 0) {
		fd = c->ret;
		c->opened = 1;
	}
	struct file *file = 0;
	struct sock *sk = 0;
	/* What close has closed may be another socket already. */
	if (c->how != CLOSE && (c->opened || c->how != SOCKET_CALL)) {
		file = file_at(task, fd);
		sk = socket_of(file);
	}
	if (sk) {
		look_at(&c->after, sk);
		c->after.cookie = identity(file, sk);
	}
	__u64 cookie = c->after.cookie;
	__u8 one = 1;
	if (cookie)
		bpf_map_update_elem(&used, &cookie, &one, 0);
	if (c->how != SOCKET_CALL || sk)
		send(c, sizeof(*c));
	bpf_map_delete_elem(&running, &tid);
	return 0;
}

/* Reports whether MPTCP owns a socket of TCP: no process has it. */
INLINE int is_subflow(struct sock *sk)
{
	_Bool is = 0;

	if (field_exists(((struct tcp_sock *)0)->is_mptcp))
		READ(is, ((struct tcp_sock *)sk)->is_mptcp);
	return is;
}

SEC("tp_btf/inet_sock_set_state")
int set_state(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct socket *socket = sk->sk_socket;
	struct file *file = 0;
	__u8 one = 1;
	__u64 cookie;

	if (socket)
		READ(file, socket->file);
	if (bpf_skc_to_tcp_sock(sk) && !is_subflow(sk))
		cookie = bpf_get_socket_cookie(sk); /* it is 0 until somebody asks */
	else if (file && sk->sk_protocol == IPPROTO_MPTCP)
		cookie = identity(file, sk);
	else
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	int owned = sk->sk_lock.owned != 0;
	int own = owned && is_followed(task->tgid);

	if (own && ctx[2] == TCP_SYN_SENT)
		bpf_map_update_elem(&used, &cookie, &one, 0);
	else if (!own && !bpf_map_lookup_elem(&used, &cookie))
		return 0;
	struct step s = { .kind = STEP, .old = ctx[1], .new = ctx[2], .owned = owned, .own = own };
	look_at(&s.look, sk);
	s.look.cookie = cookie;
	current_task(&s.task, owned);
	s.at = bpf_ktime_get_ns();
	send(&s, sizeof(s));
	return 0;
}

/* Reports whether a process has locked the socket: then no interrupt that borrows it sends. */
INLINE int in_process(struct sock *sk)
{
	__u8 state = 0;
	int owned = 0;

	if (!sk)
		return 0;
	READ(state, sk->__sk_common.skc_state);
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return 0; /* such a socket is smaller */
	READ(owned, sk->sk_lock.owned);
	return owned;
}

SEC("tp_btf/net_dev_queue")
int departs(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sk_buff *skb = (void *)ctx[0];
	__u32 tid = task->pid;

	int exiting = (task->flags & PF_EXITING) != 0;

	if (exiting ? !is_followed(task->tgid) : !bpf_map_lookup_elem(&running, &tid))
		return 0;
	struct departure d = { .kind = DEPARTURE, .tid = tid, .exiting = exiting, .at = bpf_ktime_get_ns() };
	struct sock *sk = 0;
	unsigned char *head = 0;
	__u16 network = 0, transport = 0, total = 0;
	__u8 ip[40] = {}, tcp[20] = {};

	READ(sk, skb->sk);
	if (!in_process(sk))
		return 0;
	READ(head, skb->head);
	READ(network, skb->network_header);
	READ(transport, skb->transport_header);
	bpf_probe_read_kernel(ip, sizeof(ip), head + network);
	int v4 = ip[0] >> 4 == 4;
	if ((v4 ? ip[9] : ip[6]) != 6) /* IPPROTO_TCP */
		return 0;
	bpf_probe_read_kernel(tcp, sizeof(tcp), head + transport);
	d.flags = tcp[13];
	d.seq = __builtin_bswap32(*(__u32 *)(tcp + 4));
	d.lport = swap16(*(__u16 *)tcp);
	d.rport = swap16(*(__u16 *)(tcp + 2));
	/* 0 for a segment of more than 64 KB, which user space takes for what it captured. */
	total = v4 ? swap16(*(__u16 *)(ip + 2)) : swap16(*(__u16 *)(ip + 4)) + 40;
	d.len = total - (__u16)(transport - network) - (tcp[12] >> 4) * 4;
	if (v4) {
		d.family = AF_INET;
		__builtin_memcpy(d.laddr, ip + 12, 4);
		__builtin_memcpy(d.raddr, ip + 16, 4);
	} else {
		d.family = AF_INET6;
		__builtin_memcpy(d.laddr, ip + 8, 16);
		__builtin_memcpy(d.raddr, ip + 24, 16);
	}
	send(&d, sizeof(d));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int fork(__u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	__u32 pid = child->tgid;
	__u8 one = 1;

	if (child->pid == child->tgid && is_followed(parent->tgid) && bpf_map_update_elem(&followed, &pid, &one, 0))
		__sync_fetch_and_add(&no_record, 1);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	int live = 0;

	if (!is_followed(task->tgid))
		return 0;
	READ(live, task->signal->live.counter);
	if (live)
		return 0;
	struct exit e = { .kind = EXIT, .pid = task->tgid, .at = bpf_ktime_get_ns() };
	send(&e, sizeof(e));
	return 0;
}
