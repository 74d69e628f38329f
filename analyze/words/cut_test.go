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
		"the client closed in the middle of the server's message: HTTP/1.1 200 OK, cut: 4 of the 9 bytes of its body came (frame 4)": {
			[]sent{{0, 0, ack, 0, get}, {wait, 1, ack, m, long}, {0, 0, fin, len(long), ""}, {wait / 5, 1, ack, m + 1, "hi"}}, analyze.Client},
		"the client closed in the middle of its own message: POST / HTTP/1.1, cut: 3 of the 9 bytes of its body came (frame 3)": {
			[]sent{{0, 0, ack, 0, post}, {0, 0, fin, 0, ""}, {0, 1, ack, n + 1, ok}}, analyze.Client},
		"the server closed in the middle of the client's message: GET / HTTP/1.1, cut within its header (frame 3), 2.0 s after it began": {
			[]sent{{0, 0, ack, 0, get[:16]}, {wait, 0, ack, 0, "X: y\r\n"}, {0, 1, fin, 22, ""}, {0, 0, fin, 1, ""}}, ""},
		"the server closed after 2.0 s of idling": {[]sent{{0, 0, ack, 0, "get /key"}, {wait, 1, fin, 8, ""}, {0, 0, fin, 1, ""}}, ""},
		"the client closed in the middle of the server's message: HTTP/1.1 200 OK, cut: 2 of the 9 bytes of its body came (frame 4), 2.0 s after its last byte": {
			[]sent{{0, 0, ack, 0, get}, {0, 1, ack, m, long}, {wait, 0, fin, len(long), ""}, {0, 1, fin, m + 1, ""}}, analyze.Client},
		"the client closed in the middle of the server's message: HTTP/1.1 200 OK, cut: 2 of the 9 bytes of its body came (frame 4)": {
			[]sent{{0, 0, ack, 0, get}, {0, 1, ack, m, long}, {0, 0, fin, len(long), ""}, {0, 1, fin, m + 1, ""}}, analyze.Client},
	} {
		var reset *analyze.Reset
		if last := tt.list[len(tt.list)-1]; last.end == 1 && last.text != "" { // it meets the client's close
			reset = &analyze.Reset{By: analyze.Client, Cause: analyze.DataAfterClose}
		}
		if got, sure, _ := reasonOf(tt.list, reset, known{closer: tt.closer}); got != want || (sure == analyze.Inferred) != strings.Contains(want, "first line") {
			t.Errorf("%q (%s), want %q", got, sure, want)
		}
	}
}

// TestStreamsCut holds what is said of HTTP/2 streams whose answer has begun, and of those where none has.
func TestStreamsCut(t *testing.T) {
	frame := func(kind, flags, stream byte, body string) string {
		return string([]byte{0, 0, byte(len(body)), kind, flags, 0, 0, 0, stream}) + body
	}
	request := func(stream byte) string { return frame(1, 5, stream, "\x82") }
	answer := func(stream byte) string { return frame(1, 4, stream, "\x88") }
	const data, end, ping = 0, 1, 6
	for want, tt := range map[string]struct{ asked, answered, more string }{
		"the server closed in the middle of its own message: HTTP/2 200 to GET on stream 1, cut: its end did not come (frame 4), 4.0 s after its last byte": {
			request(1), answer(1) + frame(data, 0, 1, "abc"), frame(ping, 0, 0, "12345678")},
		"the server closed in the middle of its own message: HTTP/2 answers on 2 streams, cut: their ends did not come (frame 5), 2.0 s after its last byte": {
			request(1) + request(3), answer(3), answer(1)},
		"the server closed 4.0 s after the last request, with 2 streams still open (the last: GET), 1 in the middle of the answer": {
			request(1) + request(3), answer(1), frame(data, 0, 1, "abc")},
		"the server closed after 2.0 s of idling, no request was outstanding": {request(1), answer(1), frame(data, end, 1, "abc")},
		"the client closed in the middle of the server's message: HTTP/2 200 to GET on stream 1, cut: its end did not come (frame 4), 2.0 s after its last byte; reset, harmless: what met the closed socket was the server's own GOAWAY": {
			request(1), answer(1), ""},
	} {
		asked := h2begin + tt.asked
		n, m := len(asked), len(tt.answered)+len(tt.more)
		if tt.more == "" {
			list := []sent{{0, 0, ack, 0, asked}, {0, 1, ack, n, tt.answered}, {wait, 0, fin, m, ""}, {0, 1, ack, n + 1, goaway}}
			reset := &analyze.Reset{By: analyze.Client, Cause: analyze.DataAfterClose, Lost: analyze.Lost{AfterClose: 17, From: analyze.Server}}
			if got, _, _ := reasonOf(list, reset, known{closer: analyze.Client}); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			continue
		}
		got, _, _ := reasonOf([]sent{{0, 0, ack, 0, asked}, {0, 1, ack, n, tt.answered}, {wait, 1, ack, n, tt.more}, {wait, 1, fin, n, ""}, {0, 0, fin, m + 1, ""}}, nil, known{})
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNoClose holds that a WebSocket which ends without a Close frame says so, also where an RST ended it.
func TestNoClose(t *testing.T) {
	const (
		asked = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
		taken = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x89\x00"
	)
	n, m := len(asked), len(taken)
	for want, tt := range map[string]struct {
		last  []sent
		reset *analyze.Reset
	}{
		"the server closed without a WebSocket Close frame (1006)":                        {[]sent{{0, 1, fin, n, ""}, {0, 0, fin, m + 1, ""}}, nil},
		"the server closed after 2.0 s of idling, without a WebSocket Close frame (1006)": {[]sent{{wait, 1, fin, n, ""}, {0, 0, fin, m + 1, ""}}, nil},
		"the server closed without a WebSocket Close frame (1006) ":                       {[]sent{{wait, 1, rst, n, ""}}, &analyze.Reset{By: analyze.Server, Cause: analyze.UnreadData}},
	} {
		list := append([]sent{{0, 0, ack, 0, asked}, {0, 1, ack, n, taken}}, tt.last...)
		if got, _, _ := reasonOf(list, tt.reset, known{}); got != strings.TrimSpace(want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
