package words

import (
	"encoding/binary"
	"fmt"

	"github.com/closecap/closecap/analyze"
)

func (r *http2Reader) last(e End, how fate) said {
	d := &r.ends[e]
	if r.none || d.frames.lost && !d.goaway.sent {
		return said{}
	}
	w := said{protocol: "http2", sure: analyze.Observed, tells: true, at: d.at, before: d.before}
	if !d.frames.lost {
		w.closing = d.closing
	}
	w.counts = !r.many && !r.ends[Client].frames.lost && !r.ends[Server].frames.lost
	if e == Client && w.counts && how.heard {
		r.count(&w)
	}
	if e == Server && w.counts && how.done {
		r.tear(&w)
	}
	reset := d.rstAt.frame != 0
	a := r.answer
	switch {
	case d.goaway.sent:
		r.goaway(e, &w)
	case w.cut:
		w.meaning, w.at, w.torn = w.torn, w.tornAt, ""
	case reset && (e == Client || a == nil || d.rstAt.frame > a.headAt.frame):
		w.at, w.tells = d.rstAt, d.isRst
		w.meaning = fmt.Sprintf("HTTP/2 RST_STREAM %s, stream %d", h2Code(binary.BigEndian.Uint32(d.rst[4:])), binary.BigEndian.Uint32(d.rst[:]))
		if e == Server && w.tells && d.fault() != "" {
			w.goodbye = goodbye{words: w.meaning, name: "error", at: d.rstAt, error: true}
		}
	case w.open > 0:
		w.meaning, w.at = "HTTP/2: "+w.waits, spot{}
	case e == Server && a != nil && a.status > 0:
		w.meaning, w.at, w.tells = a.words(), a.headAt, a.failed()
		if w.tells {
			w.goodbye = goodbye{words: w.meaning, name: "error", at: w.at, error: true}
		}
	default:
		return said{at: d.at, counts: w.counts}
	}
	return w
}

// goaway is what e says of the connection's end.
func (r *http2Reader) goaway(e End, w *said) {
	d, a := &r.ends[e], r.answer
	g := &d.goaway
	w.at = g.at
	w.goodbye = goodbye{words: "GOAWAY " + h2Code(g.code), name: goawayName, at: g.first, more: g.more}
	if g.debug != "" {
		w.goodbye.words += " " + quoted(g.debug)
	}
	if e == Server && g.code != 0 && r.prefaced > 0 && r.prefaced < len(preface) {
		w.goodbye.words += ", with the client's preface not complete"
	}
	w.meaning = "HTTP/2 " + w.goodbye.words
	if g.last != 1<<31-1 {
		w.meaning += fmt.Sprintf(", last stream %d", g.last)
	}
	code := d.fault()
	if o := &r.ends[e.Other()]; code == "" && (a == nil || a.headAt.frame < o.rstAt.frame) {
		d, code = o, o.fault()
	}
	switch failed := a != nil && a.failed(); {
	case code != "" && (!failed || d.rstAt.frame > a.headAt.frame):
		w.goodbye.earlier, w.goodbye.earlierAt = fmt.Sprintf("stream %d had been reset: %s", binary.BigEndian.Uint32(d.rst[:]), code), d.rstAt
	case failed:
		w.goodbye.earlier, w.goodbye.earlierAt = "the last answer was "+a.words(), a.headAt
	}
}

// tear notes in w which answers have begun and not ended, or ended before their length.
func (r *http2Reader) tear(w *said) {
	var torn *h2Stream
	n := 0
	for _, s := range r.open {
		if s.begun && !s.ended[Server] {
			if n++; torn == nil || s.spokeAt.frame > torn.spokeAt.frame || s.spokeAt == torn.spokeAt && s.number > torn.number {
				torn = s
			}
		}
	}
	came, _, _ := r.ends[Server].frames.cut()
	switch a := r.answer; {
	case n == 1:
		w.torn = torn.words() + ", cut: its end did not come"
		if torn.length > 0 {
			all := torn.came + r.coming(torn)
			w.torn = fmt.Sprintf("%s, cut: %d of the %d bytes of its body came", torn.words(), all, torn.length)
			w.missing = max(0, torn.length-all)
		}
	case n > 1:
		w.torn = fmt.Sprintf("HTTP/2 answers on %d streams, cut: their ends did not come", n)
	case a != nil && a.short():
		torn, w.short = a, true
		w.torn = fmt.Sprintf("%s, ended after %d of the %d bytes of its body", a.words(), a.came, a.length)
	default:
		return
	}
	w.cut, w.tornAt = true, torn.spokeAt
	if came == 0 {
		w.ended = torn.spokeAt.time
	}
}

// coming returns how much of an answer came in a frame that is not complete.
func (r *http2Reader) coming(s *h2Stream) int64 {
	d := &r.ends[Server].frames
	came, _, cut := d.cut()
	if !cut || d.total == 0 || d.msg[3] != h2Data || h2Number(d.msg) != s.number {
		return 0
	}
	front, back, _ := h2Around(d.msg)
	return max(0, min(came, d.total-int64(back))-int64(front))
}

// short reports whether an answer said that it is complete, and has less of a body than its header says: RFC 9113 8.1.1 has
// it malformed.
func (s *h2Stream) short() bool { return s.ended[Server] && s.came > 0 && s.came < s.length }

// failed reports whether an answer is an error.
func (s *h2Stream) failed() bool { return s.status >= 400 || s.grpc > 0 }

// words are the answer's.
func (s *h2Stream) words() string {
	if s.status == 0 {
		return fmt.Sprintf("HTTP/2 answer on stream %d", s.number)
	}
	text := fmt.Sprintf("HTTP/2 %d", s.status)
	if s.asked != "" {
		text += " to " + s.asked
	}
	text += fmt.Sprintf(" on stream %d", s.number)
	if s.grpc > 0 {
		text += fmt.Sprintf(", grpc-status %d", s.grpc)
		if s.grpc < len(grpcCodes) {
			text += " " + grpcCodes[s.grpc]
		}
		if s.grpcText != "" {
			text += " " + quoted(s.grpcText)
		}
	}
	return text
}

// count counts in w the streams of the client that the server has not ended.
func (r *http2Reader) count(w *said) {
	var last *h2Stream
	passed := 0
	for _, s := range r.open {
		if s.ended[Server] {
			continue
		}
		if last == nil || s.number > last.number {
			last = s
		}
		if g := &r.ends[Server].goaway; g.sent && s.number > g.last {
			passed++
		}
		if w.open++; s.begun {
			w.begun++
		}
	}
	if w.open == 0 {
		return
	}
	one := w.open == 1
	w.waits = analyze.Count(uint64(w.open), "stream") + " still open"
	switch {
	case last.asked == "":
	case one:
		w.waits += " (" + last.asked + ")"
	default:
		w.waits += " (the last: " + last.asked + ")"
	}
	switch {
	case w.begun == 0:
	case one:
		w.waits += ", in the middle of its answer"
	default:
		w.waits += fmt.Sprintf(", %d in the middle of the answer", w.begun)
	}
	switch { // RFC 9113 6.8: a client may send again what is above the last stream of a GOAWAY
	case passed == 0:
	case one:
		w.waits += ", not processed"
	default:
		w.waits += fmt.Sprintf(", %d not processed", passed)
	}
}

// grpcCodes name grpc-status (gRPC's statuscodes.md).
var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}
