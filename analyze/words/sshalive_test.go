package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/words"
)

// TestUnresponsive holds what is said of an end of SSH that closes where it would have asked the other once more: at the
// same pace, with the same length, and without an answer. What comes late of the other does not make it a race.
func TestUnresponsive(t *testing.T) {
	keys := "SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x15" + strings.Repeat("p", 10)
	in := dialogue{}.client(keys).server(keys).client(strings.Repeat("d", 90))
	sealed := func(n int) string { return strings.Repeat("s", n) }
	asks := func(d dialogue, e words.End, n, size int, every time.Duration) dialogue {
		for range n {
			d = d.put(every, e, ack, sealed(size))
		}
		return d
	}
	const server = "the server gave up: the client had answered none of its last 3 messages, one every 2.0 s, the last in frame 8 (OpenSSH: ClientAliveInterval and ClientAliveCountMax)"
	three := asks(in, words.Server, 3, 60, wait)
	holds(t, "in time", three.ends(wait, words.Server), server)
	holds(t, "by the client", asks(in, words.Client, 2, 52, wait).ends(wait, words.Client),
		"the client gave up: the server had answered none of its last 2 messages, one every 2.0 s, the last in frame 7 (OpenSSH: ServerAliveInterval and ServerAliveCountMax)")
	holds(t, "once", asks(in, words.Server, 1, 60, wait).ends(wait, words.Server), "the server closed after 2.0 s of idling")
	holds(t, "too early", three.ends(wait/2, words.Server), "the server closed after 1.0 s of idling")
	holds(t, "by the other", three.ends(wait, words.Client), "the client closed after 2.0 s of idling")
	holds(t, "answered", three.client(sealed(36)).ends(wait, words.Server), "the server closed after 2.0 s of idling")
	holds(t, "of other lengths", asks(asks(in, words.Server, 1, 60, wait), words.Server, 1, 80, wait).ends(wait, words.Server), "the server closed after 2.0 s of idling")
	holds(t, "of other pauses", asks(asks(in, words.Server, 1, 60, wait), words.Server, 1, 60, wait/2).ends(wait/2, words.Server), "the server closed after 1.0 s of idling")

	byServer := &analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose}
	said := 3*60 + len(keys)
	late := append(three.put(wait, words.Server, fin, ""), sent{time.Second, words.Client, ack, said + 1, sealed(168)})
	got, sure, all := reasonOf(late, byServer, known{})
	if got != server || sure != analyze.Inferred || all.Kind != analyze.ReasonUnresponsive {
		t.Errorf("what comes late: %q (%s, %s), want %q", got, sure, all.Kind, server)
	}
	late = append(in.put(wait, words.Server, fin, ""), sent{time.Millisecond, words.Client, ack, len(keys) + 1, sealed(60)})
	if got, _, _ := reasonOf(late, byServer, known{}); got != "the server closed after 2.0 s of idling" {
		t.Errorf("a disconnect that met the close: %q", got)
	}
}
