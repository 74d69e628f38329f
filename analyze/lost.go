package analyze

import "iter"

// LostBytes adds up what each end sent in vain, by kind: the bytes that a reset cost, and
// those of the end that reset or of a connection without one. From is empty.
func (c *Connection) LostBytes() Lost {
	var all Lost
	for l := range c.Losses() {
		all.Unacked += l.Unacked
		all.Unread += l.Unread
		all.AfterClose += l.AfterClose
		all.Discarded += l.Discarded
		all.TLSAlerts += l.TLSAlerts
		all.Closing += l.Closing
		all.MayBe += l.MayBe
		all.Missing += l.Missing
	}
	return all
}

// Losses yields what the RST cost, where there was one, and then what was lost besides.
func (c *Connection) Losses() iter.Seq[*Lost] {
	return func(yield func(*Lost) bool) {
		if c.Reset != nil && !yield(&c.Reset.Lost) {
			return
		}
		if c.Lost != nil && !yield(c.Lost) {
			return
		}
		if c.AlsoLost != nil {
			yield(c.AlsoLost)
		}
	}
}

// LossOf returns the account of what an end sent in vain, an empty one of c where there was none.
func (c *Connection) LossOf(from Side) *Lost {
	for l := range c.Losses() {
		if l.From == from {
			return l
		}
	}
	l := &Lost{From: from}
	if c.Lost == nil {
		c.Lost = l
	} else {
		c.AlsoLost = l
	}
	return l
}

// Sum is how many bytes of data reached no application. What is missing from the capture is not lost, and
// messages that only close, as TLS alerts, are no data.
func (l Lost) Sum() uint64 {
	closing := max(l.TLSAlerts, l.Closing)
	return max(l.Unacked+l.Unread+l.AfterClose+l.Discarded, closing) - closing
}
