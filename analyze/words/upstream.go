package words

import (
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// maxFailed bounds of how many connections that were not opened it is asked for whom they were.
const maxFailed = 256

// tieFailed ties a connection that was refused, or not answered, to the one whose request waited then at its client's
// address and got a gateway's error after that: where nothing else can have waited there.
func (l *Legs) tieFailed(all []*analyze.Connection) {
	legs := map[*analyze.Connection]*leg{}
	for _, x := range l.all {
		legs[x.c] = x
	}
	for _, f := range l.failed {
		back := f.c
		end := back.FirstEnd()
		if back.Ending == analyze.Unanswered {
			end = back.End
		}
		var front *leg
		waiting := 0
		for _, c := range all {
			x := legs[c]
			there := c.Server.Addr() == back.Client.Addr() || f.here && c != back && (x == nil || x.here[Server])
			if !there || c.Start > end || c.End < back.Start {
				continue
			}
			if x == nil || !x.answeredBy(back.Start) {
				front, waiting = x, waiting+1
			}
		}
		if waiting != 1 || front == nil || front.c.Relay != nil && front.c.Relay.Same != analyze.NothingBack || sameHost(front, &leg{c: back}) ||
			!analyze.IsGatewayError(front.status) || front.asked > back.Start || front.answered < end {
			continue
		}
		front.c.Relay = &analyze.Relay{Leg: back.ID, Side: analyze.Server, Same: analyze.NothingBack, Confidence: analyze.Inferred}
		back.Relay = &analyze.Relay{Leg: front.c.ID, Side: analyze.Client, Same: analyze.NothingBack, Confidence: analyze.Inferred}
	}
}

// TieTold ties those connections of res of which calls do not show whether a gateway's error was sent: what was said does.
func (l *Legs) TieTold(res *analyze.Result) {
	if len(res.MayRelay) == 0 {
		return
	}
	byID, fronts := map[int]*analyze.Connection{}, map[int]*leg{}
	for _, c := range res.Connections {
		byID[c.ID] = c
	}
	for _, x := range l.all {
		fronts[x.c.ID] = x
	}
	for i := range res.MayRelay {
		m := &res.MayRelay[i]
		x, back := fronts[m.Front], byID[m.Back]
		if x == nil || back == nil || back.Relay != nil || x.c.Relay != nil && x.c.Relay.Same != analyze.NothingBack ||
			!analyze.IsGatewayError(x.status) || !slices.Contains(m.Frames, x.answer) {
			continue
		}
		x.c.Relay, back.Relay = &m.Relays[0], &m.Relays[1]
	}
}

// answeredBy reports whether the last request had come and been answered by then.
func (x *leg) answeredBy(then event.Time) bool { return x.answered != 0 && x.answered <= then }
