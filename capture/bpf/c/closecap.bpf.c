// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Watches how the machine's TCP endpoints end. Each socket carries its own record, begun when the
 * socket is connected and sent to user space when it reaches CLOSED; each RST that is sent is an
 * event by itself. Payload is never read.
 *
 * The structures below are what capture/bpf/decode.go reads: every byte has a name, so that
 * nothing depends on how a compiler pads.
 */
#include "kernel.h"
#include "task.h"
#include "holders.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set before loading; 0 means any. */
const volatile __u32 only_netns = 0;
const volatile __u32 only_port = 0;
const volatile __u64 only_cgroup = 0;

enum kind { ENDPOINT = 1, RESET, RELEASE };

/* Flags of struct endpoint. */
enum {
	BORN = 1, /* seen from the beginning */
	CLIENT = 2, /* it connected */
	SERVER = 4, /* it was accepted, or waited to be */
	HAD_FILE = 8, /* a process had it as a descriptor */
	HELD = 16, /* at CLOSED a descriptor still stood */
	LINGER = 32, /* SO_LINGER was on */
	FIN_IN = 64, /* the peer's FIN was received */
	RST_IN = 128, /* the peer's RST was received */
};

#define STEPS 8

struct endpoint {
	__u8 kind;
	__u8 family;
	__u8 steps; /* how many there were; those past STEPS are not kept */
	__u8 flags;
	__u16 lport, rport; /* host order */
	__u64 cookie; /* SO_COOKIE */
	__u8 laddr[16], raddr[16];
	__u64 cgroup;
	__u32 netns, uid;
	__u64 at[STEPS]; /* CLOCK_MONOTONIC; 0 where only the next change told of the state */
	__u8 state[STEPS];
	__u8 owned[STEPS];
	__u64 rst_in; /* when the peer's RST came */
	struct task open, fin, end;
	__u64 sent, received; /* payload bytes, each once */
	__u32 unread, unacked, unsent, retrans;
	__s32 linger2;
	__u32 linger_time; /* jiffies */
	__u32 snd_nxt, rcv_nxt;
	__u16 err, soft_err;
	__u8 shutdown, timeouts, probes;
	__u8 last; /* state, kept or not */
	__u8 icmp_type, icmp_code; /* of the last ICMP error that came for it */
	__u16 icmp_err; /* what that means; 0 where none came */
	__u32 zero;
};

struct reset {
	__u8 kind;
	__u8 family;
	__u8 state; /* of the socket that sent it; 0 without one */
	__u8 substate; /* of TIME_WAIT */
	__u16 lport, rport; /* of the sender */
	__u64 cookie; /* 0 without a full socket */
	__u8 laddr[16], raddr[16];
	__u64 at;
	__u32 netns;
	__u32 reason; /* enum sk_rst_reason; ~0 where the kernel gives none */
	__u8 offended; /* by a segment; else it is active */
	__u8 flags; /* that segment's */
	__u8 had_file, dead;
	__u32 seq, ack, len; /* that segment's */
	struct task task;
};

/* A socket that ended while it was held, and was closed only now. */
struct release {
	__u8 kind;
	__u8 zero[3];
	__u32 unread; /* for good */
	__u64 cookie, at;
	struct task task;
};

/* The compiler describes in the object only what a variable has. */
const struct reset *describe_reset __attribute__((unused));
const struct release *describe_release __attribute__((unused));

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct endpoint);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");

/*
 * What could not be told: events that found the ring full, sockets that got no record, changes of state of which only
 * what came next tells. The kernel runs no program within itself, and some tasks may be kept from all.
 */
__u64 ring_full, no_record, untold;

/* The reader polls; it is woken only when the ring fills faster than that. */
INLINE void send(void *data, __u64 size)
{
	__u64 wake = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > (2 << 20) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	if (bpf_ringbuf_output(&events, data, size, wake))
		__sync_fetch_and_add(&ring_full, 1);
}

INLINE int flag(const struct sock *sk, int bit)
{
	return (sk->__sk_common.skc_flags >> bit) & 1;
}

INLINE int in_cgroup(const struct sock *sk)
{
	struct cgroup *cg = sk->sk_cgrp_data.cgroup;
	__u64 id = 0;
	struct kernfs_node *kn = 0;
	struct cgroup_subsys_state *parent = 0;

	for (int i = 0; i < 16 && cg; i++) {
		READ(kn, cg->kn);
		READ(id, kn->id);
		if (id == only_cgroup)
			return 1;
		READ(parent, cg->self.parent);
		if (!parent)
			return 0;
		READ(cg, parent->cgroup);
	}
	return 0;
}

INLINE int wanted(const struct sock *sk, struct tcp_sock *tp)
{
	if (only_netns && sk->__sk_common.skc_net.net->ns.inum != only_netns)
		return 0;
	__u16 sport = tp->inet_conn.icsk_inet.inet_sport; /* 0 while connect has not chosen it */
	if (only_port && sport && sport != swap16(only_port) && sk->__sk_common.skc_dport != swap16(only_port))
		return 0;
	return !only_cgroup || in_cgroup(sk);
}

INLINE void addresses(const struct sock *sk, struct tcp_sock *tp, struct endpoint *e)
{
	const struct sock_common *c = &sk->__sk_common;

	e->lport = swap16(tp->inet_conn.icsk_inet.inet_sport); /* skc_num is 0 at CLOSED */
	e->rport = swap16(c->skc_dport);
	e->family = c->skc_family;
	if (c->skc_family == AF_INET) {
		*(__u32 *)e->laddr = c->skc_rcv_saddr;
		*(__u32 *)e->raddr = c->skc_daddr;
	} else {
		READ(e->laddr, c->skc_v6_rcv_saddr);
		READ(e->raddr, c->skc_v6_daddr);
	}
}

/* Returns the socket's record, begun anew where old says that a connection begins. */
INLINE struct endpoint *record(const struct sock *sk, struct tcp_sock *tp, int old, int begins)
{
	struct endpoint *e = bpf_sk_storage_get(&sockets, sk, 0, 0);

	if (e && !begins)
		return e;
	if (!wanted(sk, tp))
		return 0;
	if (!e)
		e = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!e) {
		__sync_fetch_and_add(&no_record, 1);
		return 0;
	}
	struct kernfs_node *kn = 0;
	struct cgroup *cg = sk->sk_cgrp_data.cgroup;

	__builtin_memset(e, 0, sizeof(*e));
	e->kind = ENDPOINT;
	e->cookie = bpf_get_socket_cookie(sk);
	e->netns = sk->__sk_common.skc_net.net->ns.inum;
	e->uid = sk->sk_uid.val;
	if (cg) {
		READ(kn, cg->kn);
		READ(e->cgroup, kn->id);
	}
	if (begins)
		e->flags = BORN;
	else { /* older than the programs: only where it stood is known */
		e->state[0] = e->last = old;
		e->steps = 1;
		addresses(sk, tp, e);
	}
	return e;
}

INLINE void step(struct endpoint *e, int state, int owned, __u64 now)
{
	__u32 n = e->steps;

	if (n < STEPS) {
		e->at[n] = now;
		e->state[n] = state;
		e->owned[n] = owned;
	}
	e->steps = n + 1;
	e->last = state;
}

/* The FIN takes a sequence number and is the last thing that is read, sent, acknowledged. */
INLINE __u32 unread(const struct sock *sk, struct tcp_sock *tp)
{
	__u32 n = tp->rcv_nxt - tp->copied_seq;

	return n - (flag(sk, SOCK_DONE) && n);
}

INLINE void last_facts(const struct sock *sk, struct tcp_sock *tp, struct endpoint *e, int old)
{
	int fin_in = flag(sk, SOCK_DONE);
	int fin_out = old == TCP_FIN_WAIT1 || old == TCP_FIN_WAIT2 || old == TCP_CLOSING || old == TCP_LAST_ACK;
	__u32 unacked = tp->snd_nxt - tp->snd_una;
	__u32 unsent = tp->write_seq - tp->snd_nxt;

	e->unread = unread(sk, tp);
	if (fin_out && unsent)
		unsent--;
	else if ((fin_out || old == TCP_SYN_SENT) && unacked)
		unacked--;
	e->unacked = unacked;
	e->unsent = unsent;
	e->sent = tp->bytes_sent - tp->bytes_retrans;
	e->received = tp->bytes_received;
	if (fin_in && e->received)
		e->received--;
	e->retrans = tp->total_retrans;
	e->linger2 = tp->linger2;
	e->linger_time = sk->sk_lingertime;
	e->snd_nxt = tp->snd_nxt;
	e->rcv_nxt = tp->rcv_nxt;
	e->err = sk->sk_err;
	e->soft_err = sk->sk_err_soft;
	e->shutdown = sk->sk_shutdown;
	e->timeouts = tp->inet_conn.icsk_retransmits;
	e->probes = tp->inet_conn.icsk_probes_out;
	if (fin_in)
		e->flags |= FIN_IN;
	if (flag(sk, SOCK_LINGER))
		e->flags |= LINGER;
	if (!flag(sk, SOCK_DEAD) && sk->sk_socket)
		e->flags |= HELD;
}

SEC("tp_btf/inet_sock_set_state")
int set_state(__u64 *ctx)
{
	const struct sock *sk = (void *)ctx[0];
	int old = ctx[1], new = ctx[2];

	/* A listener's own states; its child has no addresses yet at SYN_RECV. */
	if (old == TCP_LISTEN || new == TCP_LISTEN)
		return 0;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	int begins = new == TCP_SYN_SENT || (old == TCP_SYN_RECV && new == TCP_ESTABLISHED && !sk->sk_socket);
	if (new == old) /* a close after shutdown, say: it sends no FIN */
		return 0;
	struct endpoint *e = record(sk, tp, old, begins);
	if (!e)
		return 0;
	int owned = sk->sk_lock.owned != 0;

	if (e->steps && e->last != old) {
		__sync_fetch_and_add(&untold, 1);
		step(e, old, 0, 0);
	}
	step(e, new, owned, bpf_ktime_get_ns());
	if (sk->sk_socket)
		e->flags |= HAD_FILE;
	switch (new) {
	case TCP_SYN_SENT:
		e->flags |= CLIENT;
		current_task(&e->open, owned);
		break;
	case TCP_ESTABLISHED:
		addresses(sk, tp, e);
		if (!(e->flags & CLIENT))
			e->flags |= SERVER;
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		current_task(&e->fin, owned);
		break;
	case TCP_CLOSE:
		if (!e->lport)
			addresses(sk, tp, e);
		current_task(&e->end, owned);
		last_facts(sk, tp, e, old);
		if (!only_port || e->lport == only_port || e->rport == only_port)
			send(e, sizeof(*e));
	}
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int receive_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp)
		return 0;
	struct endpoint *e = record(sk, tp, sk->__sk_common.skc_state, 0);
	if (!e)
		return 0;
	e->flags |= RST_IN;
	e->rst_in = bpf_ktime_get_ns();
	return 0;
}

/*
 * An ICMP error for a socket that is connecting stands in its error queue now, whether or not it ends it: where the
 * call has the socket still, only SO_ERROR tells of it, and only once (tcp_v4_err, tcp_v6_err).
 */
SEC("tp_btf/inet_sk_error_report")
int error_report(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct endpoint *e = bpf_sk_storage_get(&sockets, sk, 0, 0);
	struct sk_buff *skb = sk->sk_error_queue.prev;
	struct sock_extended_err *ee = &((struct sock_exterr_skb *)skb->cb)->ee;
	__u32 err = 0;
	__u8 origin = 0;

	if (!e || (void *)skb == (void *)&sk->sk_error_queue)
		return 0;
	READ(origin, ee->ee_origin);
	if (origin != SO_EE_ORIGIN_ICMP && origin != SO_EE_ORIGIN_ICMP6)
		return 0;
	READ(err, ee->ee_errno);
	e->icmp_err = err;
	READ(e->icmp_type, ee->ee_type);
	READ(e->icmp_code, ee->ee_code);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int destroy_sock(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct endpoint *e = bpf_sk_storage_get(&sockets, sk, 0, 0);

	if (!tp || !e)
		return 0;
	if (e->last != TCP_CLOSE) { /* nobody was told, and who did it is not known */
		int old = e->last;

		__sync_fetch_and_add(&untold, 1);
		step(e, TCP_CLOSE, 0, bpf_ktime_get_ns());
		last_facts(sk, tp, e, old);
		if (!e->lport)
			addresses(sk, tp, e);
		if (!only_port || e->lport == only_port || e->rport == only_port)
			send(e, sizeof(*e));
		return 0;
	}
	if (!(e->flags & HELD))
		return 0;
	struct release r = { .kind = RELEASE, .unread = unread(sk, tp), .cookie = e->cookie, .at = bpf_ktime_get_ns() };
	current_task(&r.task, 1);
	send(&r, sizeof(r));
	return 0;
}

/* Fills in what the offending segment says: whose it was, and what it carried. */
INLINE void offender(struct reset *r, struct sk_buff *skb)
{
	unsigned char *head = 0;
	__u16 network = 0, transport = 0, total = 0;
	struct net_device *dev = 0;
	struct net *net = 0;
	__u8 ip[40] = {}, tcp[20] = {};

	READ(head, skb->head);
	READ(network, skb->network_header);
	READ(transport, skb->transport_header);
	bpf_probe_read_kernel(ip, sizeof(ip), head + network);
	bpf_probe_read_kernel(tcp, sizeof(tcp), head + transport);
	r->offended = 1;
	r->flags = tcp[13];
	r->seq = __builtin_bswap32(*(__u32 *)(tcp + 4));
	r->ack = __builtin_bswap32(*(__u32 *)(tcp + 8));
	total = ip[0] >> 4 == 4 ? swap16(*(__u16 *)(ip + 2)) : swap16(*(__u16 *)(ip + 4)) + 40;
	r->len = total - (__u16)(transport - network) - (tcp[12] >> 4) * 4;
	r->lport = swap16(*(__u16 *)(tcp + 2));
	r->rport = swap16(*(__u16 *)tcp);
	if (ip[0] >> 4 == 4) {
		r->family = AF_INET;
		__builtin_memcpy(r->laddr, ip + 16, 4);
		__builtin_memcpy(r->raddr, ip + 12, 4);
	} else {
		r->family = AF_INET6;
		__builtin_memcpy(r->laddr, ip + 24, 16);
		__builtin_memcpy(r->raddr, ip + 8, 16);
	}
	READ(dev, skb->dev);
	READ(net, dev->nd_net.net);
	READ(r->netns, net->ns.inum);
}

/* Fills in what a full socket knows better. */
INLINE int sender(struct reset *r, const struct sock *sk, struct tcp_sock *tp)
{
	struct endpoint *e = bpf_sk_storage_get(&sockets, sk, 0, 0);

	r->netns = sk->__sk_common.skc_net.net->ns.inum;
	r->cookie = bpf_get_socket_cookie(sk);
	r->dead = flag(sk, SOCK_DEAD);
	r->had_file = sk->sk_socket != 0;
	if (e && (e->flags & HAD_FILE))
		r->had_file = 1;
	if (r->state == TCP_LISTEN || r->offended)
		return 0;
	r->lport = swap16(tp->inet_conn.icsk_inet.inet_sport);
	r->rport = swap16(sk->__sk_common.skc_dport);
	r->family = sk->__sk_common.skc_family;
	if (r->family == AF_INET) {
		*(__u32 *)r->laddr = sk->__sk_common.skc_rcv_saddr;
		*(__u32 *)r->raddr = sk->__sk_common.skc_daddr;
	} else {
		READ(r->laddr, sk->__sk_common.skc_v6_rcv_saddr);
		READ(r->raddr, sk->__sk_common.skc_v6_daddr);
	}
	if (!e)
		return 0;
	/* A disconnect has taken the addresses already. */
	r->family = e->family;
	r->lport = e->lport;
	r->rport = e->rport;
	__builtin_memcpy(r->laddr, e->laddr, 16);
	__builtin_memcpy(r->raddr, e->raddr, 16);
	return 0;
}

/* sk may be null, a listener, a request or in TIME_WAIT; skb is null for an active reset. */
INLINE int reset(const struct sock *sk, struct sk_buff *skb, __u32 reason)
{
	struct reset r = { .kind = RESET, .reason = reason, .at = bpf_ktime_get_ns() };
	struct tcp_sock *tp = 0;
	int owned = 0;

	if (skb)
		offender(&r, skb);
	if (sk) {
		READ(r.state, sk->__sk_common.skc_state);
		if (r.state == TCP_TIME_WAIT)
			READ(r.substate, ((struct inet_timewait_sock *)sk)->tw_substate);
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp) {
			owned = sk->sk_lock.owned != 0;
			sender(&r, sk, tp);
		}
	}
	if (only_netns && r.netns != only_netns)
		return 0;
	if (only_port && r.lport != only_port && r.rport != only_port)
		return 0;
	if (only_cgroup && !(tp && in_cgroup(sk)))
		return 0;
	current_task(&r.task, owned);
	send(&r, sizeof(r));
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int send_reset(__u64 *ctx)
{
	return reset((void *)ctx[0], (void *)ctx[1], ctx[2]);
}

/* Before 6.10 the kernel gives no reason. */
SEC("tp_btf/tcp_send_reset")
int send_reset_unexplained(__u64 *ctx)
{
	return reset((void *)ctx[0], (void *)ctx[1], ~0U);
}
