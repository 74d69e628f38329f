//go:build amd64 || arm64

package trace

import "github.com/closecap/closecap/analyze/event"

// maxRinged is how many sockets of a table may be held by its io_uring before they are looked at again.
const maxRinged = 64

// ring notes that s has no descriptor left and is open: a request in the io_uring of f's process may hold it.
func (t *tracer) ring(f *files, s *socket, fd int) {
	if len(f.ringed) >= max(maxRinged, 2*f.stillRinged) {
		f.ringed = t.stillRinged(f)
		f.stillRinged = len(f.ringed)
	}
	s.ringed = true
	f.ringed = append(f.ringed, victim{fd: fd, sock: s, unread: -1})
}

// stillRinged returns those of f's sockets that no descriptor holds and that the kernel says are open, and gives
// up the others.
func (t *tracer) stillRinged(f *files) []victim {
	var open []victim
	for _, v := range f.ringed {
		if samples := t.samples(v.sock); len(v.sock.held) == 0 && len(samples) > 0 && owned(samples[0]) {
			open = append(open, v)
			continue
		}
		v.sock.ringed = false
		t.dismiss(v.sock)
	}
	return open
}

// letGo marks the call e, which ended f, as one that may have ended a request which held v's socket.
func (v *victim) letGo(e *event.Call) {
	e.Ring = e.Ring || v.sock.ringed
	v.sock.ringed = false
}
