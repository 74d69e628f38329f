package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// TestTold keeps what the kernel tells of the program's connections, whether it is told before or after the program's
// own word, and nothing of others.
func TestTold(t *testing.T) {
	s := newSession(t, true)
	now := present()
	ended := func(port uint16, socket uint64) event.KernelEvent {
		return event.KernelEvent{Endpoint: &event.Endpoint{
			Socket: socket, Local: server, Remote: netip.AddrPortFrom(loopback, port), Held: true,
			Steps: []event.Transition{{State: event.Established}, {State: event.Closed, Time: now}},
		}}
	}
	released := func(socket uint64) event.KernelEvent {
		return event.KernelEvent{Release: &event.Release{Time: now.Add(1), Socket: socket}}
	}
	s.Told([]event.KernelEvent{ended(40001, 71), ended(40002, 72), ended(50000, 73)}, now)
	connection(s, 1, now, event.FIN|event.ACK)
	s.Told([]event.KernelEvent{released(71), released(72)}, now)
	s.Told(nil, now.Add(2*strange))
	if n := len(s.unsorted); n != 0 {
		t.Errorf("%d events still wait", n)
	}
	connection(s, 2, now, event.FIN|event.ACK) // too late
	rec := s.Recording()
	if len(rec.Kernel) != 2 || rec.Kernel[0].Endpoint == nil || rec.Kernel[0].Endpoint.Socket != 71 || rec.Kernel[1].Release == nil {
		t.Errorf("kept %+v, want the end and the release of socket 71", rec.Kernel)
	}
	if len(s.held) != 0 {
		t.Errorf("held %v", s.held)
	}
}

// TestToldLetsGo: what was told of a connection goes with it.
func TestToldLetsGo(t *testing.T) {
	s := newSession(t, false)
	now := present()
	connection(s, 1, now, event.RST)
	s.Told([]event.KernelEvent{{Endpoint: &event.Endpoint{
		Socket: 71, Local: server, Remote: netip.AddrPortFrom(loopback, 40001), Held: true,
		Steps: []event.Transition{{State: event.Established}, {State: event.Closed, Time: now}},
	}}}, now)
	closed(s, 1)
	recs := s.Over(present().Add(10 * quietOpen))
	if len(recs) != 1 || len(recs[0].Kernel) != 1 {
		t.Fatalf("handed out %+v", recs)
	}
	if s.heard != 0 || len(s.held) != 0 || s.kept != 0 {
		t.Errorf("still kept: %d events, %d held, %d bytes", s.heard, len(s.held), s.kept)
	}
}

// TestToldHasBounds counts what has no room.
func TestToldHasBounds(t *testing.T) {
	s := newSession(t, false)
	now := present()
	events := make([]event.KernelEvent, maxUnsorted+5)
	for i := range events {
		events[i] = event.KernelEvent{Release: &event.Release{Time: now, Socket: uint64(i + 1)}}
	}
	s.Told(events, now.Add(time.Millisecond))
	if len(s.unsorted) != maxUnsorted || s.untold != 5 {
		t.Errorf("%d wait, %d had no room, want %d and 5", len(s.unsorted), s.untold, maxUnsorted)
	}
}
