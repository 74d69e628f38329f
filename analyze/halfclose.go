package analyze

// halfClose measures in h the time in which only one end had closed; nil when there was none.
func (fl judged) halfClose(h *HalfClose, ending Ending) *HalfClose {
	if !fl.hasCloser || fl.simul {
		return nil
	}
	a, b := &fl.half[fl.closer], &fl.half[fl.closer.other()]
	if a.finTime == 0 || b.finEnd == 0 && ending == Graceful {
		return nil
	}
	until := fl.last
	switch {
	case b.finEnd != 0:
		until = b.finTime
	case fl.rst.frame != 0:
		until = fl.rst.time
	}
	*h = HalfClose{By: fl.closer.side(), NS: max(0, int64(until.Sub(a.finTime))), Bytes: b.bytesAtPeerFin}
	return h
}

// lost counts what a connection without a reset left undelivered, nil when nothing is known
// to be.
func (fl judged) lost() *Lost {
	e := client
	unacked, missing := fl.lostBy(client)
	if u, m := fl.lostBy(server); u+m > unacked+missing {
		e, unacked, missing = server, u, m
	}
	if unacked+missing == 0 {
		return nil
	}
	return &Lost{Unacked: unacked, Missing: missing, From: e.side()}
}

// lostOwn counts what e, which sent the RST, had under way itself: an RST is the last word, and
// nothing is repeated after it. nil means nothing.
func (fl judged) lostOwn(e end) *Lost {
	if unacked, _ := fl.lostBy(e); unacked > 0 {
		return &Lost{Unacked: unacked, From: e.side()}
	}
	return nil
}

// lostBy counts the bytes that e sent in vain, and those that were not captured.
func (fl judged) lostBy(e end) (unacked, missing uint64) {
	h, p := &fl.half[e], &fl.half[e.other()]
	if !h.sent {
		return 0, 0
	}
	end := h.payload(h.nxt)
	if h.una < end && p.packets > 0 {
		unacked = min(uint64(end-max(h.una, 1)), h.bytes)
	}
	missing = uint64(max(0, h.holes))
	if h.una > h.nxt && h.ackStep > 1 {
		missing += uint64(h.una - h.nxt)
	}
	return unacked, missing
}
