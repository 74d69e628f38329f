/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the programs read of the kernel's own structures: only the fields named here. Offsets are
 * put right when the object is loaded, from the running kernel's BTF (CO-RE), so the order and
 * the distances below mean nothing, and a name behind ___ is another kernel's form of the same.
 */
#ifndef CLOSECAP_KERNEL_H
#define CLOSECAP_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef long long __s64;

#define CO_RE __attribute__((preserve_access_index))

struct in6_addr {
	__u8 bytes[16];
};

struct ns_common {
	unsigned int inum;
} CO_RE;

struct net {
	struct ns_common ns;
} CO_RE;

typedef struct {
	struct net *net;
} CO_RE possible_net_t;

typedef struct {
	__s64 counter;
} CO_RE atomic64_t;

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport; /* network order */
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
} CO_RE;

typedef struct {
	int owned;
} CO_RE socket_lock_t;

typedef struct {
	__u32 val;
} CO_RE kuid_t;

struct kernfs_node {
	__u64 id;
} CO_RE;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
} CO_RE;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
} CO_RE;

struct sock_cgroup_data {
	struct cgroup *cgroup;
} CO_RE;

struct socket {
	struct file *file;
	struct sock *sk;
} CO_RE;

struct sk_buff_head {
	struct sk_buff *prev; /* the last one; the head itself where there is none */
} CO_RE;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_error_queue;
	socket_lock_t sk_lock;
	int sk_err;
	int sk_err_soft;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	unsigned long sk_lingertime; /* jiffies */
	kuid_t sk_uid;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
} CO_RE;

struct inet_sock {
	struct sock sk;
	__u16 inet_sport; /* network order */
} CO_RE;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
	__u8 icsk_probes_out;
} CO_RE;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 total_retrans;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
	int linger2;
	_Bool is_mptcp; /* a socket below one of MPTCP */
} CO_RE;

/* bytes_consumed: not in older kernels. */
struct mptcp_sock {
	__u64 write_seq;
	__u64 snd_una;
	__u64 bytes_received;
	__u64 bytes_consumed;
} CO_RE;

struct inet_timewait_sock {
	unsigned char tw_substate;
} CO_RE;

struct net_device {
	possible_net_t nd_net;
} CO_RE;

struct sk_buff {
	char cb[48];
	struct net_device *dev;
	struct sock *sk;
	unsigned char *head;
	__u16 network_header;
	__u16 transport_header;
} CO_RE;

struct sock_extended_err {
	__u32 ee_errno;
	__u8 ee_origin;
	__u8 ee_type;
	__u8 ee_code;
} CO_RE;

/* In cb, of what stands in an error queue. */
struct sock_exterr_skb {
	struct sock_extended_err ee;
} CO_RE;

typedef struct {
	int counter;
} CO_RE atomic_t;

typedef struct {
	unsigned long sig[1];
} CO_RE sigset_t;

struct sigpending {
	sigset_t signal;
} CO_RE;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	struct sigpending shared_pending;
} CO_RE;

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
} CO_RE;

struct file {
	struct inode *f_inode;
	void *private_data;
} CO_RE;

/* Up to 6.12. */
struct file___count {
	atomic64_t f_count;
} CO_RE;

typedef struct {
	atomic64_t refcnt; /* one less than there are */
} CO_RE file_ref_t;

struct file___ref {
	file_ref_t f_ref;
} CO_RE;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} CO_RE;

struct files_struct {
	struct fdtable *fdt;
} CO_RE;

struct task_struct {
	unsigned int flags;
	int exit_code;
	unsigned long nvcsw;
	struct files_struct *files;
	struct signal_struct *signal;
	sigset_t blocked;
	struct sigpending pending;
	struct task_struct *group_leader;
	int pid;
	int tgid;
	char comm[16];
} CO_RE;

struct pt_regs___x86 {
	unsigned long orig_ax;
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long r10;
	unsigned long r8;
	unsigned long cs;
} CO_RE;

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 pstate;
	__u64 orig_x0;
	__s32 syscallno;
} CO_RE;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} CO_RE;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} CO_RE;

/* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10

/* include/uapi/linux/in.h */
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

/* include/uapi/linux/errqueue.h */
#define SO_EE_ORIGIN_ICMP 2
#define SO_EE_ORIGIN_ICMP6 3

/* enum sock_flags, include/net/sock.h: bits of skc_flags */
#define SOCK_DEAD 0
#define SOCK_DONE 1
#define SOCK_LINGER 4

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000

/* include/uapi/linux/bpf.h */
#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_SK_STORAGE 24
#define BPF_MAP_TYPE_RINGBUF 27
#define BPF_F_NO_PREALLOC 1
#define BPF_SK_STORAGE_GET_F_CREATE 1
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_RB_AVAIL_DATA 0

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static __u64 (*bpf_get_socket_cookie)(const void *sk) = (void *)46;
static void *(*bpf_sk_storage_get)(void *map, const void *sk, void *value, __u64 flags) = (void *)107;
static long (*bpf_probe_read_user)(void *dst, __u32 size, const void *src) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, __u32 size, const void *src) = (void *)113;
static long (*bpf_seq_write)(struct seq_file *m, const void *data, __u32 len) = (void *)127;
static long (*bpf_ringbuf_output)(void *ring, void *data, __u64 size, __u64 flags) = (void *)130;
static __u64 (*bpf_ringbuf_query)(void *ring, __u64 flags) = (void *)134;
static struct tcp_sock *(*bpf_skc_to_tcp_sock)(const void *sk) = (void *)137;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static struct socket *(*bpf_sock_from_file)(struct file *file) = (void *)162;
static void *(*bpf_task_pt_regs)(struct task_struct *task) = (void *)175;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name

/* Exists in the running kernel; 2 is FIELD_EXISTENCE, 0 FIELD_BYTE_OFFSET. */
#define field_exists(field) __builtin_preserve_field_info(field, 2)

/* Reads one field through a pointer that the verifier does not know. */
#define READ(dst, src) bpf_probe_read_kernel(&(dst), sizeof(dst), &(src))

#endif
