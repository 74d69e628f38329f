package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

func TestWindowZeroIsSaid(t *testing.T) {
	for want, stall := range map[string]*analyze.Stall{
		"Window 0 for 24.0 s: the client's application did not read.":                                     {By: analyze.Client, NS: 24e9, Ended: true},
		"Window 0 for 1 min 00 s, until the end of what was seen: the server's application did not read.": {By: analyze.Server, NS: 60e9},
		"": {By: analyze.Server, NS: 1e6, Ended: true},
	} {
		c := connection(1)
		c.Stall = stall
		if got := stallSentence(c); got != want {
			t.Errorf("stallSentence(%+v) = %q, want %q", *stall, got, want)
		}
		if got := Verdict(&analyze.Result{}, c); !strings.Contains(got, want) {
			t.Errorf("verdict %q lacks %q", got, want)
		}
	}
}

// A SYN that was repeated: how often, and for how long.
func TestTriesAreSaid(t *testing.T) {
	c := connection(1)
	c.Ending, c.Retransmits.Client = analyze.Unanswered, 6
	c.End = c.Start.Add(63e9)
	if got, want := endingSentence(c, nil), "unanswered: nothing came back to the client's SYN, sent 7 times in 1 min 03 s."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Ending, c.Retransmits.Client = analyze.WasRefused, 2
	c.Reset = &analyze.Reset{By: analyze.Server, Frame: 9, Cause: analyze.ConnRefused}
	c.Segments = []*analyze.Segment{{Frame: 9, Time: c.Start.Add(3e9)}}
	if got, want := endingSentence(c, nil), "refused: the server answered the SYN, sent 3 times in 3.0 s, with RST (frame 9): "; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
}
