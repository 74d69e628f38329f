package join

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// discards counts what successful send calls of each side had taken and its kernel threw away unsent
// when the connection was gone: what ss shows as Send-Q beyond what is unacknowledged (SIOCOUTQNSD).
func (lc *linked) discards() {
	switch lc.Ending {
	case analyze.WasReset, analyze.Silent, analyze.FinUnacked:
	default:
		return // it may still be sent
	}
	if lc.Guessed {
		return
	}
	for _, side := range []analyze.Side{analyze.Client, analyze.Server} {
		taken, sent := lc.taken(side), *lc.Bytes.Of(side)
		if taken <= sent {
			continue
		}
		if r := lc.Reset; r != nil && r.By != side {
			r.Lost.From, r.Lost.Discarded = side, taken-sent
			continue
		}
		lc.LossOf(side).Discarded = taken - sent
	}
}

// taken returns how many bytes the send calls of side took. Where one of them is in doubt it
// returns 0: a join by time or descriptor may have given it another connection's.
func (lc *linked) taken(side analyze.Side) uint64 {
	n, guessed := lc.covered(side, event.SendCall)
	if guessed {
		return 0
	}
	return n
}
