package tcp

// IsWhole reports whether fl's own numbers leave no room for a packet that the capture lacks: the
// handshake, every byte and the end of both ends are there, and nothing acknowledges more.
func (fl *Flow) IsWhole() bool {
	c, s := &fl.Dir[Client], &fl.Dir[Server]
	rst := &fl.Reset
	if fl.IsToItself() {
		return fl.Handshake && c.isWhole() && (c.FinAckFrame != 0 || rst.Class == LiveReset && rst.Acks && rst.Ack == c.Nxt)
	}
	if rst.Refused {
		return c.SynSent && c.isWhole()
	}
	if !fl.Handshake || !c.SynSent || !s.SynSent || !c.isWhole() || !s.isWhole() {
		return false
	}
	if rst.Frame != 0 {
		return rst.Class == LiveReset && rst.Acks && rst.Ack == fl.Dir[rst.By.Other()].Nxt && !rst.Presumed && rst.Talks == 0
	}
	return c.FinAckFrame != 0 && s.FinAckFrame != 0
}

// isWhole reports whether all that d's sequence numbers tell of was captured.
func (d *Direction) isWhole() bool {
	return d.Holes == 0 && max(d.Una, d.Reach) <= d.Nxt && !d.PastFin && !d.FinTwice && !d.AtFin.Late
}
