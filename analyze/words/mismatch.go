package words

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/closecap/closecap/analyze"
)

// stranger is a client that spoke another protocol than the server.
type stranger struct {
	of    *protocol // nil for one that is not known
	at    spot      // where it began to
	vague bool      // it may have spoken the same: too little of its first line is known
}

// speaks is what the first bytes of a server say of p, whatever its client says.
func (p *protocol) speaks(b []byte) answer {
	a := p.is(nil, b)
	if a == more && p.name == "http2" && len(b) >= h2Header {
		return yes
	}
	return a
}

// maxGreeting is how much of a server's first bytes is looked at where its client speaks another protocol.
const maxGreeting = 512

// answered has the first bytes of a server tell which protocol it speaks: where that is not the client's, its reader
// reads on, and the client's bytes no more.
func (t *Talk) answered(b []byte) (taken bool) {
	var head []byte
	var of *protocol
	if t.rest != nil {
		head, of = t.heads[Server], t.of
	}
	n, kept := min(len(b), maxGreeting-len(head)), len(head) > 0
	if kept {
		head = append(head, b[:n]...)
	} else {
		head = b[:n]
	}
	undecided := false
	for may := byFirst[Server][head[0]]; may != 0; may &= may - 1 {
		p := &protocols[bits.TrailingZeros32(may)]
		switch a := p.speaks(head); {
		case a == more:
			undecided = true
		case a == yes && p == of:
			may, undecided = 1, false // the last
		case a == yes:
			t.turnTo(p, head, b[n:])
			return true
		}
	}
	switch undecided = undecided && len(head) < maxGreeting; {
	case !undecided:
		t.unheard = false
		if t.rest != nil {
			t.heads[Server] = nil
		}
	case kept:
		t.heads[Server] = head
	default:
		t.rests().heads[Server] = bytes.Clone(head)
	}
	return false
}

// turnTo has the reader of the server's protocol read on, from its first bytes.
func (t *Talk) turnTo(p *protocol, head, more []byte) {
	r := t.rests()
	turnsAway := p.name == "redis" || p.name == "postgresql" // also its own, in a form that it does not take
	s := &stranger{of: r.of, vague: t.vague || r.of == nil && turnsAway}
	if r.reader != nil {
		s.at = r.reader.last(Client, fate{}).at
	}
	r.stranger = s
	t.read(p, Server, [2][]byte{Server: head}, more)
	t.unasked = false
}

// asks has the first bytes of a client tell which protocol it speaks, where the server's greeting has told of another:
// as of a client of TLS that waits for none.
func (t *Talk) asks(b []byte, at spot) {
	head := append(t.heads[Client], b...)
	undecided := false
	for may := byFirst[Client][head[0]]; may != 0; may &= may - 1 {
		p := &protocols[bits.TrailingZeros32(may)]
		switch a := p.is(head, nil); {
		case a == no, p.name == "http1" && a == more && bytes.IndexByte(head, '\n') >= 0: // its first line is no request
		case p == t.of:
			may, undecided = 1, false // the last
		case a == yes:
			t.stranger, t.unasked, t.heads[Client] = &stranger{of: p, at: at}, false, nil
			return
		default:
			undecided = true
		}
	}
	if t.heads[Client] = head; !undecided || len(head) >= maxGreeting {
		t.listens()
	}
}

// listens has the reader read what the client has said so far.
func (t *Talk) listens() {
	if t.unasked {
		head := t.heads[Client]
		if t.unasked, t.heads[Client] = false, nil; len(head) > 0 {
			t.reader.said(Client, head, t.ends[Client].at)
		}
	}
}

// words say what a stranger spoke.
func (s *stranger) words(server *protocol) said {
	switch {
	case s.vague:
		return said{}
	case s.of == nil:
		return said{meaning: "no " + server.written, sure: analyze.Observed, tells: true}
	}
	return said{meaning: fmt.Sprintf("%s, where the server speaks %s", s.of.written, server.written), protocol: s.of.name,
		sure: analyze.Observed, tells: true, at: s.at}
}

// stranger says to what client the server spoke, where that is the reason of what it said; "" where it is not.
func (x *ended) strange() string {
	switch {
	case x.rest != nil && x.rest.stranger != nil && x.rest.stranger.vague:
	case x.rest != nil && x.rest.stranger != nil && x.rest.stranger.of != nil:
		x.quotes(Client)
		return " to a client that spoke " + x.rest.stranger.of.written
	case x.rest != nil && (x.rest.stranger != nil || x.said[Client].strange):
		x.quotes(Client)
		return " to a client that did not speak " + x.of.written
	}
	return ""
}

// mismatch is a connection whose ends did not speak the same protocol, where the server does not say so.
func (x *ended) mismatch() string {
	to := x.strange()
	if to == "" || !x.closed {
		return ""
	}
	where := ""
	if at := x.said[Server].at; at.frame != 0 {
		x.quotes(Server)
		where = fmt.Sprintf(" (frame %d)", at.frame)
	}
	return fmt.Sprintf("the server spoke %s%s%s, then the %s closed", x.of.written, where, to, x.side[x.closer])
}
