// Package kernel asks the kernel about TCP and about this process: states, timers and queues
// (sock_diag), the Tcp and TcpExt counters, who holds a socket, the private network namespace in
// which a run needs no privilege and disturbs nobody, and the privileges that are given up.
//
// What it changes is this process and its namespace, never the machine; what the answers mean is package analyze's. Packets are capture/live's.
//
// Instead of vishvananda/netlink, whose SocketGet walks every socket of the namespace, sock_diag
// is asked for one endpoint by its exact addresses over one socket that stays open: a question
// costs microseconds, and a run asks two after every call. Instead of the syscall package, which
// does not reach the threads of C, capabilities change through libcap's psx.
package kernel
