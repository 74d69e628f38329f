package words_test

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
)

// line is something that an end says, from a place in its stream on.
type line struct {
	end  words.End
	at   uint32
	text string
	lack uint32 // bytes at its end that were not captured
}

// talk has two ends say lines, after their handshake or from the middle on, and close.
func talk(lines []line, midstream bool) *words.Talk {
	var t words.Talk
	next := [2]uint32{}
	if !midstream {
		t.Segment(words.Client, &event.Segment{Frame: 1, Seq: 99, Flags: event.SYN}, nil)
		t.Segment(words.Server, &event.Segment{Frame: 2, Seq: 99, Flags: event.SYN | event.ACK}, nil)
	}
	for i, l := range lines {
		s := event.Segment{Frame: uint64(i + 3), Flags: event.ACK, Seq: 100, Len: uint32(len(l.text))}
		s.Seq = s.Seq.Add(l.at)
		t.Segment(l.end, &s, []byte(l.text)[:len(l.text)-int(l.lack)])
		next[l.end] = max(next[l.end], l.at+s.Len)
	}
	for e := range next {
		s := event.Segment{Frame: 99, Flags: event.ACK | event.FIN, Seq: 100}
		s.Seq = s.Seq.Add(next[e])
		t.Segment(words.End(e), &s, nil)
	}
	return &t
}

const (
	get      = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	goaway   = "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0b"
	hello    = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
	alert    = "\x15\x03\x03\x00\x02\x02\x28"
	wsClose  = "\x88\x02\x03\xe8"
	maxConns = "-ERR max number of clients reached\r\n"
	h2begin  = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	killed   = "E\x00\x00\x00\x1fSFATAL\x00C57P01\x00Mterminated\x00\x00"
)

// TestContent holds that what a message carries never passes for a message, and that what was begun before
// the capture is no claim.
func TestContent(t *testing.T) {
	body := func(s string) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + strings.Repeat("x", 64-len(s)) + s
	}
	for name, tt := range map[string]struct {
		lines     []line
		midstream bool
		want      string // the server's
	}{
		"goaway in a body":      {lines: []line{{0, 0, get, 0}, {1, 0, body(goaway), 0}}, want: "HTTP/1.1 200 OK"},
		"alert in a body":       {lines: []line{{0, 0, get, 0}, {1, 0, body(alert), 0}}, want: "HTTP/1.1 200 OK"},
		"close in a body":       {lines: []line{{0, 0, get, 0}, {1, 0, body(wsClose), 0}}, want: "HTTP/1.1 200 OK"},
		"header in a body":      {lines: []line{{0, 0, get, 0}, {1, 0, body("\r\n\r\nHTTP/1.1 500 No\r\n\r\n"), 0}}, want: "HTTP/1.1 200 OK"},
		"goaway in data":        {lines: []line{{0, 0, h2begin, 0}, {1, 0, "\x00\x00\x11\x00\x01\x00\x00\x00\x01" + goaway, 0}}, want: ""},
		"error in a string":     {lines: []line{{0, 0, "*1\r\n$4\r\nPING\r\n", 0}, {1, 0, "$38\r\n\r\n" + maxConns + "\r\n", 0}}, want: ""},
		"error in a row":        {lines: []line{{0, 0, "\x00\x00\x00\x09\x00\x03\x00\x00\x00", 0}, {1, 0, "D\x00\x00\x00\x24" + killed, 0}}, want: ""},
		"error, told by itself": {lines: []line{{0, 0, "\x00\x00\x00\x09\x00\x03\x00\x00\x00", 0}, {1, 0, killed, 0}}, want: "FATAL 57P01: terminated"},
		"only a close frame":    {lines: []line{{1, 0, wsClose, 0}}, want: ""},
		"only a goaway":         {lines: []line{{1, 0, goaway, 0}}, want: ""},
		"an error of POP3":      {lines: []line{{1, 0, "-ERR locked\r\n", 0}}, want: ""},
		"from the middle on":    {lines: []line{{0, 0, get, 0}, {1, 0, "HTTP/1.1 408 Too late\r\n\r\n", 0}}, midstream: true, want: ""},
		"no TLS on the port":    {lines: []line{{0, 0, hello, 0}, {1, 0, "HTTP/1.1 400 Bad Request\r\n\r\n", 0}}, want: "HTTP/1.1 400 Bad Request"},
		"no TLS, in pieces":     {lines: []line{{0, 0, hello, 0}, {1, 0, "5", 0}, {1, 1, "00 what?\r\n", 0}}, want: `no TLS but "500 what?"`},
		"no TLS and no text":    {lines: []line{{0, 0, hello, 0}, {1, 0, "J\x00\x00\x00\n8.0.1\x00", 0}}, want: "a MySQL packet that was cut"},
		"408 to half a line":    {lines: []line{{0, 0, "GET / HT", 0}, {1, 0, "HTTP/1.1 408 Request Timeout\r\n\r\n", 0}}, want: "HTTP/1.1 408 Request Timeout"},
		"400 to no request":     {lines: []line{{0, 0, "GET /\x1b[31m\xc3 HTTP/9\r\n\r\n", 0}, {1, 0, "HTTP/1.1 400 Bad Request\r\n\r\n", 0}}, want: "HTTP/1.1 400 Bad Request"},
		"no request, no status": {lines: []line{{0, 0, "GET /\x1b[31m\r\n\r\n", 0}, {1, 0, "HTTP is not spoken here\r\n", 0}}, want: ""},
		"HTTP on TLS's port":    {lines: []line{{0, 0, get, 0}, {1, 0, alert, 0}}, want: "TLS alert: fatal handshake_failure"},
	} {
		got := ""
		if w := talk(tt.lines, tt.midstream).Words(words.Server, true, false); w != nil {
			got = w.Meaning
		}
		if got != tt.want {
			t.Errorf("%s: the server's last words are %q, want %q", name, got, tt.want)
		}
	}
}

// TestStranger holds what is said of ends that do not speak the same protocol: each by its own first bytes, however they
// are cut, and nothing where the client has spoken no other.
func TestStranger(t *testing.T) {
	const ssh, refused = "SSH-2.0-OpenSSH_9.2p1\r\n", "Invalid SSH identification string.\r\n"
	for name, tt := range map[string]struct {
		client, server         string
		clientWords, lastWords string
	}{
		"HTTP to SSH":        {get, ssh + refused, "HTTP, where the server speaks SSH", "Invalid SSH identification string."},
		"noise to SSH":       {"\x00\x01", ssh + refused, "no SSH", "Invalid SSH identification string."},
		"a word to SSH":      {"hello\r\n", ssh, "no SSH", "the SSH key exchange was not complete"},
		"TLS to HTTP":        {hello, "HTTP/1.1 400 Bad Request\r\n\r\n", "TLS, where the server speaks HTTP", "HTTP/1.1 400 Bad Request"},
		"HTTP to TLS":        {get, alert, "HTTP, where the server speaks TLS", "TLS alert: fatal handshake_failure"},
		"noise to TLS":       {"\x00\x01", alert, "no TLS", "TLS alert: fatal handshake_failure"},
		"HTTP to HTTP/2":     {get, "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + goaway, "HTTP, where the server speaks HTTP/2", "HTTP/2 GOAWAY ENHANCE_YOUR_CALM, last stream 1"},
		"HTTP/2 to HTTP":     {h2begin, "HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/2, where the server speaks HTTP", "HTTP/1.1 400 Bad Request"},
		"noise to HTTP":      {"\x00\x01", "HTTP/1.1 400 Bad Request\r\n\r\n", "no HTTP", "HTTP/1.1 400 Bad Request"},
		"Redis to HTTP":      {"*1\r\n$4\r\nPING\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "Redis, where the server speaks HTTP", "HTTP/1.1 400 Bad Request"},
		"TLS to SMTP":        {hello, "220 mx ESMTP\r\n554 5.5.0 no\r\n", "TLS, where the server speaks SMTP", "554 5.5.0 no"},
		"Redis to Redis":     {"*1\r\n$4\r\nPING\r\n", maxConns, "", strings.TrimSpace(maxConns)},
		"noise to noise":     {"\x00\x01", "\x00\x02", "", ""},
		"noise to text":      {"\x00\x01", "HTTP is spoken here\r\n", "", ""},
		"a greeting in data": {"\x00\x01", "\x00" + ssh, "", ""},
	} {
		for _, step := range [...]int{1000, 1} {
			var lines []line
			for e, text := range [...]string{tt.client, tt.server} {
				for at := 0; at < len(text); at += step {
					lines = append(lines, line{words.End(e), uint32(at), text[at:min(at+step, len(text))], 0})
				}
			}
			said := talk(lines, false)
			for e, want := range [...]string{tt.clientWords, tt.lastWords} {
				got := ""
				if w := said.Words(words.End(e), true, false); w != nil {
					got = w.Meaning
				}
				if got != want {
					t.Errorf("%s, %d bytes at a time: the last words of end %d are %q, want %q", name, step, e, got, want)
				}
			}
		}
	}
}

// TestOrder holds that each byte counts once and in its place, whatever way it comes.
func TestOrder(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
	n := uint32(len(answer))
	cut := "HTTP/1.1 200 OK, cut: 8 of the 10 bytes of its body came"
	for name, tt := range map[string]struct {
		lines []line
		want  string
	}{
		"in order":               {[]line{{1, 0, answer, 0}}, "HTTP/1.1 200 OK"},
		"retransmitted":          {[]line{{1, 0, answer[:n-2], 0}, {1, 0, answer[:n-2], 0}, {1, n - 4, answer[n-4 : n-2], 0}}, cut},
		"overlapping":            {[]line{{1, 0, answer[:20], 0}, {1, 10, answer[10:], 0}}, "HTTP/1.1 200 OK"},
		"the other way round":    {[]line{{1, 20, answer[20:], 0}, {1, 0, answer[:20], 0}}, "HTTP/1.1 200 OK"},
		"missing in the body":    {[]line{{1, 0, answer[:n-5], 0}, {1, n - 2, answer[n-2:], 0}}, "HTTP/1.1 200 OK"},
		"missing in the header":  {[]line{{1, 0, answer[:9], 0}, {1, 12, answer[12:], 0}}, ""},
		"cut by the snap length": {[]line{{1, 0, answer, 5}}, "HTTP/1.1 200 OK"},
	} {
		lines := append([]line{{0, 0, get, 0}}, tt.lines...)
		got := ""
		if w := talk(lines, false).Words(words.Server, true, false); w != nil {
			got = w.Meaning
		}
		if got != tt.want {
			t.Errorf("%s: the server's last words are %q, want %q", name, got, tt.want)
		}
	}
}

// TestText holds what is shown of a protocol that is not known, and only where it is asked for.
func TestText(t *testing.T) {
	lines := []line{{0, 0, "hello\n", 0}, {1, 0, "first\nsorry, full\r\n", 0}}
	if w := talk(lines, false).Words(words.Server, true, false); w != nil {
		t.Errorf("Words = %+v, want none", w)
	}
	for _, midstream := range [...]bool{false, true} {
		w := talk(lines, midstream).Words(words.Server, true, true)
		if w == nil || w.Text != "sorry, full" || w.Meaning != "" || w.Confidence != analyze.Confidence("") || w.Frame != 4 {
			t.Errorf("midstream %v: Words = %+v, want the last line", midstream, w)
		}
	}
}

// TestBound holds what a Talk keeps of a stream that has no end, has holes, and fits no protocol.
func TestBound(t *testing.T) {
	var talk words.Talk
	talk.Segment(words.Server, &event.Segment{Frame: 1, Seq: 0, Flags: event.SYN | event.ACK}, nil)
	payload := []byte(strings.Repeat("\x00\x01", 700))
	s := event.Segment{Frame: 2, Seq: 1, Len: uint32(len(payload)), Flags: event.ACK}
	step := func() {
		s.Seq = s.Seq.Add(s.Len + 1) // one byte is missing before each
		talk.Segment(words.Server, &s, payload)
	}
	for range 200 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n > 2 { // what waits for the missing byte is copied
		t.Errorf("%v allocations a segment", n)
	}
	if n := talk.Held(); n > 128<<10 {
		t.Errorf("%d bytes are held", n)
	}
}
