package words

import (
	"encoding/binary"
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// preface is what a client begins HTTP/2 with (RFC 9113 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// isHTTP2 wants the client's preface, or some of it and the server's SETTINGS. A server may send those before that comes.
func isHTTP2(client, server []byte) answer {
	if len(client) > 0 {
		a := begins(client, preface)
		if a == more && len(server) >= h2Header && isHTTP2(nil, server) == more {
			return yes
		}
		return a
	}
	for i, c := range server[:min(len(server), h2Header)] {
		if i != 2 && c != [h2Header]byte{3: h2Settings}[i] {
			return no
		}
	}
	return more
}

// HTTP/2 frame types and flags (RFC 9113 6).
const (
	h2Data      = 0
	h2Headers   = 1
	h2RstStream = 3
	h2Settings  = 4
	h2Goaway    = 7
	h2EndStream = 1
	h2Header    = 9
)

// h2Size reads a frame's header. A stream's number has no highest bit, and what is about the connection
// has stream 0: other bytes are no HTTP/2.
func h2Size(h []byte) (want int, total int64) {
	if len(h) < h2Header {
		return h2Header - len(h), 0
	}
	n := int64(h[0])<<16 | int64(h[1])<<8 | int64(h[2])
	stream := binary.BigEndian.Uint32(h[5:])
	switch kind := h[3]; {
	case kind == h2Goaway && (n < 8 || stream != 0), kind == h2RstStream && (n != 4 || stream == 0),
		kind <= h2Headers && stream == 0:
		return 0, -1
	}
	return 0, h2Header + n
}

// goawayName is the name of a goodbye of HTTP/2.
const goawayName = "GOAWAY"

// maxStreams bounds how many open streams are told apart.
const maxStreams = 256

// http2Reader follows the frames of HTTP/2 in clear.
type http2Reader struct {
	ends     [2]h2End
	prefaced int                 // bytes of the preface that came
	open     map[uint32]h2Stream // by number
	answered spot                // the last frame of an answer
	many     bool                // more than are told apart
}

// h2End is what one end has said.
type h2End struct {
	frames
	goaway  goaway
	rst     [8]byte // stream and code of the last RST_STREAM
	rstAt   spot
	isRst   bool // that is the last frame
	at      spot
	closing int64
	before  event.Time // the last frame but GOAWAY
}

// fault names the code of the last RST_STREAM where that is an error, and not one that is no longer wanted.
func (d *h2End) fault() string {
	const noError, cancel = 0, 8
	code := binary.BigEndian.Uint32(d.rst[4:])
	if d.rstAt.frame == 0 || code == noError || code == cancel {
		return ""
	}
	return h2Code(code)
}

// h2Stream is one that an end has yet to end.
type h2Stream struct {
	ended [2]bool // by whom
	begun bool    // its answer
}

// goaway is the last GOAWAY of an end.
type goaway struct {
	sent  bool
	first spot // of the first one, or the first that tells of an error: its are code and debug
	more  bool // an answer followed
	at    spot
	last  uint32 // stream
	code  uint32
	debug string
}

func newHTTP2() reader { return &http2Reader{open: map[uint32]h2Stream{}} }

func (r *http2Reader) said(e End, b []byte, at spot) {
	if e == Client && r.prefaced < len(preface) {
		n := min(len(b), len(preface)-r.prefaced)
		if string(b[:n]) != preface[r.prefaced:r.prefaced+n] {
			r.ends[e].lost = true
		}
		r.prefaced += n
		b = b[n:]
	}
	r.ends[e].feed(b, h2Size, func(msg []byte, _ int64) { r.frame(e, msg, at) })
}

func (r *http2Reader) skip(e End, n int64) {
	r.ends[e].frames.skip(n, func(msg []byte, _ int64) { r.frame(e, msg, r.ends[e].at) })
}

func (r *http2Reader) frame(e End, msg []byte, at spot) {
	d := &r.ends[e]
	kind, stream := msg[3], binary.BigEndian.Uint32(msg[5:])&^(1<<31)
	total := h2Header + (int64(msg[0])<<16 | int64(msg[1])<<8 | int64(msg[2]))
	body := msg[h2Header:]
	d.isRst, d.at = false, at
	if kind != h2Goaway {
		d.closing, d.before = 0, at.time
	}
	switch {
	case kind == h2Goaway && len(body) >= 8:
		d.closing += total
		g := &d.goaway
		if code := binary.BigEndian.Uint32(body[4:]); !g.sent || g.code == 0 && code != 0 {
			g.first, g.code, g.debug = at, code, clip(body[8:])
		}
		g.sent, g.at, g.last = true, at, binary.BigEndian.Uint32(body)&^(1<<31)
	case kind == h2RstStream && len(body) >= 4:
		d.isRst, d.rstAt = true, at
		binary.BigEndian.PutUint32(d.rst[:], stream)
		copy(d.rst[4:], body)
		delete(r.open, stream)
	case kind <= h2Headers:
		d.goaway.more = d.goaway.sent
		r.speaks(e, stream, msg[4]&h2EndStream != 0, at)
	}
}

// speaks notes that e spoke on a stream, and perhaps for the last time.
func (r *http2Reader) speaks(e End, number uint32, ends bool, at spot) {
	s, known := r.open[number]
	if !known && (e == Server || len(r.open) >= maxStreams) { // pushes are not counted
		r.many = r.many || e == Client
		return
	}
	if e == Server {
		s.begun, r.answered = true, at
	}
	s.ended[e] = s.ended[e] || ends
	if r.open[number] = s; s.ended[Client] && s.ended[Server] {
		delete(r.open, number)
	}
}

// tear notes in w which answers have begun and not ended.
func (r *http2Reader) tear(w *said) {
	n, last := 0, uint32(0)
	for number, s := range r.open {
		if s.begun && !s.ended[Server] {
			n, last = n+1, max(last, number)
		}
	}
	switch n {
	case 0:
		return
	case 1:
		w.torn = fmt.Sprintf("HTTP/2 answer on stream %d, cut: its end did not come", last)
	default:
		w.torn = fmt.Sprintf("HTTP/2 answers on %d streams, cut: their ends did not come", n)
	}
	w.cut, w.tornAt = true, r.answered
	if came, _, _ := r.ends[Server].frames.cut(); came == 0 {
		w.ended = r.answered.time
	}
}

func (r *http2Reader) last(e End, how fate) said {
	d := &r.ends[e]
	if d.lost && !d.goaway.sent {
		return said{}
	}
	w := said{protocol: "http2", sure: analyze.Observed, tells: true, at: d.at, before: d.before}
	if !d.lost {
		w.closing = d.closing
	}
	w.counts = !r.many && !r.ends[Client].lost && !r.ends[Server].lost
	if e == Client && w.counts && how.heard {
		r.count(&w)
	}
	if e == Server && w.counts && how.done {
		r.tear(&w)
	}
	switch g := &d.goaway; {
	case g.sent:
		w.at = g.at
		w.goodbye = goodbye{words: "GOAWAY " + h2Code(g.code), name: goawayName, at: g.first, more: g.more}
		if g.debug != "" {
			w.goodbye.words += " " + quoted(g.debug)
		}
		if code := d.fault(); code != "" {
			w.goodbye.told = fmt.Sprintf(", stream %d reset before: %s", binary.BigEndian.Uint32(d.rst[:]), code)
		}
		w.meaning = "HTTP/2 " + w.goodbye.words + w.goodbye.told
		if g.last != 1<<31-1 {
			w.meaning += fmt.Sprintf(", last stream %d", g.last)
		}
	case w.cut:
		w.meaning, w.at, w.torn = w.torn, w.tornAt, ""
	case d.rstAt.frame != 0:
		w.at, w.tells = d.rstAt, d.isRst
		w.meaning = fmt.Sprintf("HTTP/2 RST_STREAM %s, stream %d", h2Code(binary.BigEndian.Uint32(d.rst[4:])), binary.BigEndian.Uint32(d.rst[:]))
		if e == Server && w.tells && d.fault() != "" {
			w.goodbye = goodbye{words: w.meaning, name: "error", at: d.rstAt, error: true}
		}
	case w.open > 0:
		w.meaning, w.at = fmt.Sprintf("HTTP/2 streams still open: %d", w.open), spot{}
	default:
		return said{at: d.at, counts: w.counts}
	}
	return w
}

// count counts in w the streams of the client that the server has not ended.
func (r *http2Reader) count(w *said) {
	for _, s := range r.open {
		if s.ended[Server] {
			continue
		}
		if w.open++; s.begun {
			w.begun++
		}
	}
	switch w.waits = analyze.Count(uint64(w.open), "stream") + " still open"; {
	case w.begun == 0:
	case w.open == 1:
		w.waits += ", in the middle of its answer"
	default:
		w.waits += fmt.Sprintf(", %d in the middle of the answer", w.begun)
	}
}

// quoted sets what a peer said in quotation marks.
func quoted(s string) string { return `"` + s + `"` }

// h2Code names an error code (RFC 9113 7).
func h2Code(code uint32) string {
	if int(code) < len(h2Codes) {
		return h2Codes[code]
	}
	return fmt.Sprintf("0x%x", code)
}

var h2Codes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}
