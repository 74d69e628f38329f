package report

import (
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// A server that stops or is restarted closes all its connections in one moment, whenever they were opened.
const (
	burstGap    = 5 * time.Millisecond   // between one close and the next, at most
	burstLength = 100 * time.Millisecond // of all of them, at most
	burstLeast  = 5                      // connections
	burstSpread = 10                     // how many times longer it took to open than to close them, at least
	goesOn      = 4                      // one of so many may go on after it
)

// burst are connections that a server closed in one moment.
type burst struct {
	first, last event.Time // close
	born, aged  event.Time // the first and the last of them was opened
	n           uint64
	others      uint64 // that went on
	example     int
}

// bursts are the last few moments of a server in which it closed connections, which come in about that order, and
// the one in which it closed most.
type bursts struct {
	last [4]burst
	most burst
}

func (b *bursts) add(c *analyze.Connection) {
	over := c.FirstEnd()
	if c.Closer == analyze.Server && over != 0 {
		b.close(c, over)
		return
	}
	b.outlive(c, over)
}

// close counts a connection that the server closed.
func (b *bursts) close(c *analyze.Connection, over event.Time) {
	least, counted := 0, false
	for i := range b.last {
		x := &b.last[i]
		if x.n > 0 && over >= x.first.Add(-burstGap) && over <= x.last.Add(burstGap) {
			x.take(c, over)
			counted = true
			break
		}
		if x.n < b.last[least].n || x.n == b.last[least].n && x.last < b.last[least].last {
			least = i
		}
	}
	b.outlive(c, over)
	if counted {
		return
	}
	b.keep(&b.last[least])
	b.last[least] = burst{first: over, last: over, born: c.Start, aged: c.Start, n: 1, example: c.ID}
}

func (x *burst) take(c *analyze.Connection, over event.Time) {
	x.first, x.last = min(x.first, over), max(x.last, over)
	x.born, x.aged = min(x.born, c.Start), max(x.aged, c.Start)
	x.n++
}

// outlive counts a connection that was open in a moment, and after it.
func (b *bursts) outlive(c *analyze.Connection, over event.Time) {
	if over == 0 {
		over = c.End
	}
	count := func(x *burst) {
		if x.n > 0 && c.Start < x.first && over > x.last.Add(burstGap) {
			x.others++
		}
	}
	count(&b.most)
	for i := range b.last {
		count(&b.last[i])
	}
}

func (b *bursts) keep(x *burst) {
	if x.all() && x.n > b.most.n {
		b.most = *x
	}
}

// all reports whether all connections, or nearly, were closed in that moment, whenever they were opened.
func (x *burst) all() bool {
	took := x.last.Sub(x.first)
	return x.n >= burstLeast && took <= burstLength && x.aged.Sub(x.born) >= max(burstSpread*took, burstLength) && x.others*goesOn <= x.n
}

// atOnce lists the servers that closed all their connections, or nearly, in one moment.
func (s *summary) atOnce() (list []analyze.Finding) {
	for _, e := range s.servers {
		b := e.bursts
		for i := range b.last {
			b.keep(&b.last[i])
		}
		if x := &b.most; x.n > 0 && x.all() {
			list = append(list, analyze.Finding{Kind: analyze.FoundAtOnce, Server: e.address, By: analyze.Server, Confidence: analyze.Inferred,
				Connections: x.n, Others: x.others, Example: x.example, From: x.first, To: x.last, NS: int64(x.last.Sub(x.first))})
		}
	}
	return list
}
