package words_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/closecap/closecap/analyze/words"
)

// h2end writes the frames of one end of HTTP/2, whose table holds what stood in its headers.
type h2end struct {
	block bytes.Buffer
	*hpack.Encoder
}

func newH2end() *h2end {
	e := &h2end{}
	e.Encoder = hpack.NewEncoder(&e.block)
	return e
}

func h2frame(kind, flags byte, stream uint32, body string) string {
	n := len(body)
	return string(binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream)) + body
}

// compressed returns a header of names and values.
func (e *h2end) compressed(t *testing.T, fields ...string) string {
	e.block.Reset()
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if err := e.WriteField(hpack.HeaderField{Name: name, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	return e.block.String()
}

// Flags and types of frames.
const (
	h2data, h2headers, h2push, h2more    = 0, 1, 5, 9
	h2ends, h2whole, h2padded, h2weighed = 1, 4, 8, 0x20
)

// TestHTTP2Answers holds the status and length of answers, and to which requests they are: compressed with what stood in
// earlier headers, in pieces, padded, of several streams at once.
func TestHTTP2Answers(t *testing.T) {
	const said = "the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame %), then closed"
	ours, theirs := newH2end(), newH2end()
	theirs.SetMaxDynamicTableSizeLimit(8192)
	theirs.SetMaxDynamicTableSize(8192)
	asks := func(stream uint32, path string) string {
		return h2frame(h2headers, h2whole|h2ends|h2padded|h2weighed, stream, "\x03\x00\x00\x00\x00\x10"+ours.compressed(t, ":method=GET", ":path="+path)+"\x00\x00\x00")
	}
	says := func(stream uint32, flags byte, fields ...string) string {
		return h2frame(h2headers, h2whole|flags, stream, theirs.compressed(t, fields...))
	}
	settings := h2frame(4, 0, 0, "\x00\x01\x00\x00\x20\x00")
	begun := dialogue{}.client(h2begin + settings + asks(1, "/a"))
	busy := says(1, h2ends, ":status=503", "x-why=busy", "content-length=0")
	d := begun.server(busy)
	holds(t, "an error", d.server(goaway).ends(0, words.Server), strings.Replace(said, "%", "5", 1)+"; the last answer was HTTP/2 503 to GET /a on stream 1 (frame 4)")

	d = d.client(asks(3, "/b"))
	again := theirs.compressed(t, ":status=503", "x-why=busy", "content-length=0")
	if len(again) != 3 {
		t.Fatalf("%d bytes, want 3: all of it stands in the table", len(again))
	}
	d = d.server(h2frame(h2headers, h2ends, 3, again[:1]) + h2frame(h2more, h2whole, 3, again[1:]))
	holds(t, "the table, in two frames", d.server(goaway).ends(0, words.Server), strings.Replace(said, "%", "7", 1)+"; the last answer was HTTP/2 503 to GET /b on stream 3 (frame 6)")

	d = d.client(asks(5, "/c"))
	d = d.server(h2frame(h2push, h2whole, 5, "\x00\x00\x00\x02"+theirs.compressed(t, ":method=GET", ":path=/pushed", ":status=500")))
	d = d.server(says(5, 0, ":status=103", "link=x") + says(5, 0, ":status=200", "content-length=10") + h2frame(h2data, h2padded, 5, "\x02abcd\x00\x00"))
	holds(t, "cut", d.server(h2frame(h2data, 0, 5, "efghij")[:9+3]).ends(0, words.Server),
		"the server closed in the middle of its own message: HTTP/2 200 to GET /c on stream 5, cut: 7 of the 10 bytes of its body came (frame 9)")
	d = d.client(asks(7, "/d"))
	holds(t, "whole", d.server(h2frame(h2data, h2ends, 5, "efghij")+says(7, h2ends, ":status=204")).ends(wait, words.Server),
		"the server closed after 2.0 s of idling, no request was outstanding")
	d = d.server(says(7, h2ends, ":status=204") + h2frame(h2data, h2ends, 5, "ef"))
	holds(t, "short", d.ends(0, words.Client),
		"the client closed after the server's message, which was too short: HTTP/2 200 to GET /c on stream 5, ended after 6 of the 10 bytes of its body (frame 11)")

	d = d.client(asks(9, "/pkg.Service/Method"))
	holds(t, "what is not processed", d.server(goaway).ends(0, words.Server),
		strings.Replace(strings.Replace(said, "%", "13", 1), ",", ", with 1 stream still open (GET /pkg.Service/Method), not processed,", 1))
	d = d.server(says(9, 0, ":status=200") + h2frame(h2data, 0, 9, "x") + says(9, h2ends, "grpc-status=14", "grpc-message=no backend"))
	holds(t, "gRPC", d.ends(wait, words.Server),
		`the server closed after 2.0 s of idling, no request was outstanding; the last answer was HTTP/2 200 to GET /pkg.Service/Method on stream 9, grpc-status 14 UNAVAILABLE "no backend" (frame 13)`)
}

// TestHTTP2Goaway holds that an answer which came after a GOAWAY is called the last one only where it is whole, and which
// error the client of one had got.
func TestHTTP2Goaway(t *testing.T) {
	const said = "the server ended it: GOAWAY ENHANCE_YOUR_CALM (frame 5), "
	asked := dialogue{}.client(h2begin + h2frame(h2headers, h2whole|h2ends, 1, "\x82\x84")).server(h2frame(h2headers, h2whole, 1, "\x88")).server(goaway)
	holds(t, "whole", asked.server(h2frame(h2data, h2ends, 1, "abc")).ends(0, words.Server), said+"the last answer, then closed")
	refused := dialogue{}.client(h2begin + h2frame(h2headers, h2whole|h2ends, 1, "\x82\x84")).server(h2frame(3, 0, 1, "\x00\x00\x00\x07"))
	const left = "the client ended it: GOAWAY ENHANCE_YOUR_CALM (frame %), then closed"
	holds(t, "refused", refused.client(goaway).ends(0, words.Client), strings.Replace(left, "%", "5", 1)+"; stream 1 had been reset: REFUSED_STREAM (frame 4)")
	refused = refused.client(h2frame(h2headers, h2whole|h2ends, 3, "\x82\x84")).server(h2frame(h2headers, h2whole|h2ends, 3, "\x88"))
	holds(t, "refused once", refused.client(goaway).ends(0, words.Client), strings.Replace(left, "%", "7", 1))
	holds(t, "cut", asked.server(h2frame(h2data, 0, 1, "abc")).ends(0, words.Server), said+"with 1 stream still open (GET /), in the middle of its answer, then closed")
}

// TestHTTP2Unread holds that nothing is said of an answer whose header can't be read, or that leans on one which can't be.
func TestHTTP2Unread(t *testing.T) {
	const want = "the server closed after 2.0 s of idling, no request was outstanding"
	theirs := newH2end()
	first := theirs.compressed(t, ":status=503", "x-why=busy")
	second := h2frame(h2headers, h2whole|h2ends, 3, theirs.compressed(t, ":status=503", "x-why=busy"))
	asked := dialogue{}.client(h2begin + h2frame(h2headers, h2whole|h2ends, 1, "\x82\x84") + h2frame(h2headers, h2whole|h2ends, 3, "\x82\x84"))
	for name, answer := range map[string]string{
		"an index beyond the table":                h2frame(h2headers, h2whole|h2ends, 1, "\xff\x7f"+first),
		"more padding than frame":                  h2frame(h2headers, h2whole|h2ends|h2padded, 1, "\x7f"+first),
		"too small for what it has":                h2frame(h2headers, h2whole|h2ends|h2weighed, 1, "\x88"),
		"half a field":                             h2frame(h2headers, h2whole|h2ends, 1, first[:len(first)-1]),
		"more than is kept":                        h2frame(h2headers, h2whole|h2ends, 1, first+strings.Repeat("\x88", 16<<10)),
		"a larger table than the other end allows": h2frame(h2headers, h2whole|h2ends, 1, "\x3f\xe2\x1f"+first),
	} {
		holds(t, name, asked.server(answer+second).ends(wait, words.Server), want)
	}
}

// TestHTTP2Cut holds what is told of headers that the snap length cut, and of those after one: what leans on nothing that
// is missing.
func TestHTTP2Cut(t *testing.T) {
	ours, theirs := newH2end(), newH2end()
	asked := line{0, 0, h2begin + h2frame(h2headers, h2whole|h2ends, 1, ours.compressed(t, ":method=GET", ":path=/a")), 0}
	busy := theirs.compressed(t, ":status=503", "x-why=busy", "content-length=0")
	held := theirs.compressed(t, ":status=503", "x-why=busy")
	static := theirs.compressed(t, ":status=500", "x-why=busy")
	cut := func(block string, n int) line {
		return line{1, 0, h2frame(h2headers, h2whole|h2ends, 1, block), uint32(n)}
	}
	next := func(block string) line {
		return line{1, 9 + uint32(len(busy)), h2frame(h2headers, h2whole|h2ends, 1, block), 0}
	}
	for name, tt := range map[string]struct {
		lines []line
		want  string
	}{
		"behind its status":          {[]line{cut(busy, len(busy)-6)}, "HTTP/2 503 to GET /a on stream 1"},
		"within its status":          {[]line{cut(busy, len(busy)-3)}, ""},
		"before its status":          {[]line{cut(busy, len(busy))}, ""},
		"a status that stands fixed": {[]line{cut(static, len(static)-1)}, "HTTP/2 500 to GET /a on stream 1"},
		"one that leans on it":       {[]line{cut(busy, len(busy)-6), next(held)}, "HTTP/2 503 to GET /a on stream 1"},
		"one that does not":          {[]line{cut(busy, len(busy)), next(static)}, "HTTP/2 500 to GET /a on stream 1"},
		"the reason of a GOAWAY":     {[]line{{1, 0, h2frame(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x0bslow down"), 4}}, `HTTP/2 GOAWAY ENHANCE_YOUR_CALM "slow …", last stream 0`},
		"the request, too":           {[]line{{0, 0, asked.text, 1}, cut(static, 1)}, "HTTP/2 500 on stream 1"},
	} {
		if tt.lines[0].end == words.Server {
			tt.lines = append([]line{asked}, tt.lines...)
		}
		got := ""
		if w := talk(tt.lines, false).Words(words.Server, true, false); w != nil {
			got = w.Meaning
		}
		if got != tt.want {
			t.Errorf("%s: the server's last words are %q, want %q", name, got, tt.want)
		}
	}
}
