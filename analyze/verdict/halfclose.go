package verdict

import (
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/tcp"
)

// halfClose measures in h the time in which only one end had closed; nil when there was none, or when
// it is not known which end closed first.
func (fl judged) halfClose(h *analyze.HalfClose, v *verdict) *analyze.HalfClose {
	if v.closer == analyze.NoSide || v.closer == analyze.Both || v.ending == analyze.WasRefused || fl.IsToItself() {
		return nil
	}
	a, b := &fl.Dir[v.first], &fl.Dir[v.first.Other()]
	if a.FinTime == 0 {
		return nil
	}
	from, until := a.FinTime, fl.Last
	switch {
	case fl.endsByDataFin(v):
		from, until = a.DataFinTime, b.DataFinTime
	case b.FinEnd != 0:
		until = b.FinTime
	case fl.Reset.Frame != 0:
		until = fl.Reset.Time
	}
	*h = analyze.HalfClose{By: v.closer, NS: max(0, int64(until.Sub(from))), Bytes: b.BytesAtPeerFin}
	return h
}

// stall tells in s of the longest time in which an end announced window 0; nil where none did.
func (fl judged) stall(s *analyze.Stall) *analyze.Stall {
	*s = analyze.Stall{}
	for e := range fl.Dir {
		since, until := fl.Stalled(tcp.End(e))
		if since == 0 {
			continue
		}
		ended := until != 0
		if !ended {
			until = fl.Last
		}
		if lasted := until.Sub(since); lasted > time.Duration(s.NS) {
			*s = analyze.Stall{By: tcp.End(e).Side(), Since: since, NS: int64(lasted), Ended: ended}
		}
	}
	if s.By == analyze.NoSide {
		return nil
	}
	return s
}
