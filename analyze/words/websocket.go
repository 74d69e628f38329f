package words

import (
	"encoding/binary"
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// wsClose is the opcode of a Close frame (RFC 6455 5.5.1).
const wsClose = 8

// wsGoodbye is the name of such a frame.
const wsGoodbye = "Close frame"

// wsNormal begins the words of one that is how WebSocket ends.
const wsNormal = "Close 1000 "

// noClose is how an end leaves that sends none (RFC 6455 7.1.5).
const noClose = "without a WebSocket Close frame (1006)"

// wsSize reads a frame's header (RFC 6455 5.2). Control frames have at most 125 bytes and are in one piece.
func wsSize(h []byte) (want int, total int64) {
	header, n := 2, int64(0)
	if len(h) < header {
		return header - len(h), 0
	}
	op := h[0] & 15
	switch n = int64(h[1] & 127); n {
	case 126:
		header += 2
	case 127:
		header += 8
	}
	if len(h) < header {
		return header - len(h), 0
	}
	switch {
	case op > 2 && op < 8, op > 10, op >= 8 && (n > 125 || h[0]&0x80 == 0):
		return 0, -1
	case n == 126:
		n = int64(binary.BigEndian.Uint16(h[2:]))
	case n == 127:
		if n = int64(binary.BigEndian.Uint64(h[2:])); n < 0 || n > 1<<62 {
			return 0, -1
		}
	}
	if h[1]&0x80 != 0 {
		header += 4
	}
	if len(h) < header {
		return header - len(h), 0
	}
	return 0, int64(header) + n
}

// websocket follows the frames after the upgrade.
type websocket struct {
	ends [2]struct {
		frames
		close   []byte // of its Close frame, unmasked
		closed  bool
		at      spot
		closing int64
		before  event.Time // the last frame but Close
	}
}

func (r *websocket) said(e End, b []byte, at spot) {
	r.ends[e].feed(b, wsSize, func(msg []byte, total int64) { r.frame(e, msg, total, at) })
}

func (r *websocket) skip(e End, n int64) {
	r.ends[e].frames.skip(n, func(msg []byte, total int64) { r.frame(e, msg, total, r.ends[e].at) })
}

func (r *websocket) frame(e End, msg []byte, total int64, at spot) {
	d := &r.ends[e]
	switch {
	case msg[0]&15 != wsClose:
		if !d.closed {
			d.at = at
		}
		d.closing, d.before = 0, at.time
		return
	case d.closed || int64(len(msg)) < total:
		return
	}
	d.closing += total
	body := append([]byte(nil), msg[2:]...)
	if msg[1]&0x80 != 0 {
		mask := body[:4]
		body = body[4:]
		for i := range body {
			body[i] ^= mask[i%4]
		}
	}
	d.closed, d.close, d.at = true, body, at
}

func (r *websocket) last(e End, how fate) said {
	d := &r.ends[e]
	if d.lost && !d.closed {
		return said{}
	}
	w := said{protocol: "websocket", sure: analyze.Observed, tells: true, closing: d.closing, before: d.before, at: d.at}
	came, total, cut := d.cut()
	switch {
	case d.closed:
		w.goodbye = goodbye{words: wsWords(d.close), name: wsGoodbye, at: d.at}
		w.meaning = "WebSocket " + w.goodbye.words
	case cut && total > 0 && how.done:
		w.meaning, w.cut = fmt.Sprintf("WebSocket frame cut: %d of its %d bytes", came, total), true
	case how.fin:
		w.meaning, w.at, w.tells = "no WebSocket Close frame before its FIN (1006)", spot{}, how.first
		w.bare = noClose
	case how.done:
		return said{at: d.at, bare: noClose}
	default:
		return said{at: d.at}
	}
	return w
}

// wsWords reads the body of a Close frame.
func wsWords(b []byte) string {
	if len(b) < 2 {
		return "Close without a code (1005)"
	}
	words := "Close " + wsCode(int(binary.BigEndian.Uint16(b)))
	if reason := b[2:]; len(reason) > 0 {
		words += " " + quoted(clip(reason))
	}
	return words
}

// wsCode names a status code (RFC 6455 7.4.1 and the IANA registry).
func wsCode(code int) string {
	if name := wsCodes[code]; name != "" {
		return fmt.Sprintf("%d (%s)", code, name)
	}
	return fmt.Sprint(code)
}

var wsCodes = map[int]string{
	1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
	1007: "invalid payload data", 1008: "policy violation", 1009: "message too big",
	1010: "mandatory extension", 1011: "internal error", 1012: "service restart", 1013: "try again later",
	1014: "bad gateway",
}
