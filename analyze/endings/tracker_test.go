package endings

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

var (
	here  = netip.MustParseAddrPort("10.0.0.1:40000")
	there = netip.MustParseAddrPort("192.0.2.7:443")
)

const second = event.Time(time.Second)

// steps builds an endpoint's history, a second apart from the given one on.
func steps(from event.Time, states ...event.TCPState) []event.Transition {
	out := make([]event.Transition, len(states))
	for i, s := range states {
		out[i] = event.Transition{State: s, Time: from + event.Time(i)*second, Owned: true}
	}
	return out
}

// lone is the client's end of a connection to elsewhere.
func lone(states ...event.TCPState) *event.Endpoint {
	return &event.Endpoint{Socket: 1, Local: here, Remote: there, Born: true, Connected: true, HadFile: true,
		Steps: steps(second, states...)}
}

func only(t *testing.T, cs []*Connection) *Connection {
	t.Helper()
	if len(cs) != 1 {
		t.Fatalf("%d connections, want 1", len(cs))
	}
	return cs[0]
}

// bothEnds returns the ends of one connection of this machine.
func bothEnds(client, server []event.TCPState) (c, s *event.Endpoint) {
	c, s = lone(client...), &event.Endpoint{Socket: 2, Local: there, Remote: here, Born: true, Accepted: true, HadFile: true, Steps: steps(second, server...)}
	return c, s
}

// TestResetOfNobody: an RST that neither socket sent came from between them.
func TestResetOfNobody(t *testing.T) {
	open := []event.TCPState{event.SynSent, event.Established, event.Closed}
	for name, tt := range map[string]struct {
		change func(c, s *event.Endpoint)
		cause  analyze.ResetCause
		closer analyze.Side
	}{
		"of one end": {func(c, s *event.Endpoint) { s.Steps[1].Time += 10 * second }, analyze.Middlebox, analyze.NoSide},
		"of both":    {func(c, s *event.Endpoint) { s.ResetIn = s.Stop() }, analyze.Middlebox, analyze.NoSide},
		"of one end that the other closes later": {func(c, s *event.Endpoint) {
			s.Steps = steps(second, event.Established, event.FinWait1, event.Closed)
			s.Steps[1].Time, s.Steps[2].Time, s.ResetIn = 12*second, 12*second, 12*second
		}, analyze.Middlebox, analyze.NoSide},
		"of a sender whose event is lost": {func(c, s *event.Endpoint) { s.Steps[1].Time -= 1000 }, analyze.UnknownCause, analyze.Server},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := bothEnds(open, open[1:])
			c.ResetIn, c.Errno, s.Steps[1].Time = c.Stop(), "ECONNRESET", c.Stop()+1000
			tt.change(c, s)
			tr := NewTracker(Options{Local: func(netip.Addr) bool { return true }})
			tr.Add(event.KernelEvent{Endpoint: c})
			if got := tr.Ready(c.Stop() + second); len(got) > 0 {
				t.Fatalf("told before the server's end: %+v", got[0])
			}
			tr.Add(event.KernelEvent{Endpoint: s})
			got := only(t, tr.Ready(s.Stop()+second))
			if got.Ending != analyze.WasReset || got.Reset.By != analyze.Server || got.Reset.Cause != tt.cause || got.Closer != tt.closer {
				t.Errorf("%s, closed first by %q, %+v, want reset, %q, %s of the server", got.Ending, got.Closer, got.Reset, tt.closer, tt.cause)
			}
		})
	}
}

// TestResetAnsweredByNobody: an end that lost its socket to an RST of nobody answers what still comes with another.
func TestResetAnsweredByNobody(t *testing.T) {
	open := []event.TCPState{event.SynSent, event.Established, event.Closed}
	c, s := bothEnds(open, open[1:])
	c.ResetIn, c.Errno, c.Unread, c.Received = c.Stop(), "ECONNRESET", 7, 7
	s.Steps[1].Time, s.Sent = c.Stop()+event.Time(10*time.Millisecond), 27
	s.ResetIn, s.Unacked = s.Stop(), 20
	tr := NewTracker(Options{Local: func(netip.Addr) bool { return true }})
	tr.Add(event.KernelEvent{Endpoint: c})
	tr.Add(event.KernelEvent{Reset: &event.KernelReset{Local: here, Remote: there, Time: c.Stop() + 1000, Reason: "NO_SOCKET",
		Offender: &event.Offender{Flags: event.ACK, Len: 20}}})
	tr.Add(event.KernelEvent{Endpoint: s})
	got := only(t, tr.Ready(s.Stop()+second))
	if got.Reset == nil || got.Reset.By != analyze.Server || got.Reset.Cause != analyze.Middlebox || got.Closer != analyze.NoSide || got.Reset.Lost.Unread != 0 {
		t.Errorf("closed first by %q, %+v, want none, middlebox of the server, nothing unread", got.Closer, got.Reset)
	}
}

// TestAbortBeforeFin: an abort before the peer's FIN closed first, though neither end had got the other's.
func TestAbortBeforeFin(t *testing.T) {
	for late, want := range map[time.Duration]analyze.Side{time.Millisecond: analyze.Client, -time.Millisecond: analyze.Server} {
		c, s := bothEnds([]event.TCPState{event.SynSent, event.Established, event.Closed},
			[]event.TCPState{event.Established, event.FinWait1, event.Closed})
		abort := c.Stop()
		s.Steps[1].Time, s.Steps[2].Time = abort+event.Time(late), abort+event.Time(20*time.Millisecond)
		s.ResetIn = s.Stop()
		tr := NewTracker(Options{Local: func(netip.Addr) bool { return true }})
		tr.Add(event.KernelEvent{Reset: &event.KernelReset{Socket: 1, Local: here, Remote: there, Time: abort, Reason: "TCP_ABORT_ON_CLOSE"}})
		tr.Add(event.KernelEvent{Endpoint: c})
		tr.Add(event.KernelEvent{Endpoint: s})
		if got := only(t, tr.Ready(s.Stop()+second)); got.Closer != want || got.Ending != analyze.WasReset {
			t.Errorf("a FIN %v after the abort: %s, closed first by %q, want %q", late, got.Ending, got.Closer, want)
		}
	}
}

// TestLeftUnread: what a program had not read when it let its socket go is lost, whoever closed first.
func TestLeftUnread(t *testing.T) {
	for name, tt := range map[string]struct {
		release *event.Release
		want    uint64
	}{
		"it closed without reading": {&event.Release{Socket: 2, Unread: 8}, 8},
		"it read all":               {&event.Release{Socket: 2}, 0},
		"it may read it yet":        {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := bothEnds([]event.TCPState{event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed},
				[]event.TCPState{event.Established, event.CloseWait, event.LastAck, event.Closed})
			c.FinIn, s.FinIn, s.Held, s.Unread, s.Received = true, true, true, 8, 8
			tr := NewTracker(Options{Local: func(netip.Addr) bool { return true }})
			tr.Add(event.KernelEvent{Endpoint: c})
			tr.Add(event.KernelEvent{Endpoint: s})
			over := max(c.Stop(), s.Stop())
			if got := tr.Ready(over + second); len(got) > 0 {
				t.Fatalf("told while %d bytes could be read: %+v", s.Unread, got[0])
			}
			if tt.release != nil {
				tr.Add(event.KernelEvent{Release: tt.release})
			}
			got := only(t, tr.Ready(over+3*second))
			if lost := got.LostBytes(); got.Ending != analyze.Graceful || lost.Unread != tt.want {
				t.Errorf("%s, lost %+v, want graceful, %d unread", got.Ending, lost, tt.want)
			}
		})
	}
}

// TestUnnamed: a server that waits elsewhere while its client resets is in no call; the kernel says whose it is.
func TestUnnamed(t *testing.T) {
	for name, ask := range map[string]bool{"asked": true, "not asked": false} {
		t.Run(name, func(t *testing.T) {
			e := &event.Endpoint{Socket: 2, Local: there, Remote: here, Born: true, Accepted: true, HadFile: true, Held: true,
				Steps: steps(second, event.Established, event.Closed)}
			e.ResetIn = e.Stop()
			tr := NewTracker(Options{Names: true})
			tr.Add(event.KernelEvent{Endpoint: e})
			soon := e.Stop().Add(2 * settling)
			if got := tr.Unnamed(soon); len(got) != 1 || got[0] != 2 || len(tr.Ready(soon)) > 0 {
				t.Fatalf("Unnamed = %d, want socket 2, judged later", got)
			}
			at := soon.Add(2 * named)
			if ask {
				at = soon
				tr.Add(event.KernelEvent{Held: &event.Held{Time: soon, Socket: 2, Task: &event.Task{PID: 9, TID: 9, Comm: "httpd", FD: 4, Owner: true}}})
			}
			got := only(t, tr.Ready(at)).Tasks.Server
			if ask != (got != nil && got.Comm == "httpd") || len(tr.Unnamed(at)) > 0 {
				t.Errorf("server %+v, named %t", got, ask)
			}
		})
	}
}

func TestPeerElsewhere(t *testing.T) {
	closer := &event.Task{PID: 7, TID: 7, Comm: "api", Call: "close", FD: 9, Owner: true}
	for name, tt := range map[string]struct {
		end    *event.Endpoint
		change func(*event.Endpoint)
		reset  *event.KernelReset
		ending analyze.Ending
		closer analyze.Side
		cause  analyze.ResetCause
		conf   analyze.Confidence // of the cause, or of the ending without one
		why    string             // among others
	}{
		"closed first, FIN came": {
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed),
			change: func(e *event.Endpoint) { e.FinIn = true },
			ending: analyze.Graceful, closer: analyze.Client, conf: analyze.InKernel,
		},
		"closed second": {
			end:    lone(event.SynSent, event.Established, event.CloseWait, event.LastAck, event.Closed),
			change: func(e *event.Endpoint) { e.FinIn = true },
			ending: analyze.Graceful, closer: analyze.Server, conf: analyze.InKernel,
		},
		"both at once": {
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.Closing, event.Closed),
			change: func(e *event.Endpoint) { e.FinIn = true },
			ending: analyze.Graceful, closer: analyze.Both, conf: analyze.InKernel,
		},
		"its own peer": {
			end:    lone(event.SynSent, event.SynRecv, event.Established, event.FinWait1, event.Closing, event.Closed),
			change: func(e *event.Endpoint) { e.FinIn, e.Remote = true, e.Local },
			ending: analyze.Graceful, closer: analyze.Client, conf: analyze.InKernel,
		},
		"refused": {
			end: lone(event.SynSent, event.Closed),
			change: func(e *event.Endpoint) {
				e.ResetIn, e.Errno = e.Stop(), "ECONNREFUSED"
			},
			ending: analyze.WasRefused, closer: analyze.Server, cause: analyze.ConnRefused, conf: analyze.InKernel,
		},
		"unanswered": {
			end:    lone(event.SynSent, event.Closed),
			change: func(e *event.Endpoint) { e.Errno, e.Retransmits = "ETIMEDOUT", 6 },
			ending: analyze.Unanswered, conf: analyze.InKernel,
		},
		"given up before an answer": {
			end:    lone(event.SynSent, event.Closed),
			change: func(e *event.Endpoint) { e.End = closer },
			ending: analyze.Unanswered, closer: analyze.Client, conf: analyze.InKernel,
		},
		"given up after an ICMP error": {
			end:    lone(event.SynSent, event.Closed),
			change: func(e *event.Endpoint) { e.End, e.SoftErrno = closer, "EHOSTUNREACH" },
			ending: analyze.Unanswered, closer: analyze.Client, conf: analyze.InKernel,
			why: "an ICMP error, as of a firewall or a router, had come for it: EHOSTUNREACH",
		},
		"FIN unacknowledged": {
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.Closed),
			change: func(e *event.Endpoint) { e.Errno = "ETIMEDOUT" },
			ending: analyze.FinUnacked, closer: analyze.Client, conf: analyze.InKernel,
		},
		"reset by the peer": {
			end:    lone(event.SynSent, event.Established, event.Closed),
			change: func(e *event.Endpoint) { e.ResetIn, e.Errno = e.Stop(), "ECONNRESET" },
			ending: analyze.WasReset, closer: analyze.Server, cause: analyze.UnknownCause, conf: analyze.Unknown,
		},
		"peer closed, data was sent to it": {
			end: lone(event.SynSent, event.Established, event.CloseWait, event.Closed),
			change: func(e *event.Endpoint) {
				e.FinIn, e.ResetIn, e.Errno, e.Unacked = true, e.Stop(), "EPIPE", 5
			},
			ending: analyze.WasReset, closer: analyze.Server, cause: analyze.DataAfterClose, conf: analyze.Inferred,
		},
		"killed by an administrator": {
			end:    lone(event.SynSent, event.Established, event.Closed),
			reset:  &event.KernelReset{Socket: 1, Reason: "TCP_STATE", HadFile: true, Task: &event.Task{PID: 8, Comm: "ss", Call: "sendmsg", Owner: true}},
			ending: analyze.WasReset, closer: analyze.Client, cause: analyze.Aborted, conf: analyze.InKernel,
		},
		"unread, without a reason": {
			end:    lone(event.SynSent, event.Established, event.Closed),
			change: func(e *event.Endpoint) { e.Unread = 6 },
			reset:  &event.KernelReset{Socket: 1, HadFile: true, Task: closer},
			ending: analyze.WasReset, closer: analyze.Client, cause: analyze.UnreadData, conf: analyze.InKernel,
		},
		"data after close, without a reason": {
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed),
			reset:  &event.KernelReset{Socket: 1, Dead: true, HadFile: true, Offender: &event.Offender{Flags: event.ACK, Len: 5}},
			ending: analyze.WasReset, closer: analyze.Client, cause: analyze.DataAfterClose, conf: analyze.Inferred,
		},
		"TIME_WAIT answers": { // after a graceful end this changes nothing
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed),
			change: func(e *event.Endpoint) { e.FinIn = true },
			reset:  &event.KernelReset{Reason: "TCP_TIMEWAIT_SOCKET", State: event.TimeWait, Substate: event.TimeWait, Offender: &event.Offender{Len: 5}},
			ending: analyze.Graceful, closer: analyze.Client, conf: analyze.InKernel,
		},
		"FIN_WAIT2 without a socket answers data": {
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed),
			reset:  &event.KernelReset{Reason: "TCP_TIMEWAIT_SOCKET", State: event.TimeWait, Substate: event.FinWait2, Offender: &event.Offender{Len: 5}},
			ending: analyze.WasReset, closer: analyze.Client, cause: analyze.DataAfterClose, conf: analyze.InKernel,
		},
		"nothing is known of the peer's FIN": {
			end:    lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed),
			ending: analyze.UnknownEnding, closer: analyze.Client, conf: analyze.Unknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := NewTracker(Options{})
			if tt.change != nil {
				tt.change(tt.end)
			}
			tr.Add(event.KernelEvent{Endpoint: tt.end})
			now := tt.end.Stop()
			if tt.reset != nil {
				tt.reset.Local, tt.reset.Remote, tt.reset.Time = here, there, now
				tr.Add(event.KernelEvent{Reset: tt.reset})
			}
			c := only(t, tr.Rest(now))
			conf := c.Confidence
			if c.Reset != nil {
				conf = c.Reset.Confidence
			}
			var cause analyze.ResetCause
			if c.Reset != nil {
				cause = c.Reset.Cause
			}
			if c.Ending != tt.ending || c.Closer != tt.closer || cause != tt.cause || conf != tt.conf {
				t.Errorf("%s, closer %q, cause %q (%s), want %s, %q, %q (%s)", c.Ending, c.Closer, cause, conf,
					tt.ending, tt.closer, tt.cause, tt.conf)
			}
			if tt.why != "" && !slices.Contains(c.Why, tt.why) {
				t.Errorf("because %q, want %q among it", c.Why, tt.why)
			}
		})
	}
}

// TestAsksForUnseenFin: who keeps no socket in FIN_WAIT2 is asked for until the FIN came.
func TestAsksForUnseenFin(t *testing.T) {
	answers := []event.TCPState{event.FinWait2, event.FinWait2, event.TimeWait}
	asked := 0
	tr := NewTracker(Options{State: func(_ uint32, local, remote netip.AddrPort) event.TCPState {
		if local != here || remote != there {
			t.Errorf("asked for %v to %v, want %v to %v", local, remote, here, there)
		}
		asked++
		return answers[asked-1]
	}})
	e := lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed)
	tr.Add(event.KernelEvent{Endpoint: e})
	if cs := tr.Ready(e.Stop()); len(cs) != 0 || asked != 0 {
		t.Fatalf("%d connections, asked %d times before it settled", len(cs), asked)
	}
	var got []*Connection
	for now := e.Stop() + second; len(got) == 0 && now < 20*second; now += second / 20 {
		got = tr.Ready(now)
	}
	c := only(t, got)
	if c.Ending != analyze.Graceful || c.Confidence != analyze.InKernel || asked != len(answers) {
		t.Errorf("%s (%s) after %d questions, want graceful (kernel) after %d", c.Ending, c.Confidence, asked, len(answers))
	}
	if len(c.TimeWait) != 1 || c.TimeWait[0].Holder != analyze.Client {
		t.Errorf("TIME_WAIT = %+v, want the client's", c.TimeWait)
	}
}

// TestBounds: endings that wait for their peer are given up when there are too many.
func TestBounds(t *testing.T) {
	tr := NewTracker(Options{MaxWaiting: 10, Local: func(netip.Addr) bool { return true }})
	n := 0
	for i := range 100 {
		e := lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed)
		e.Socket, e.Local = uint64(i+1), netip.AddrPortFrom(here.Addr(), uint16(i+1))
		tr.Add(event.KernelEvent{Endpoint: e})
		n += len(tr.Ready(e.Stop() + second))
	}
	if n != 90 || tr.Waiting() != 10 || len(tr.waiting) != 10 || len(tr.bySock) != 10 {
		t.Errorf("%d given up, %d waiting (%d keys, %d sockets), want 90 and 10", n, tr.Waiting(), len(tr.waiting), len(tr.bySock))
	}
	tr.Rest(0)
	if len(tr.waiting)+len(tr.bySock)+len(tr.order) != 0 {
		t.Error("something is left after Rest")
	}
}

// TestNamespacesApart: two loopbacks may use the same addresses at the same time.
func TestNamespacesApart(t *testing.T) {
	tr := NewTracker(Options{})
	a, b := netip.MustParseAddrPort("127.0.0.1:1000"), netip.MustParseAddrPort("127.0.0.1:80")
	for netns := range uint32(2) {
		c := lone(event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed)
		c.Netns, c.Socket, c.Local, c.Remote, c.FinIn = netns, uint64(netns)*2+1, a, b, true
		s := &event.Endpoint{Netns: netns, Socket: uint64(netns)*2 + 2, Local: b, Remote: a, Born: true, Accepted: true, FinIn: true,
			Steps: steps(second, event.Established, event.CloseWait, event.LastAck, event.Closed)}
		tr.Add(event.KernelEvent{Endpoint: c})
		tr.Add(event.KernelEvent{Endpoint: s})
	}
	for _, c := range tr.Ready(100 * second) {
		if !c.Seen.Client || !c.Seen.Server || c.Ending != analyze.Graceful || c.Closer != analyze.Client {
			t.Errorf("%+v, want both ends of one namespace", c)
		}
	}
}
