package lab

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/lab/script"
)

// socket is a kernel socket, whichever processes hold it under whatever number.
type socket struct {
	cookie uint64
	local  netip.AddrPort
	remote netip.AddrPort
	bound  bool
}

func (s *socket) learn(r *reply) {
	if r.Cookie != 0 {
		s.cookie = r.Cookie
	}
	if r.Local.IsValid() && r.Local.Port() != 0 {
		s.local = r.Local
	}
	if r.Remote.IsValid() {
		s.remote = r.Remote
	}
}

// pending is a background call whose end was not collected yet.
type pending struct {
	call    *event.Call
	step    *script.Step
	socket  *socket
	replies <-chan reply
}

// holders lists who holds s: descriptors, and threads inside a call (descriptor -1 where
// the descriptor is gone). Entries of the process not itself, descriptor fd, are left out.
func (d *director) holders(s *socket, not *process, fd int) []event.Holder {
	var all []event.Holder
	for _, p := range d.processes {
		if !p.running() {
			continue
		}
		held := false
		for _, n := range slices.Sorted(maps.Keys(p.sockets)) {
			if p.sockets[n] == s && (p != not || n != fd) {
				all = append(all, event.Holder{PID: p.pid, FD: n, Actor: p.name})
				held = true
			}
		}
		inside := slices.ContainsFunc(p.pending, func(w *pending) bool { return w.socket == s && len(w.replies) == 0 })
		if inside && !held {
			all = append(all, event.Holder{PID: p.pid, FD: -1, Actor: p.name})
		}
	}
	return all
}
