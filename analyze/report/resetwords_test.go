package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestAnsweredSentence holds what is said of a send() that an RST answered to what was lost of it.
func TestAnsweredSentence(t *testing.T) {
	drew := &analyze.Call{Call: &event.Call{ID: 7, Actor: "web", Name: "send", Args: "42 bytes", Ret: 42}}
	for name, tt := range map[string]struct {
		lost analyze.Lost
		want string
	}{
		"data":             {analyze.Lost{AfterClose: 42}, ": its 42 bytes are lost though the call succeeded."},
		"a GOAWAY":         {analyze.Lost{AfterClose: 42, Closing: 42}, ": it was a message that only closes, no data are lost."},
		"data and GOAWAY":  {analyze.Lost{AfterClose: 42, Closing: 17}, ": its 42 bytes are lost though the call succeeded."},
		"a TLS alert":      {analyze.Lost{AfterClose: 42, TLSAlerts: 42}, ": it was a TLS alert, no data are lost."},
		"nothing for sure": {analyze.Lost{MayBe: 42}, "answered it."},
	} {
		got := answeredSentence(&analyze.Reset{Frame: 9, Lost: tt.lost}, drew)
		if !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: %q, want it to end with %q", name, got, tt.want)
		}
	}
}

// TestQueuedSentence: who closed before the peer's RST is told where its FIN never left.
func TestQueuedSentence(t *testing.T) {
	const second = event.Time(1e9)
	kill := &analyze.Call{Side: analyze.Server, Call: &event.Call{ID: 5, Actor: "web", Name: "kill", Args: "SIGKILL", FD: 4, Start: second, End: second + 1}}
	conn := func(discarded uint64, also ...*analyze.Segment) *analyze.Connection {
		rst := &analyze.Segment{Frame: 9, From: analyze.Client, Time: 3 * second, Kind: analyze.KindRst, Flags: event.RST}
		return &analyze.Connection{Segments: append(also, rst), Reset: &analyze.Reset{
			By: analyze.Client, Frame: 9, Lost: analyze.Lost{From: analyze.Server, Discarded: discarded}}}
	}
	fin := &analyze.Segment{Frame: 8, From: analyze.Server, Time: 2 * second, Kind: analyze.KindFin, Flags: event.FIN | event.ACK}
	for name, tt := range map[string]struct {
		conn *analyze.Connection
		want string
	}{
		"behind data":     {conn(40), "web kill SIGKILL #5 had come 2.0 s before: the server's FIN waited behind 40 bytes, and never left."},
		"nothing queued":  {conn(0), ""},
		"its FIN went on": {conn(40, fin), ""},
	} {
		if got := queuedSentence(tt.conn, []*analyze.Call{kill}); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestWhoSentReset: a call sent the RST where it stands at its root, and where the kernel alone tells of it; a call
// whose answer a kernel answered did not.
func TestWhoSentReset(t *testing.T) {
	send := &analyze.Call{Side: analyze.Server, Call: &event.Call{ID: 5, Actor: "web", Name: "send", Args: "2 bytes", Ret: 2}}
	for name, tt := range map[string]struct {
		call  int
		root  analyze.Root
		line  string
		cause string
	}{
		"a call": {5, analyze.Root{Kind: analyze.RootCall, Call: 5}, "web send(2 bytes) #5 sent it.", "it aborted the connection"},
		"an answer": {5, analyze.Root{Kind: analyze.RootAnswer, Call: 5, Frame: 8}, "It answers frame 8 of the client.",
			"it aborted the connection"},
		"of another process": {0, analyze.Root{Kind: analyze.RootRemote, Why: "ss[7] sendmsg"}, "ss[7] sendmsg sent it, a call that was not recorded.",
			"it aborted the connection"},
		"of nobody known": {0, analyze.Root{Kind: analyze.RootUnknown, Why: "in no call"}, "It answers frame 8 of the client.",
			"it aborted the connection; which call did so is not known"},
	} {
		rst := &analyze.Segment{Frame: 9, From: analyze.Server, Time: 3, Kind: analyze.KindRst, Flags: event.RST, Root: tt.root}
		c := &analyze.Connection{Ending: analyze.WasReset, Segments: []*analyze.Segment{rst},
			Reset: &analyze.Reset{By: analyze.Server, Frame: 9, Trigger: 8, Call: tt.call, Cause: analyze.Aborted}}
		if got := resetSentences(c, []*analyze.Call{send}); len(got) == 0 || got[0] != tt.line {
			t.Errorf("%s: %q, want %q first", name, got, tt.line)
		}
		if got := meantCause(c, []*analyze.Call{send}); got != tt.cause {
			t.Errorf("%s: %q, want %q", name, got, tt.cause)
		}
	}
}
