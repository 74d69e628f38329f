// Package bpf says what the Linux kernel itself knows of how TCP connections end: who was in which
// call when an endpoint changed its state, what lay unread, why an RST was sent. It attaches BPF
// programs to typed tracepoints (tp_btf) and decodes what they send.
//
// There are two objects. Endings (c/closecap.bpf.c) follows no system call; its record of a socket lives in the
// socket's own BPF storage instead of in a hash table: it goes with the socket, there is nothing to evict,
// and finding it costs no hashing. Calls (c/calls.bpf.c) follows the socket calls of chosen processes and
// their children.
//
// Neither reads payload or uses a kprobe, and nothing here is judged: that is package analyze/endings' and join's.
// The programs are compiled ahead and embedded; an object serves amd64 and arm64, `make bpf` rebuilds both,
// and nobody needs clang to use them.
package bpf

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Options say which sockets are followed. The zero value follows all.
type Options struct {
	Netns  uint32 // inode of the network namespace; 0 for all
	Port   uint16 // at either end; 0 for all
	Cgroup uint64 // id of the cgroup that the socket was made in, or one above it; 0 for all
}

// Losses count what could not be told.
type Losses = event.KernelLosses

// LossWarnings says what l means for who takes the kernel's word beside packets and calls; nothing where
// nothing was lost.
func LossWarnings(l Losses) []string {
	if l.Total() == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s were lost: the kernel's word may be missing", analyze.Count(l.Total(), "kernel event"))}
}
