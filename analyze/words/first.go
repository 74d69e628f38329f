package words

import (
	"bytes"
	"math/bits"

	"github.com/closecap/closecap/analyze/event"
)

// Speech tells of a payload, which is not empty, what needs no more than its own bytes: whoever has just read them has
// them in the cache.
func Speech(payload []byte) (s event.Speech) {
	if !mayBeText(payload) {
		s |= event.NoText
	}
	if !mayStart(Client, payload) && !mayStart(Server, payload) {
		s |= event.NoStart
	}
	return s
}

// mayStart reports whether a known protocol may begin with what e says first.
func mayStart(e End, payload []byte) bool {
	client, server := payload, []byte(nil)
	if e == Server {
		client, server = server, client
	}
	for may := byFirst[e][payload[0]]; may != 0; may &= may - 1 {
		if protocols[bits.TrailingZeros32(may)].is(client, server) != no {
			return true
		}
	}
	return false
}

// tell asks which protocol the first bytes are of.
func (t *Talk) tell(e End, b []byte) {
	d := &t.ends[e]
	if !d.begun {
		t.giveUpTelling()
		return
	}
	heads := [2][]byte{}
	if t.rest != nil {
		heads = t.heads
	}
	n, kept := min(len(b), maxHead-len(heads[e])), len(heads[e]) > 0
	if kept {
		heads[e] = append(heads[e], b[:n]...)
	} else {
		heads[e] = b[:n]
	}
	may := ^uint32(0)
	if len(heads[e.Other()]) == 0 && len(b) > 0 {
		may = byFirst[e][heads[e][0]]
	}
	undecided := false
	for ; may != 0; may &= may - 1 {
		i := bits.TrailingZeros32(may)
		if i >= len(protocols) {
			break
		}
		switch p := &protocols[i]; p.is(heads[Client], heads[Server]) {
		case more:
			undecided = true
		case yes:
			t.read(p, e, heads, b[n:])
			return
		}
	}
	if !undecided || len(heads[e]) == maxHead {
		t.unheard, t.vague = e == Client && t.ends[Server].bytes == 0, undecided
		t.giveUpTelling()
		return
	}
	if !kept {
		heads[e] = bytes.Clone(heads[e])
	}
	t.rests().heads = heads
}

// read has the reader of a protocol read on, from the first bytes of both ends; e said the last of them, and more
// after them.
func (t *Talk) read(p *protocol, e End, heads [2][]byte, more []byte) {
	r := t.rests()
	r.of, r.reader = p, p.read()
	t.unheard, t.unasked = len(heads[Server]) == 0, len(heads[Client]) == 0
	if h, ok := r.reader.(*http1); ok && r.leg != nil {
		h.answers = &r.leg.body
	}
	if m, ok := r.reader.(*mail); ok && !m.smtp {
		r.ftp = m
	}
	if h := heads[e.Other()]; len(h) > 0 {
		r.reader.said(e.Other(), h, t.ends[e.Other()].at)
	}
	r.reader.said(e, heads[e], t.ends[e].at)
	if len(more) > 0 {
		r.reader.said(e, more, t.ends[e].at)
	}
	t.giveUpTelling()
}
