package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Words that only some calls allow are held to the calls of every recording: no half-close where a call
// ended both directions, no "closed" where the socket was shut down and still held.
func TestVerdictsFitTheCalls(t *testing.T) {
	for name, r := range recordings(t) {
		for _, c := range r.Connections {
			verdict, calls := Verdict(r, c), r.CallsByConnection()[c.ID]
			if c.HalfClose != nil {
				call := finCall(c, calls, c.HalfClose.By)
				if call != nil && strings.Contains(verdict, "(half-close") == endedBoth(call) {
					t.Errorf("%s: %q, though %v sent the FIN", name, verdict, call)
				}
			}
			closed := c.Reset != nil && slices.ContainsFunc(calls, func(k *analyze.Call) bool {
				return k.Side == c.Reset.By && k.Kind() == event.CloseCall && k.Start < timeOf(c, c.Reset.Frame)
			})
			if strings.Contains(verdict, "its application had already closed") && !closed {
				t.Errorf("%s: %q, though no call of the %s had closed it", name, verdict, c.Reset.By)
			}
		}
	}
}

func TestCloseWords(t *testing.T) {
	all := recordings(t)
	for name, want := range map[string]string{
		"close":               "before the RST, 12 bytes after its FIN)",
		"server-closes-first": " to close, no data after its FIN)",
		"shutdown-wr":         "(half-close, ",
		"shutdown-rdwr":       "data came for a socket that its application had shut down in both directions.",
		"fin-wait2-orphan":    "data came for a socket that its application had already closed.",
	} {
		if got := Verdict(all[name], all[name].Connections[0]); !strings.Contains(got, want) {
			t.Errorf("%s: %q lacks %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"close":               "before the RST, 12 bytes after its FIN)",
		"server-closes-first": " to close, no data after its FIN)",
		"shutdown-wr":         "(half-close, ",
		"shutdown-rdwr":       "already closed, or shut down in both directions",
	} {
		wire := withoutCalls(all[name])
		if got := Verdict(wire, wire.Connections[0]); !strings.Contains(got, want) {
			t.Errorf("%s without calls: %q lacks %q", name, got, want)
		}
	}
}

// A FIN waits behind data that are sent again: it tells no more when its end closed.
func TestFinHeldUpTellsNoClose(t *testing.T) {
	r := withoutCalls(recordings(t)["server-closes-first"])
	c := r.Connections[0]
	*c.Retransmits.Of(c.HalfClose.By.Other()) = 1
	if got := Verdict(r, c); !strings.Contains(got, "(the client's FIN came ") || strings.Contains(got, " to close") {
		t.Errorf("%q says when the client closed", got)
	}
}

// In one row all arrows point the way of the row's connection, also of segments of the connection before,
// in which each end had the other's role.
func TestArrowsOfOneRow(t *testing.T) {
	r := recordings(t)["time-wait-killed"]
	var got []string
	for _, row := range callRows(r) {
		if row.call != nil && row.call.Kind() == event.ConnectCall && row.connection == 2 {
			for _, s := range row.segments {
				got = append(got, arrow(s.From)+" "+s.Flags.Words())
			}
		}
	}
	if want := []string{"→ SYN", "← ACK", "→ RST"}; !slices.Equal(got, want) {
		t.Errorf("arrows of the second connect(): %q, want %q", got, want)
	}
}
