package words_test

import (
	"testing"

	"github.com/closecap/closecap/analyze"
)

// TestPause holds how long nobody had said anything before the goodbye that ended a connection: what answers a request came
// after a silence, another one after idling.
func TestPause(t *testing.T) {
	const (
		settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x02"
		gateway  = "HTTP/1.1 504 Gateway Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		late     = "HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		upgrade  = "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
		upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
	)
	m, b := len(get), len(h2begin)
	const refused = "\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07"
	for want, list := range map[string][]sent{
		"the server closed after 2.0 s of idling, no request was outstanding; the last answer was HTTP/2 RST_STREAM REFUSED_STREAM, stream 1 (frame 4)": {
			{0, 0, ack, 0, h2begin}, {0, 1, ack, b, settings + refused}, {wait, 1, ack, b, ""}},
		"the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame 5) after 2.0 s of idling, then closed; stream 1 had been reset: REFUSED_STREAM (frame 4)": {
			{0, 0, ack, 0, h2begin}, {0, 1, ack, b, settings + refused}, {wait, 1, ack, b, goaway}},
		"the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame 5) after 2.0 s of idling, then closed":                                         {{0, 0, ack, 0, h2begin}, {0, 1, ack, b, settings}, {wait, 1, ack, b, goaway}},
		"the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame 4), then closed":                                                               {{0, 0, ack, 0, h2begin}, {0, 1, ack, b, settings + goaway}},
		"the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame 3) after 2.0 s in which the client said nothing, then closed":                  {{wait, 1, ack, 0, settings + goaway}},
		"the server ended it: GOAWAY ENHANCE_YOUR_CALM, with the client's preface not complete (frame 5) after 1.0 s of idling, then closed": {{0, 0, ack, 0, h2begin[:9]}, {0, 1, ack, 9, settings}, {wait / 2, 1, ack, 9, goaway}},
		"the server ended it: HTTP/1.1 504 Gateway Time-out (Connection: close) (frame 4) after 2.0 s of silence, then closed":               {{0, 0, ack, 0, get}, {wait, 1, ack, m, gateway}},
		"the server ended it: HTTP/1.1 408 Request Time-out (Connection: close) (frame 5) after 2.0 s of silence, then closed":               {{0, 0, ack, 0, get}, {0, 1, ack, m, ok}, {wait, 1, ack, m, late}},
		"the server ended it: Close 1001 (going away) (frame 6) after 2.0 s of idling, then closed": {{0, 0, ack, 0, upgrade}, {0, 1, ack, len(upgrade), upgraded}, {0, 1, ack, len(upgrade), "\x89\x00"},
			{wait, 1, ack, len(upgrade), "\x88\x02\x03\xe9"}},
	} {
		asked, said := 0, 0
		for _, s := range list {
			if s.end == 0 {
				asked += len(s.text)
			} else {
				said += len(s.text)
			}
		}
		list = append(list, sent{0, 1, fin, asked, ""}, sent{0, 0, fin, said + 1, ""})
		if got, _, _ := reasonOf(list, nil, known{closer: analyze.Server}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
