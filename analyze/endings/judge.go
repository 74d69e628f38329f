package endings

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// verdict is a connection while it is judged.
type verdict struct {
	*Connection
	end  [2]*event.Endpoint // client, server; nil for one that was not seen
	free [2]*event.Release
	held [2]*event.Task
	pair *pair
}

// The indices of the sides.
const (
	client = 0
	server = 1
)

func sideOf(i int) analyze.Side {
	if i == server {
		return analyze.Server
	}
	return analyze.Client
}

// connection judges p.
func (p *pair) connection() *Connection {
	v := &verdict{Connection: &Connection{}, pair: p}
	v.Segments, v.Warnings = []*analyze.Segment{}, []string{}
	v.States = analyze.States{Client: []analyze.StateChange{}, Server: []analyze.StateChange{}}
	v.seat()
	for i, e := range v.end {
		if e != nil {
			v.describe(i, e)
		}
	}
	v.decide()
	v.leaveUnread()
	v.queuedFin()
	v.waits()
	return v.Connection
}

// seat finds out who is the client, and gives every end its side.
func (v *verdict) seat() {
	a, b := v.pair.ends[0], v.pair.ends[1]
	free, held := v.pair.free, v.pair.held
	if a == nil {
		r := v.pair.resets[0]
		v.Client, v.Server, v.Netns, v.Stray = r.Remote, r.Local, r.Netns, true
		v.Start, v.End = r.Time, v.pair.last
		if v.Guessed = !isRefusal(r); v.Guessed && v.Client.Port() < v.Server.Port() {
			v.Client, v.Server = v.Server, v.Client
		}
		return
	}
	swap := a.Accepted || b != nil && b.Connected
	if !a.Connected && !a.Accepted && (b == nil || !b.Connected && !b.Accepted) {
		swap = a.Local.Port() < a.Remote.Port() // older than the watching: servers have the low ports
		v.Guessed = true
	}
	if swap {
		a, b = b, a
		free[0], free[1], held[0], held[1] = free[1], free[0], held[1], held[0]
	}
	v.end, v.free, v.held = [2]*event.Endpoint{a, b}, free, held
	v.Seen = SeenEnds{Client: a != nil, Server: b != nil}
	if a != nil {
		v.Client, v.Server, v.Netns = a.Local, a.Remote, a.Netns
	} else {
		v.Client, v.Server, v.Netns = b.Remote, b.Local, b.Netns
	}
	v.Connection.End = v.pair.last
}

// describe takes over what an end says of itself and of its peer.
func (v *verdict) describe(i int, e *event.Endpoint) {
	s := sideOf(i)
	if at := e.Start(); at != 0 && (v.Start == 0 || at < v.Start) {
		v.Start = at
	}
	sent, got := v.Bytes.Of(s), v.Bytes.Of(s.Other())
	*sent, *got = max(*sent, e.Sent), max(*got, e.Received)
	*v.Retransmits.Of(s) = uint64(e.Retransmits)
	*v.States.Of(s) = states(e)
	t := user(e, v.free[i], v.held[i])
	if i == client {
		v.Tasks.Client = t
	} else {
		v.Tasks.Server = t
	}
}

func (v *verdict) because(format string, args ...any) {
	v.Why = append(v.Why, fmt.Sprintf(format, args...))
}

// decide finds the ending. An RST that a live socket obeyed comes first, then a timer's giving up,
// then the FINs.
func (v *verdict) decide() {
	v.Confidence = analyze.InKernel
	v.firstFin()
	r, by := v.decisiveReset()
	i := v.firstHit()
	if r != nil && (i < 0 || !v.wasHitBefore(r, by)) {
		v.endedByReset(r, by)
		return
	}
	if i >= 0 {
		v.endedByUnseenReset(i, v.end[i])
		return
	}
	for i, e := range v.end {
		if e != nil && e.Errno != "" && e.ResetIn == 0 {
			v.gaveUp(i, e)
			return
		}
	}
	v.endedByFins()
}

// decisiveReset returns the RST that ended a live end, and who sent it: the first of a socket of
// this connection, else the first of a kernel without one. A socket's RST is told only when what
// it drew has been told already, so the times alone would mislead.
func (v *verdict) decisiveReset() (*event.KernelReset, int) {
	var first *event.KernelReset
	by := 0
	for _, r := range v.pair.resets {
		i := v.sender(r)
		if bareFin(r) || !v.counts(r, i) {
			continue
		}
		if first == nil || v.own(r) && !v.own(first) || v.own(r) == v.own(first) && r.Time < first.Time {
			first, by = r, i
		}
	}
	return first, by
}

// wasHitBefore reports whether side by, whose kernel answered with r for a socket that was gone, had lost that to
// an RST which the other end had not sent by then.
func (v *verdict) wasHitBefore(r *event.KernelReset, by int) bool {
	e := v.end[by]
	if e == nil || e.ResetIn == 0 || e.ResetIn > r.Time || v.own(r) || sentFin(e) {
		return false
	}
	return !slices.ContainsFunc(v.pair.resets, func(o *event.KernelReset) bool { return v.sender(o) != by && o.Time <= e.ResetIn })
}

// own reports whether the socket of one of the ends sent r.
func (v *verdict) own(r *event.KernelReset) bool {
	e := v.end[v.sender(r)]
	return e != nil && r.Socket != 0 && r.Socket == e.Socket
}

func (v *verdict) sender(r *event.KernelReset) int {
	if r.Local == v.Client && r.Remote == v.Server {
		return client
	}
	return server
}

// counts reports whether an RST of side i changed anything: its receiver obeyed it, or where that
// is not seen, its sender was not done with the connection. An orphan that waits for a FIN without a socket
// (FIN_WAIT2 in a timewait) obeys, too, and no event tells of it; nor need one where no program could run.
func (v *verdict) counts(r *event.KernelReset, i int) bool {
	if receiver := v.end[1-i]; receiver != nil {
		return receiver.ResetIn != 0 || v.own(r) && (handedOver(receiver) && !receiver.FinIn || untold(receiver))
	}
	switch {
	case r.Socket != 0 || v.Stray:
		return true
	case r.State == event.TimeWait:
		return r.Substate == event.FinWait2 && r.Offender != nil && r.Offender.Len > 0
	}
	return v.end[i] != nil && handedOver(v.end[i]) && !v.end[i].FinIn && drawsByData(r)
}

func drawsByData(r *event.KernelReset) bool { return r.Offender != nil && r.Offender.Len > 0 }

// firstHit returns the end that received an RST first, -1 where none did but in answer to its own FIN. One that
// had closed comes last: the kernel resets it with the RST that it answers with (tcp_rcv_state_process), as if
// one had come.
func (v *verdict) firstHit() int {
	first := -1
	for i, e := range v.end {
		if e == nil || e.ResetIn == 0 || v.finAnswered(i) {
			continue
		}
		if f := first; f < 0 || sentFin(v.end[f]) && !sentFin(e) || sentFin(v.end[f]) == sentFin(e) && e.ResetIn < v.end[f].ResetIn {
			first = i
		}
	}
	return first
}

// finAnswered reports whether side i's FIN came to where no socket was any more, and was answered by RST.
func (v *verdict) finAnswered(i int) bool {
	return slices.ContainsFunc(v.pair.resets, func(r *event.KernelReset) bool { return bareFin(r) && v.sender(r) != i })
}

// hitByBareFin reports whether the only RSTs answered a FIN.
func (v *verdict) hitByBareFin() bool {
	for _, r := range v.pair.resets {
		if !bareFin(r) {
			return false
		}
	}
	return len(v.pair.resets) > 0
}

// firstFin sets who closed first, and with which call.
func (v *verdict) firstFin() {
	c, s := v.end[client], v.end[server]
	switch {
	case c != nil && s != nil && finAt(c) != 0 && finAt(s) != 0 && finLeft(c) && finLeft(s):
		switch {
		case entered(c, event.FinWait1) != 0 && entered(s, event.FinWait1) != 0:
			v.Closer, v.Simultaneous = analyze.Both, true
		case finAt(c) <= finAt(s):
			v.Closer = analyze.Client
		default:
			v.Closer = analyze.Server
		}
	case c != nil && finLeft(c) && !c.FinIn, s != nil && s.FinIn && !finLeft(s):
		v.Closer = analyze.Client
	case s != nil && finLeft(s) && !s.FinIn, c != nil && c.FinIn && !finLeft(c):
		v.Closer = analyze.Server
	default:
		for i, e := range v.end {
			if e == nil || !finLeft(e) {
				continue
			}
			own, both := firstSent(e)
			v.Closer = sideOf(i)
			if both && e.Local != e.Remote { // else its peer is itself
				v.Closer, v.Simultaneous = analyze.Both, true
			} else if !own && !both {
				v.Closer = v.Closer.Other()
			}
		}
	}
	for i, e := range v.end {
		if e == nil || v.Closer != sideOf(i) && (v.Closer != analyze.Both || v.Tasks.Closer != nil) {
			continue
		}
		if t, _ := FinBy(e); t != nil {
			v.Tasks.Closer, v.Tasks.By = t, sideOf(i)
		}
	}
	if v.Simultaneous {
		v.because("each end sent its FIN before it had the other's")
	}
}

// gaveUp: a timer or the network ended it, without a word to the peer.
func (v *verdict) gaveUp(i int, e *event.Endpoint) {
	s := sideOf(i)
	switch e.Last() {
	case event.SynSent:
		v.Ending = analyze.Unanswered
		if e.Errno == "ETIMEDOUT" {
			v.because("the %s's SYN, sent %d times, led to ETIMEDOUT", s, e.Retransmits+1)
			v.heardICMP(e)
		} else { // tcp_v4_err; of an RST its receiver tells
			v.because("no TCP segment answered the %s's SYN: %s, as of a firewall or a router, led to %s", s, icmpName(e), e.Errno)
		}
	case event.FinWait1, event.Closing, event.LastAck:
		if !finLeft(e) {
			v.Ending = analyze.Silent
			v.because("the %s had closed, and its FIN waited behind %s: %s", s, analyze.Count(uint64(e.Unsent), "byte"), e.Errno)
			break
		}
		v.Ending = analyze.FinUnacked
		v.because("the %s's FIN was never acknowledged: %s after %d retransmissions", s, e.Errno, e.Retransmits)
	default:
		v.Ending = analyze.Silent
		v.because("the %s gave up without a word: %s after %d retransmissions", s, e.Errno, e.Retransmits)
	}
	v.lose(i)
}

// lose counts what side i had sent in vain.
func (v *verdict) lose(i int) {
	if e := v.end[i]; e != nil && v.unacked(i)+uint64(e.Unsent) > 0 {
		l := v.LossOf(sideOf(i))
		l.Unacked, l.Discarded = v.unacked(i), uint64(e.Unsent)
	}
}

// leaveUnread counts what an application had not read when it let its socket go, beside what its RST cost.
func (v *verdict) leaveUnread() {
	for i, e := range v.end {
		from := sideOf(1 - i)
		if e == nil || v.Reset != nil && v.Reset.Lost.From == from {
			continue
		}
		if n := e.NeverRead(v.free[i]); n > 0 {
			v.LossOf(from).Unread += n
		}
	}
}

// unacked returns how many bytes side i sent that were not acknowledged to it, less those that the
// other end says it received: then only the ACK was lost.
func (v *verdict) unacked(i int) uint64 {
	e, peer := v.end[i], v.end[1-i]
	n := uint64(e.Unacked)
	if peer != nil && peer.Born {
		n = min(n, e.Sent-min(e.Sent, peer.Received))
	}
	return n
}

func (v *verdict) endedByFins() {
	var fin [2]bool
	for i, e := range v.end {
		if e == nil {
			continue
		}
		fin[i] = fin[i] || sentFin(e)
		fin[1-i] = fin[1-i] || e.FinIn
		if e.Last() == event.SynSent {
			v.Ending, v.Closer = analyze.Unanswered, sideOf(i)
			v.because("the %s closed its socket before its SYN was answered", sideOf(i))
			v.heardICMP(e)
			v.Tasks.Closer, v.Tasks.By = owner(e.End), sideOf(i)
			return
		}
	}
	switch {
	case v.hitByBareFin() && v.Stray:
		v.Ending, v.Closer, v.Confidence = analyze.UnknownEnding, analyze.NoSide, analyze.Unknown
		v.because("a FIN of %v met no socket and was answered by RST; how the connection had ended is not known", v.pair.resets[0].Remote)
	case v.hitByBareFin():
		v.Ending = analyze.HalfClosed
		v.because("the %s's FIN came when the kernel of the %s had given up waiting for it, and was answered by RST", v.Closer.Other(), v.Closer)
	case fin[client] && fin[server]:
		v.Ending = analyze.Graceful
		v.because("both ends sent FIN")
	case !fin[client] && !fin[server]:
		v.Ending, v.Closer, v.Confidence = analyze.UnknownEnding, analyze.NoSide, analyze.Unknown
		v.because("the socket is gone, without FIN, RST or error")
	case v.pair.twin == event.TimeWait:
		v.Ending = analyze.Graceful
		v.because("the kernel has the %s in TIME_WAIT, so the %s's FIN came", v.Closer, v.Closer.Other())
	case v.Seen.Client && v.Seen.Server, v.pair.twin != event.StateUnknown:
		v.Ending = analyze.HalfClosed
		v.because("the %s sent FIN, the %s has not", v.Closer, v.Closer.Other())
	default:
		v.Ending, v.Confidence = analyze.UnknownEnding, analyze.Unknown
		v.because("the %s sent FIN and keeps no socket; whether the %s's came no tracepoint tells", v.Closer, v.Closer.Other())
	}
}

// waits says which ends went into TIME_WAIT.
func (v *verdict) waits() {
	if v.Ending != analyze.Graceful {
		return
	}
	for i, e := range v.end {
		if e == nil || !handedOver(e) {
			continue
		}
		since := e.Stop()
		if peer := v.end[1-i]; !e.FinIn && peer != nil {
			since = finAt(peer) // it reached the end that the kernel keeps without a socket
		}
		w := analyze.TimeWait{Holder: sideOf(i), Since: since, Until: since.Add(analyze.LinuxTimeWait), Confidence: analyze.InKernel, Rearmed: []uint64{}}
		v.TimeWait = append(v.TimeWait, w)
		if changes := *v.States.Of(sideOf(i)); len(changes) > 0 && !e.FinIn {
			last := &changes[len(changes)-1]
			last.State, last.Time = event.TimeWait, since
		}
	}
}

// owner returns t where it was a process in a call on the socket.
func owner(t *event.Task) *event.Task {
	if !t.Does() {
		return nil
	}
	return t
}
