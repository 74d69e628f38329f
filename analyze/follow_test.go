package analyze

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
)

// parse reads segments in the text notation; client and server stand for two addresses.
func parse(t testing.TB, text string) []event.Segment {
	t.Helper()
	var out []event.Segment
	words := strings.NewReplacer("client", "10.0.0.1:40000", "server", "10.0.0.2:80")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		s, err := event.ParseSegment(words.Replace(strings.TrimSpace(line)))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, s)
	}
	return out
}

func followAll(opt Options, segments []event.Segment) []*Connection {
	var out []*Connection
	f := NewFollower(opt, func(c *Connection) { out = append(out, c) })
	for i := range segments {
		f.Segment(&segments[i])
	}
	f.Finish()
	return out
}

func TestResetAfterClose(t *testing.T) {
	segs := parse(t, `
1 0.000 client > server S seq 1000 win 64240
2 0.001 server > client S. seq 5000 ack 1001 win 65160
3 0.002 client > server . seq 1001 ack 5001 win 502
4 0.003 client > server P. seq 1001 ack 5001 len 12 win 502
5 0.004 server > client . seq 5001 ack 1013 win 502
6 0.005 client > server F. seq 1013 ack 5001 win 502
7 0.006 server > client P. seq 5001 ack 1014 len 12 win 502
8 0.007 client > server R seq 1014
`)
	for _, same := range []bool{false, true} {
		got := followAll(Options{SameHost: same, AllSegments: true}, segs)
		if len(got) != 1 {
			t.Fatalf("SameHost=%v: %d connections, want 1", same, len(got))
		}
		c := got[0]
		if c.Ending != WasReset || c.Closer != Client || c.Reset.Cause != DataAfterClose || c.Reset.Trigger != 7 {
			t.Errorf("SameHost=%v: %v by %v, %+v; want a reset after the client's close, drawn by 7", same, c.Ending, c.Closer, c.Reset)
		}
	}
}
