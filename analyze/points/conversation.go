package points

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// conversation is one incarnation of a connection as one point saw it.
type conversation struct {
	where    *Point
	point    int
	ends     [2]netip.AddrPort // client and server
	isn      [2]seqnum.Value
	known    [2]bool        // the isn
	again    []seqnum.Value // other numbers with which the server answered the SYN when it came again, after an RST
	guessed  bool           // no SYN tells which end is the client
	segments []event.Segment
	sent     [2]int // by end
}

// The ends of a conversation, as indexes.
const (
	client = 0
	server = 1
)

// from returns which end sent s.
func (c *conversation) from(s *event.Segment) int {
	if s.Src == c.ends[client] {
		return client
	}
	return server
}

// conversations splits what a point saw.
func conversations(p *Point, point int) []*conversation {
	var all []*conversation
	open := map[event.Pair]*conversation{}
	for i := range p.Segments {
		s := &p.Segments[i]
		pair := event.PairOf(s.Src, s.Dst)
		c := open[pair]
		if c == nil || c.isOver(s) {
			c = &conversation{where: p, point: point}
			c.orient(s)
			open[pair] = c
			all = append(all, c)
		}
		c.learn(s)
		c.sent[c.from(s)]++
		c.segments = append(c.segments, *s)
	}
	return all
}

// isOver reports whether s begins another incarnation: a SYN with another number.
func (c *conversation) isOver(s *event.Segment) bool {
	if s.Flags&(event.SYN|event.ACK|event.RST) != event.SYN {
		return false
	}
	e := c.from(s)
	if !c.known[e] {
		return c.guessed
	}
	return c.isn[e] != s.Seq
}

// orient decides who is the client, by the first segment.
func (c *conversation) orient(s *event.Segment) {
	c.ends[client], c.ends[server], c.guessed = oriented(s)
}

// oriented returns who is the client of a segment's connection; guessed says that no SYN tells.
func oriented(s *event.Segment) (client, server netip.AddrPort, guessed bool) {
	switch s.Flags & (event.SYN | event.ACK) {
	case event.SYN:
		return s.Src, s.Dst, false
	case event.SYN | event.ACK:
		return s.Dst, s.Src, false
	}
	if s.Src.Port() < s.Dst.Port() || s.Src.Port() == s.Dst.Port() && s.Src.Compare(s.Dst) > 0 {
		return s.Dst, s.Src, true
	}
	return s.Src, s.Dst, true
}

// learn takes in what s tells of the initial sequence numbers.
func (c *conversation) learn(s *event.Segment) {
	e := c.from(s)
	switch s.Flags & (event.SYN | event.ACK | event.RST) {
	case event.SYN:
		c.set(e, s.Seq)
	case event.SYN | event.ACK:
		if e == server {
			c.set(server, s.Seq)
			c.set(client, s.Ack-1)
			if s.Seq != c.isn[server] && s.Ack-1 == c.isn[client] && c.known[server] {
				c.again = append(c.again, s.Seq)
			}
		}
	case event.ACK: // the handshake's last, where the server's packets did not pass here
		if e == client && c.known[client] && s.Seq == c.isn[client]+1 {
			c.set(server, s.Ack-1)
		}
	case event.RST | event.ACK: // refuses the SYN, and has no number of its own
	}
}

func (c *conversation) set(e int, isn seqnum.Value) {
	if !c.known[e] && !c.guessed {
		c.isn[e], c.known[e] = isn, true
	}
}
