package verdict

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/tcp"
)

// halfClose measures in h the time in which only one end had closed; nil when there was none.
func (fl judged) halfClose(h *analyze.HalfClose, ending analyze.Ending) *analyze.HalfClose {
	if !fl.HasCloser || fl.Simultaneous {
		return nil
	}
	a, b := &fl.Dir[fl.Closer], &fl.Dir[fl.Closer.Other()]
	if a.FinTime == 0 || b.FinEnd == 0 && ending == analyze.Graceful {
		return nil
	}
	until := fl.Last
	switch {
	case b.FinEnd != 0:
		until = b.FinTime
	case fl.Reset.Frame != 0:
		until = fl.Reset.Time
	}
	*h = analyze.HalfClose{By: fl.Closer.Side(), NS: max(0, int64(until.Sub(a.FinTime))), Bytes: b.BytesAtPeerFin}
	return h
}

// lost counts what a connection without a reset left undelivered, nil when nothing is known
// to be.
func (fl judged) lost() *analyze.Lost {
	e := tcp.Client
	unacked, missing := fl.lostBy(tcp.Client)
	if u, m := fl.lostBy(tcp.Server); u+m > unacked+missing {
		e, unacked, missing = tcp.Server, u, m
	}
	if unacked+missing == 0 {
		return nil
	}
	return &analyze.Lost{Unacked: unacked, Missing: missing, From: e.Side()}
}

// lostOwn counts what e, which sent the RST, had under way itself: an RST is the last word, and
// nothing is repeated after it. nil means nothing.
func (fl judged) lostOwn(e tcp.End) *analyze.Lost {
	if unacked, _ := fl.lostBy(e); unacked > 0 {
		return &analyze.Lost{Unacked: unacked, From: e.Side()}
	}
	return nil
}

// lostBy counts the bytes that e sent in vain, and those that were not captured.
func (fl judged) lostBy(e tcp.End) (unacked, missing uint64) {
	d, p := &fl.Dir[e], &fl.Dir[e.Other()]
	if !d.Sent {
		return 0, 0
	}
	end := d.Payload(d.Nxt)
	if d.Una < end && p.Packets > 0 {
		unacked = min(uint64(end-max(d.Una, 1)), d.Bytes)
	}
	missing = uint64(max(0, d.Holes))
	if d.Una > d.Nxt && d.AckStep > 1 {
		missing += uint64(d.Una - d.Nxt)
	}
	return unacked, missing
}
