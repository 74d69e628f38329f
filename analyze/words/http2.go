package words

import (
	"encoding/binary"
	"fmt"
	"strings"

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
	h2Ack       = 1 // of SETTINGS
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

// size reads a frame's header, and keeps more of the frame where that has a part of a header.
func (d *h2End) size(h []byte) (want int, total int64) {
	if want, total = h2Size(h); total > 0 {
		if d.most = 0; h[3] == h2Headers || h[3] == h2PushPromise || h[3] == h2Continuation {
			d.most = maxHeads
		}
	}
	return want, total
}

// h2Number is that of a frame's stream.
func h2Number(msg []byte) uint32 { return binary.BigEndian.Uint32(msg[5:]) &^ (1 << 31) }

// goawayName is the name of a goodbye of HTTP/2.
const goawayName = "GOAWAY"

// maxStreams bounds how many open streams are told apart.
const maxStreams = 256

// http2Reader follows the frames of HTTP/2 in clear.
type http2Reader struct {
	ends     [2]h2End
	prefaced int                  // bytes of the preface that came
	none     bool                 // what came for it is none
	open     map[uint32]*h2Stream // by number
	highest  uint32               // that was begun
	answer   *h2Stream            // on which the server spoke last, nil for none
	many     bool                 // more than are told apart
}

// h2End is what one end has said.
type h2End struct {
	frames
	heads
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

// h2Stream is a request with its answer, as far as their headers can be read.
type h2Stream struct {
	number  uint32
	ended   [2]bool // by whom
	begun   bool    // its answer
	asked   string  // "" where that can't be read
	head            // of the answer
	headAt  spot
	came    int64 // bytes of its body
	spokeAt spot  // the last of the server
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

func newHTTP2() reader { return &http2Reader{open: map[uint32]*h2Stream{}} }

func (r *http2Reader) said(e End, b []byte, at spot) {
	if e == Client && r.prefaced < len(preface) {
		n := min(len(b), len(preface)-r.prefaced)
		if string(b[:n]) != preface[r.prefaced:r.prefaced+n] {
			r.none = true
		}
		r.prefaced += n
		b = b[n:]
	}
	r.ends[e].feed(b, r.ends[e].size, func(msg []byte, _ int64) { r.frame(e, msg, at) })
}

func (r *http2Reader) skip(e End, n int64) {
	r.ends[e].frames.skip(n, func(msg []byte, _ int64) { r.frame(e, msg, r.ends[e].at) })
}

func (r *http2Reader) frame(e End, msg []byte, at spot) {
	d := &r.ends[e]
	kind, stream := msg[3], h2Number(msg)
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
			if int64(len(msg)) < total && !strings.HasSuffix(g.debug, "…") {
				g.debug += "…"
			}
		}
		g.sent, g.at, g.last = true, at, binary.BigEndian.Uint32(body)&^(1<<31)
	case kind == h2RstStream && len(body) >= 4:
		d.isRst, d.rstAt = true, at
		binary.BigEndian.PutUint32(d.rst[:], stream)
		copy(d.rst[4:], body)
		delete(r.open, stream)
	case kind == h2Settings && msg[4]&h2Ack == 0:
		if size, ok := tableSize(body); ok {
			r.ends[e.Other()].heads.allow(size)
		}
	case kind == h2PushPromise:
		d.heads.read(msg, total)
	case kind == h2Continuation:
		r.reads(e, r.open[stream], msg, total, at)
	case kind <= h2Headers:
		d.goaway.more = d.goaway.sent
		r.speaks(e, stream, msg, total, at)
	}
}

// speaks notes that e spoke on a stream, and perhaps for the last time.
func (r *http2Reader) speaks(e End, number uint32, msg []byte, total int64, at spot) {
	s := r.stream(e, number, msg[3] == h2Headers)
	if s != nil {
		s.ended[e] = s.ended[e] || msg[4]&h2EndStream != 0
		if e == Server {
			s.begun, s.spokeAt, r.answer = true, at, s
			if msg[3] == h2Data {
				s.came += h2Carries(msg, total)
			}
		}
		if s.ended[Client] && s.ended[Server] {
			delete(r.open, number)
		}
	} else if e == Server && r.many {
		r.answer = nil
	}
	if msg[3] == h2Headers {
		r.reads(e, s, msg, total, at)
	}
}

// stream returns the one on which e speaks, nil for one that is not followed: pushes are not, nor are those of more
// than maxStreams, or that ended.
func (r *http2Reader) stream(e End, number uint32, begins bool) *h2Stream {
	s := r.open[number]
	switch {
	case s != nil:
	case e == Server && r.answer != nil && r.answer.number == number:
		s = r.answer
	case e == Server && number%2 == 1 && number > r.highest: // the request was HTTP/1's, which was upgraded
		s = &h2Stream{number: number}
	case e == Client && begins && number > r.highest:
		if r.highest = number; len(r.open) == maxStreams {
			r.many = true
			return nil
		}
		s = &h2Stream{number: number}
		r.open[number] = s
	}
	return s
}

// reads notes what a header tells, where it is complete; s is its stream, or nil.
func (r *http2Reader) reads(e End, s *h2Stream, msg []byte, total int64, at spot) {
	d := &r.ends[e].heads
	if !d.read(msg, total) {
		return
	}
	if s == nil && r.answer != nil && r.answer.number == h2Number(msg) {
		s = r.answer
	}
	switch h := &d.head; {
	case s == nil:
	case e == Client && h.method != "":
		s.asked = strings.TrimSpace(h.method + " " + h.path)
	case e == Client:
	case h.status >= 200:
		s.head, s.headAt = *h, at
	case h.status > 0: // what comes before the answer
		s.begun = false
	case h.grpc != 0: // in a trailer
		s.grpc, s.grpcText, s.headAt = h.grpc, h.grpcText, at
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
