package words

import (
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// after is the error that a client got before it left, as a part of a sentence.
func (m *said) after() string {
	if m.failed == "" {
		return ""
	}
	return ", having got " + strings.TrimSuffix(m.failed, ".")
}

// leftAfter reports whether the other end said goodbye when it had the error of e, before e closed.
func (x *ended) leftAfter(e End) bool {
	g := &x.said[e.Other()].goodbye
	return g.words != "" && !g.error && g.at.frame > x.said[e].goodbye.at.frame && !x.late(e.Other())
}

// halfClosed reports whether the client closed while it waited for an answer, which came.
func (x *ended) halfClosed() bool {
	return x.closer == Client && x.rest != nil && x.pending.outstanding() > 0
}

// noGoodbye is a client that closed without what its protocol has it say before: servers log that as a connection that
// was aborted, or lost.
func (x *ended) noGoodbye() string {
	m := &x.said[Client]
	switch {
	case !x.closed || x.closer != Client:
	case x.greetedAlone():
		return x.probed() + ", and had said nothing" + asCheck
	case m.without != "" && !x.halfClosed():
		x.quoted[Server] = x.quoted[Server] || m.failed != "" && m.failed == x.said[Server].meaning
		return "the client closed without " + m.without + m.after()
	}
	return ""
}

// greetedAlone reports whether a client said nothing to a server that had greeted, and waits to be asked then.
func (x *ended) greetedAlone() bool {
	if x.rest == nil || !x.ends[Client].mute() {
		return false
	}
	m, ok := x.reader.(*mail)
	return ok && m.greeted
}

// asCheck names who leaves like that.
const asCheck = ", as with a TCP health check, a port scan or a connection that was opened in advance"

// probed says how soon a client closed.
func (x *ended) probed() string {
	return fmt.Sprintf("the client closed %s after it had opened the connection", analyze.Span(x.ends[Client].over.time.Sub(x.opened)))
}

// unheard is an end that closed a new connection when no byte of the other had come, and said none.
func (x *ended) unheard() string {
	s, c := &x.ends[Server], &x.ends[Client]
	switch {
	case !x.closed || x.ends[x.closer].over.frame == 0 || x.turn.before > x.opened || x.silence() >= longIdle:
		return ""
	case x.closer == Client && c.mute() && s.mute():
		why := x.probed() + ", and neither end had said anything"
		if x.rest == nil || x.transfer == nil {
			why += asCheck
		}
		return why
	case x.closer != Server || !s.fin || s.bytes > 0 || c.bytes > 0 && x.turn.time <= s.over.time:
		return ""
	}
	why := fmt.Sprintf("the server closed %s after the client had opened the connection, and said nothing", analyze.Span(s.over.time.Sub(x.opened)))
	if c.bytes > 0 {
		why += fmt.Sprintf("; what the client said (frame %d) came %s after that", x.turn.frame, margin(int64(x.turn.time.Sub(s.over.time))))
	}
	return why
}
