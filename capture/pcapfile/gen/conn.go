package gen

import (
	"cmp"
	"strings"
)

// Endings is how many ways to end there are.
const Endings = len(endings)

// endings are scripts of what follows a connection's data, one byte a packet: upper case is
// the client's, lower case the server's. S is SYN, D data, A an ACK, F FIN, R the RST of a
// live socket, N the RST of no socket, T repeats the last FIN.
var endings = [...]struct {
	weight int
	script string
}{
	{40, "FafA"},    // the client closes first
	{30, "fAFa"},    // the server does
	{6, "FadadafA"}, // half-close: the server goes on sending
	{4, "FfAa"},     // both at once
	{4, "FTafA"},    // the first FIN is lost
	{4, "R"},        // SO_LINGER 0, or unread data
	{4, "r"},
	{3, "FadN"}, // data after close
	{2, "Fa"},   // CLOSE_WAIT for ever
	{1, ""},     // the capture ends first
}

// firstStaying is from where on the endings leave the connection open.
const firstStaying = len(endings) - 2

// Connections that never are established.
const (
	refused    = "Sx"
	unanswered = "SSS"
)

type conn struct {
	id     uint32
	script string // packets still to send
	seq    [2]uint32
	fin    [2]uint32 // sequence number of the FIN sent, for its repetition
	v6     bool
	stays  bool // open when its script is over
}

func (g *generator) open() conn {
	g.left--
	id := uint32(g.made.Connections)
	g.made.Connections++
	c := conn{
		id: id, v6: id%8 == 7,
		seq: [2]uint32{g.rand.Uint32(), g.rand.Uint32()},
	}
	switch n := g.rand.IntN(100); {
	case n == 0:
		c.script = refused
		return c
	case n == 1 && g.mayStay > 0:
		g.mayStay--
		c.script, c.stays = unanswered, true
		return c
	}
	var b strings.Builder
	b.WriteString("SsA")
	for range cmp.Or(g.requests, 1+g.rand.IntN(3)) { // a request, its answer in some segments
		b.WriteString("Da")
		for range 1 + g.rand.IntN(2) {
			b.WriteString("dA")
		}
	}
	i := g.ending()
	for i >= firstStaying && g.mayStay == 0 {
		i = g.ending()
	}
	if i >= firstStaying {
		g.mayStay--
		c.stays = true
	}
	g.made.Endings[i]++
	b.WriteString(endings[i].script)
	c.script = b.String()
	return c
}

// ending chooses one by its weight.
func (g *generator) ending() int {
	n := g.rand.IntN(98)
	for i, e := range endings {
		if n -= e.weight; n < 0 {
			return i
		}
	}
	panic("gen: the weights are not 98")
}
