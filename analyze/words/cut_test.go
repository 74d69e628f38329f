package words_test

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestCut holds how long after the last byte of a message that is cut an end closed, and that a request whose answer had
// come is not told as one that the server waited for.
func TestCut(t *testing.T) {
	post := strings.Replace(get, "GET", "POST", 1)
	post = strings.Replace(post, "\r\n\r\n", "\r\nContent-Length: 9\r\n\r\nabc", 1)
	long := strings.Replace(ok, "2\r\n", "9\r\n", 1)
	n, m := len(post), len(get)
	for want, tt := range map[string]struct {
		list   []sent
		closer analyze.Side
	}{
		"the server closed in the middle of the client's message: POST / HTTP/1.1, cut: 3 of the 9 bytes of its body came (frame 3), 2.0 s after its last byte": {
			[]sent{{0, 0, ack, 0, post}, {wait, 1, fin, n, ""}, {0, 0, fin, 1, ""}}, ""},
		"the server closed in the middle of the client's message: POST / HTTP/1.1, cut: 3 of the 9 bytes of its body came (frame 3), 4.0 s after its last byte; its answer had come before: HTTP/1.1 200 OK (frame 4)": {
			[]sent{{0, 0, ack, 0, post}, {wait, 1, ack, n, ok}, {wait, 1, fin, n, ""}, {0, 0, fin, len(ok) + 1, ""}}, ""},
		"the server closed in the middle of the client's message: GET / HTT, cut within its first line (frame 3), 2.0 s after its last byte": {
			[]sent{{0, 0, ack, 0, get[:9]}, {wait, 1, fin, 9, ""}, {0, 0, fin, 1, ""}}, ""},
		"the server closed after 2.0 s of idling": {[]sent{{0, 0, ack, 0, "get /key"}, {wait, 1, fin, 8, ""}, {0, 0, fin, 1, ""}}, ""},
		"the client closed in the middle of the server's message: HTTP/1.1 200 OK, cut: 2 of the 9 bytes of its body came (frame 4), 2.0 s after its last byte": {
			[]sent{{0, 0, ack, 0, get}, {0, 1, ack, m, long}, {wait, 0, fin, len(long), ""}, {0, 1, fin, m + 1, ""}}, analyze.Client},
		"the client closed in the middle of the server's message: HTTP/1.1 200 OK, cut: 2 of the 9 bytes of its body came (frame 4)": {
			[]sent{{0, 0, ack, 0, get}, {0, 1, ack, m, long}, {0, 0, fin, len(long), ""}, {0, 1, fin, m + 1, ""}}, analyze.Client},
	} {
		if got, sure, _ := reasonOf(tt.list, nil, known{closer: tt.closer}); got != want || (sure == analyze.Inferred) != strings.Contains(want, "first line") {
			t.Errorf("%q (%s), want %q", got, sure, want)
		}
	}
}
