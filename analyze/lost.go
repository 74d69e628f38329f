package analyze

// LostBytes adds up what each end sent in vain, by kind: the bytes that a reset cost, and
// those of the end that reset or of a connection without one. From is empty.
func (c *Connection) LostBytes() Lost {
	var all Lost
	if c.Lost != nil {
		all = *c.Lost
	}
	if c.Reset != nil {
		r := &c.Reset.Lost
		all.Unacked += r.Unacked
		all.Unread += r.Unread
		all.AfterClose += r.AfterClose
		all.Discarded += r.Discarded
		all.MayBe += r.MayBe
		all.Missing += r.Missing
	}
	all.From = NoSide
	return all
}

// Sum is how many bytes reached no application. What is missing from the capture is not lost.
func (l Lost) Sum() uint64 { return l.Unacked + l.Unread + l.AfterClose + l.Discarded }
