package verdict

import (
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/tcp"
)

// alert13 is the size of a TLS 1.3 record with an alert in it: it looks like data (RFC 8446 5.2), and answers a
// close.
const alert13 = 24

// goodbyeTime is how long before its FIN an end may say that it closes.
const goodbyeTime = 10 * time.Millisecond

// idleClose tells in c of a request that met the close of an idle connection, nil where there was none: the server
// had spoken last and closed after a pause, and an RST of its kernel answered what the client sent then. Where
// packets are missing, the pause may have been none. A client that closes is one that gave up.
func (fl judged) idleClose(c *analyze.IdleClose, r *analyze.Reset) *analyze.IdleClose {
	p := &fl.Pause
	if r == nil || r.Cause != analyze.DataAfterClose || fl.Closer != tcp.Server || r.By != analyze.Server ||
		p.Before != tcp.Server || p.Alert || p.Len == alert13 {
		return nil
	}
	d, o := &fl.Dir[p.Before], &fl.Dir[p.After]
	if d.Holes > 0 || o.Holes > 0 || o.Bytes <= uint64(p.Len) {
		return nil
	}
	since := p.From
	if p.Goodbye != 0 && d.FinTime.Sub(p.Goodbye) > max(goodbyeTime, fewRoundTrips*fl.RoundTrip()) {
		since = p.Goodbye
	}
	frame, at := p.Frame, p.To
	met := fl.listed(r.Trigger)
	if met.Repeats == p.Frame {
		frame, at = met.Frame, met.Time
	}
	margin := at.Sub(d.FinTime)
	*c = analyze.IdleClose{By: r.By, Fin: d.FinFrame, Request: frame, MarginNS: int64(margin), Crossed: true}
	if margin >= 0 {
		c.Crossed = fl.listed(frame).Ack < d.FinEnd
	} else if r.Trigger != frame {
		return nil // the request had arrived before the close
	}
	idle := d.FinTime.Sub(since)
	if trip := fl.RoundTrip(); idle <= max(shortestIdle, fewRoundTrips*trip) || trip == 0 && !fl.OnSenderHost() && idle < patience {
		return nil
	}
	*c.IdleNS.Of(p.Before.Side()), *c.IdleNS.Of(p.After.Side()) = uint64(idle), uint64(at.Sub(since))
	return c
}

// shortestIdle is up to what time an end only takes a breath before it closes.
const shortestIdle = time.Millisecond

// listed returns a listed segment, the zero one where it is not listed.
func (fl judged) listed(frame uint64) tcp.Listed {
	for i := range fl.Listed {
		if fl.Listed[i].Frame == frame {
			return fl.Listed[i]
		}
	}
	return tcp.Listed{}
}
