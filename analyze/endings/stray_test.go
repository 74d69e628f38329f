package endings

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestStrayResets: an RST for a connection that is over changes nothing, one that nobody knows is
// told by itself.
func TestStrayResets(t *testing.T) {
	tr := NewTracker(Options{})
	e := lone(event.SynSent, event.Established, event.CloseWait, event.LastAck, event.Closed)
	e.FinIn = true
	tr.Add(event.KernelEvent{Endpoint: e})
	only(t, tr.Ready(e.Stop()+second))
	late := &event.KernelReset{Local: here, Remote: there, Time: e.Stop() + 2*second, Reason: "NO_SOCKET", Offender: &event.Offender{Flags: event.ACK}}
	tr.Add(event.KernelEvent{Reset: late})
	if cs := tr.Rest(late.Time + second); len(cs) != 0 {
		t.Errorf("a late RST became %s", cs[0].Ending)
	}
	listens := *late
	listens.Time, listens.Socket, listens.State = late.Time+second, 9, event.Listen
	tr.Add(event.KernelEvent{Reset: &listens})
	if cs := tr.Rest(listens.Time + second); len(cs) != 0 {
		t.Errorf("a late RST of a listener became %s", cs[0].Ending)
	}
	syn := &event.KernelReset{Local: netip.MustParseAddrPort("10.0.0.1:81"), Remote: there, Time: 9 * second, Reason: "NO_SOCKET", Offender: &event.Offender{Flags: event.SYN}}
	tr.Add(event.KernelEvent{Reset: syn})
	c := only(t, tr.Ready(10*second))
	if !c.Stray || c.Ending != analyze.WasRefused || c.Client != there || c.Server != syn.Local {
		t.Errorf("%s from %v to %v, stray %v, want a refused one from %v", c.Ending, c.Client, c.Server, c.Stray, there)
	}
}

// TestLateReset: what was sent for a connection of which one end had been told of ended the other.
func TestLateReset(t *testing.T) {
	c, s := bothEnds([]event.TCPState{event.SynSent, event.Established, event.FinWait1, event.Closed}, []event.TCPState{event.Established, event.Closed})
	s.Steps[1].Time = c.Stop() + 3*second
	c.Errno, s.ResetIn = "ETIMEDOUT", s.Stop()
	tr := NewTracker(Options{})
	tr.Add(event.KernelEvent{Endpoint: c})
	only(t, tr.Ready(c.Stop()+second))
	tr.Add(event.KernelEvent{Reset: &event.KernelReset{Local: here, Remote: there, Time: s.Stop() - 1000, Reason: "NO_SOCKET", Offender: &event.Offender{Flags: event.ACK, Len: 5}}})
	tr.Add(event.KernelEvent{Endpoint: s})
	if got := only(t, tr.Ready(s.Stop()+10*second)); got.Reset == nil || got.Reset.By != analyze.Client || got.Reset.Cause != analyze.NoSocket {
		t.Errorf("%s, %+v, want reset by the client, no-socket", got.Ending, got.Reset)
	}
}

// TestStrayFin: a FIN that meets no socket says nothing of how its connection ended, and is told once
// however often it is sent again.
func TestStrayFin(t *testing.T) {
	tr := NewTracker(Options{})
	server := netip.MustParseAddrPort("10.0.0.1:80")
	fin := func(at event.Time) event.KernelEvent {
		return event.KernelEvent{Reset: &event.KernelReset{Local: here, Remote: server, Time: at, Reason: "NO_SOCKET",
			Offender: &event.Offender{Flags: event.FIN | event.ACK}}}
	}
	tr.Add(fin(second))
	c := only(t, tr.Ready(10*second))
	if c.Ending != analyze.UnknownEnding || c.Closer != analyze.NoSide || c.Confidence != analyze.Unknown || c.Server != server {
		t.Errorf("%s of %v by %q, %s, want unknown ones of %v", c.Ending, c.Server, c.Closer, c.Confidence, server)
	}
	if len(c.Why) != 1 || !strings.Contains(c.Why[0], server.String()) {
		t.Errorf("why: %q, want a sentence with %v", c.Why, server)
	}
	for at := 30 * second; at < 300*second; at += 45 * second {
		tr.Add(fin(at))
		if cs := tr.Ready(at + 10*second); len(cs) != 0 {
			t.Fatalf("at %v it is told again: %q", at, cs[0].Why)
		}
	}
}

// TestListenerAnswers: a listener's RST to what belongs to no connection aborts none.
func TestListenerAnswers(t *testing.T) {
	tr := NewTracker(Options{})
	tr.Add(event.KernelEvent{Reset: &event.KernelReset{Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: here, Time: second, Socket: 9,
		Reason: "NOT_SPECIFIED", State: event.Listen, Offender: &event.Offender{Flags: event.ACK, Len: 4}}})
	c := only(t, tr.Ready(10*second))
	if c.Ending != analyze.WasReset || c.Reset.Cause != analyze.NoSocket || c.Closer != analyze.NoSide {
		t.Errorf("%s, %s, closer %q, want reset, no-socket, none", c.Ending, c.Reset.Cause, c.Closer)
	}
}
