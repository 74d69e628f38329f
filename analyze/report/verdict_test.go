package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// What the verdict on scenario close must say: that a send succeeded whose bytes were lost, why,
// and what the next send gets.
func TestVerdictOnSendAfterClose(t *testing.T) {
	r := sentAfterClose()
	got := Verdict(r, r.Connections[0])
	for _, want := range []string{
		"the client closed first with FIN",
		"the client's kernel answered with RST (frame 15): data-after-close",
		`server send("Hello, world") #13 returned 12, but frame 15 (RST) answered it: its 12 bytes are lost though the call succeeded.`,
		"server recv() #16 still returned EOF: the client's FIN (frame 11) came before the RST.",
		"server send(12 bytes) #17 got EPIPE.",
		"Lost of the server's data: 12 bytes arrived after close.",
		"TIME_WAIT: nobody",
		"The kernel says so.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("Verdict() =\n%s\nwant %q in it", got, want)
		}
	}
}

func TestVerdicts(t *testing.T) {
	cl, sv := analyze.Client, analyze.Server
	edits := []struct {
		name string
		edit func(*analyze.Connection)
	}{
		{"graceful, server first", func(c *analyze.Connection) { c.Closer = sv }},
		{"graceful, no data after FIN", func(c *analyze.Connection) { c.HalfClose = &analyze.HalfClose{By: cl, NS: 42000} }},
		{"simultaneous", func(c *analyze.Connection) { c.Closer, c.Simultaneous = analyze.Both, true }},
		{"graceful, inferred", func(c *analyze.Connection) {
			c.Confidence, c.Why = analyze.Inferred, []string{"the server's FIN was not captured, frame 20 acknowledges it"}
		}},
		{"half-closed", func(c *analyze.Connection) {
			c.Ending, c.FinBy, c.HalfClose = analyze.HalfClosed, cl, &analyze.HalfClose{By: cl, NS: 3725e9, Bytes: 1}
			c.States.Client = []analyze.StateChange{change(event.FinWait2, 9, 9)}
			c.States.Server = []analyze.StateChange{change(event.CloseWait, 9, 9)}
		}},
		{"fin-unacked", func(c *analyze.Connection) { c.Ending, c.FinBy = analyze.FinUnacked, analyze.Server }},
		{"closer not known", func(c *analyze.Connection) {
			c.Ending, c.Closer, c.Candidates = analyze.Graceful, analyze.NoSide, []analyze.Possible{
				{Claim: analyze.ClaimCloser, Value: "client", Why: "the ACK of frame 9 was not captured"}}
		}},
		{"cause not known", func(c *analyze.Connection) {
			c.Reset = &analyze.Reset{By: analyze.Server, Frame: 4, Cause: analyze.UnknownCause, Confidence: analyze.Unknown}
			c.Ending, c.Candidates = analyze.WasReset, []analyze.Possible{
				{Claim: analyze.ClaimCause, Value: "no-socket", Why: "its ListenOverflows would tell"},
				{Claim: analyze.ClaimCause, Value: "accept-queue-full", Why: "its ListenOverflows would tell"}}
		}},
		{"unknown with a reset", func(c *analyze.Connection) {
			c.Ending, c.Confidence, c.Closer = analyze.UnknownEnding, analyze.Unknown, analyze.NoSide
			c.Reset = &analyze.Reset{By: analyze.Server, Frame: 17, Cause: analyze.NoSocket, Confidence: analyze.Inferred}
		}},
		{"in flight", func(c *analyze.Connection) {
			c.Ending, c.InFlight = analyze.Open, analyze.PerSide{Client: 1460}
			c.Lost = &analyze.Lost{MayBe: 7, From: analyze.Server}
		}},
		{"unanswered", func(c *analyze.Connection) {
			c.Ending, c.Closer, c.Retransmits.Client = analyze.Unanswered, analyze.NoSide, 6
		}},
		{"open", func(c *analyze.Connection) { c.Ending, c.Closer = analyze.Open, analyze.NoSide }},
		{"silent", func(c *analyze.Connection) {
			c.Ending, c.Closer, c.Retransmits.Server = analyze.Silent, analyze.NoSide, 15
			c.Lost = &analyze.Lost{Unacked: 4096, From: sv}
		}},
		{"silent to the one that had to repeat less", func(c *analyze.Connection) {
			c.Ending, c.Closer = analyze.Silent, analyze.NoSide
			c.Retransmits = analyze.PerSide{Client: 3, Server: 9}
			c.LastFrame = 60
			c.Segments = []*analyze.Segment{{Frame: 60, From: cl, Retransmits: 50}}
		}},
		{"silent probes", func(c *analyze.Connection) { c.Ending, c.Closer = analyze.Silent, analyze.NoSide }},
		{"unknown", func(c *analyze.Connection) {
			c.Ending, c.Closer, c.Confidence = analyze.UnknownEnding, analyze.NoSide, analyze.Unknown
			c.Why = []string{"the capture lost packets"}
		}},
		{"time-wait re-armed", func(c *analyze.Connection) {
			c.TimeWait = []analyze.TimeWait{{Holder: cl, Since: us(1), Until: us(1).Add(60e9), Rearmed: []uint64{21, 22, 23, 30}}}
		}},
		{"time-wait ended by an RST", func(c *analyze.Connection) {
			c.TimeWait = []analyze.TimeWait{{Holder: cl, Until: us(1).Add(60e9), EndedBy: "rst", EndFrame: 40}}
		}},
		{"likely calls", func(c *analyze.Connection) {
			c.LikelyCalls = []analyze.LikelyCall{{Side: cl, Call: "close()", Why: "not shutdown(SHUT_WR): data after its FIN was answered by RST", Frame: 9}}
		}},
	}
	for _, code := range analyze.CauseCodes() {
		cause := code.Code
		edits = append(edits, struct {
			name string
			edit func(*analyze.Connection)
		}{"reset: " + string(cause), func(c *analyze.Connection) {
			c.Ending, c.Closer = analyze.WasReset, analyze.NoSide
			c.Reset = &analyze.Reset{By: sv, Frame: 9, Cause: cause, Confidence: analyze.Inferred, Trigger: 8,
				Why: []string{"the window is 0 and it has no options"}, Lost: analyze.Lost{Unacked: 1, Unread: 20, AfterClose: 300, From: cl}}
			if cause == analyze.ConnRefused {
				c.Ending, c.Reset.Lost, c.Reset.Confidence = analyze.WasRefused, analyze.Lost{}, analyze.Observed
			}
		}})
	}
	var all strings.Builder
	for _, e := range edits {
		c := connection(1)
		e.edit(c)
		fmt.Fprintf(&all, "-- %s --\n%s\n", e.name, Verdict(result("", c), c))
	}
	checkGolden(t, "verdicts.txt", all.String())
}

func TestEveryEndingHasItsSentence(t *testing.T) {
	for _, name := range analyze.Names(analyze.EndingCodes()) {
		c := connection(1)
		c.Ending = analyze.Ending(name)
		if got := Verdict(result(""), c); !strings.HasPrefix(got, name+": ") {
			t.Errorf("Verdict(%s) = %q, want it to begin with the ending", name, got)
		}
	}
}
