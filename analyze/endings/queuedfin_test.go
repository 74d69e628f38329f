package endings

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestQueuedFin judges what a kernel told of a close() behind whose data the FIN waited until an RST came: that end had
// closed, and yet did not close first. Of no other recording that is said.
func TestQueuedFin(t *testing.T) {
	for name, r := range recorded(t) {
		for _, c := range judged(r.events) {
			switch q := c.Queued; {
			case name != "given-up" && q != nil:
				t.Errorf("%s: %+v", name, q)
			case name != "given-up":
			case q == nil || q.By != analyze.Client || q.Task.Call != "close" || q.NS <= 0 || q.Bytes == 0 || q.Bytes != c.Reset.Lost.Discarded:
				t.Errorf("%s: %+v, lost %+v", name, q, c.Reset.Lost)
			case c.Closer != analyze.Server:
				t.Errorf("%s: the %s closed first, want the server", name, c.Closer)
			}
		}
	}
}

// TestFinNeverLeft: an orphan that gives up its data has sent no FIN that could lack an acknowledgment.
func TestFinNeverLeft(t *testing.T) {
	for unsent, want := range map[uint32]analyze.Ending{0: analyze.FinUnacked, 9: analyze.Silent} {
		e := lone(event.SynSent, event.Established, event.FinWait1, event.Closed)
		e.Errno, e.Unsent = "ETIMEDOUT", unsent
		tr := NewTracker(Options{})
		tr.Add(event.KernelEvent{Endpoint: e})
		if c := only(t, tr.Rest(100*second)); c.Ending != want {
			t.Errorf("%d bytes unsent: %s, want %s", unsent, c.Ending, want)
		}
	}
}
