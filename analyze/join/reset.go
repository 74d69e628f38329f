package join

import (
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// reset raises the reset's cause from what the wire suggests to what the calls and the
// kernel's counters say.
func (l *linker) reset(lc *linked) {
	r := lc.Reset
	if r == nil {
		return
	}
	s := lc.segment(r.Frame, len(lc.Segments)-1)
	if s == nil {
		return
	}
	wire := r.Cause
	if s.Root.Kind == analyze.RootCall {
		l.activeReset(lc, r, l.calls.get(s.Root.Call), s)
		if s.Root.Confidence == analyze.Inferred && r.Confidence == analyze.Observed {
			r.Confidence = analyze.Inferred
		}
	} else {
		l.passiveReset(lc, r, s)
	}
	if r.Cause != wire {
		lc.Candidates = slices.DeleteFunc(lc.Candidates, func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCause })
	}
}

// activeReset: the RST s left inside a call of its own side.
func (l *linker) activeReset(lc *linked, r *analyze.Reset, c *analyze.Call, s *analyze.Segment) {
	r.Call = c.ID
	f := analyze.ResetFacts{
		Disconnect: c.IsDisconnect(), Listener: isListening(c), Unread: uint64(max(c.RecvQ, 0)),
		LingerZero: lc.lingersZero(c) != nil, NoLinger2: lc.lingers2(c) != nil,
	}
	var came uint64
	if c.RecvQ < 0 || f.Cause() == analyze.Aborted { // what the kernel counts as unread leaves urgent data out
		came, f.Unread = lc.unreadBy(c, s)
	}
	switch cause := f.Cause(); {
	case cause == analyze.Disconnect:
		setCause(r, cause, sure(c), fmt.Sprintf("#%d connect(AF_UNSPEC) dissolved the connection", c.ID))
	case cause == analyze.ListenerClosed:
		setCause(r, cause, sure(c), fmt.Sprintf("#%d closed the listener before anyone accepted", c.ID))
		if sent := *lc.Bytes.Of(lc.Peer(r.By)); sent > r.Lost.Unacked {
			r.Lost.Unread, r.Lost.From = sent-r.Lost.Unacked, lc.Peer(r.By)
		}
	case cause == analyze.UnreadData && c.RecvQ > 0:
		setCause(r, cause, sure(c), fmt.Sprintf("#%d %s() left %d bytes unread", c.ID, c.Name, c.RecvQ))
		r.Lost.Unread, r.Lost.From = f.Unread, lc.Peer(r.By)
	case cause == analyze.UnreadData:
		setCause(r, cause, analyze.Inferred, fmt.Sprintf("the recorded calls had read %d of %d bytes when #%d %s() sent it", came-f.Unread, came, c.ID, c.Name))
		r.Lost.Unread, r.Lost.From = f.Unread, lc.Peer(r.By)
	case cause == analyze.LingerZero:
		setCause(r, cause, sure(c), fmt.Sprintf("#%d had set SO_LINGER to 0 seconds", lc.lingersZero(c).ID))
	case cause == analyze.Linger2:
		setCause(r, cause, sure(c), fmt.Sprintf("#%d had set TCP_LINGER2 below 0", lc.lingers2(c).ID))
	case c.RecvQ < 0:
		r.Why = append(r.Why, fmt.Sprintf("it left inside #%d %s()", c.ID, c.Name))
		return
	}
	l.confirm(r, c)
}

// passiveReset: the kernel answered a segment.
func (l *linker) passiveReset(lc *linked, r *analyze.Reset, s *analyze.Segment) {
	if s.Root.Frame != 0 {
		r.Trigger = s.Root.Frame
	}
	r.Call = s.Root.Call
	trigger := l.calls.get(r.Call)
	gaveUp := lc.lastCallOf(r.By, s, func(c *analyze.Call) bool { return c.Errno == "ETIMEDOUT" })
	if s.Root.Timer == "keepalive" {
		setCause(r, analyze.KeepaliveTimeout, analyze.Inferred, "it came from the keep-alive timer: no answer had reached its socket")
		if gaveUp != nil {
			l.confirm(r, gaveUp)
		}
		return
	}
	closing := lc.lastCallOf(r.By, s, func(c *analyze.Call) bool { return c.Kind() == event.CloseCall && len(c.Holders) == 0 })
	shut := lc.lastCallOf(r.By, s, func(c *analyze.Call) bool {
		return c.Kind() == event.ShutdownCall && c.Errno == "" && c.Args != "SHUT_WR"
	})
	if at := lc.inSynRecv(r.By, s); at != nil {
		setCause(r, analyze.AcceptQueueFull, analyze.Inferred,
			fmt.Sprintf("after #%d %s() the kernel still had the %s in SYN_RECV, though frame %d completes the handshake", at.ID, at.Name, r.By, r.Trigger))
		l.confirm(r, at)
		return
	}
	data := lc.segment(r.Trigger, len(lc.Segments)-1)
	gone := gaveUp != nil && gaveUp.End < s.Time
	if gone && data != nil && data.Flags.Has(event.FIN) { // it met nobody, so that end did not close first
		addWhy(r, gaveUpWords(r, gaveUp))
		lc.Candidates = slices.DeleteFunc(lc.Candidates, func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCloser })
	}
	if data == nil || data.Len == 0 {
		return
	}
	f := analyze.ResetFacts{Answers: true, Data: true, Closed: !gone && (closing != nil || shut != nil)}
	switch cause := f.Cause(); {
	case gone:
		setCause(r, cause, sure(gaveUp), gaveUpWords(r, gaveUp))
		return
	case closing != nil:
		setCause(r, cause, sure(closing), fmt.Sprintf("frame %d brought %d bytes after #%d %s()", data.Frame, data.Len, closing.ID, closing.Name))
	case shut != nil:
		setCause(r, cause, sure(shut), fmt.Sprintf("frame %d brought %d bytes after #%d shutdown(%s)", data.Frame, data.Len, shut.ID, shut.Args))
	default:
		return
	}
	if late := min(r.Lost.MayBe, uint64(data.Len)); r.Lost.AfterClose == 0 { // the FIN had not left
		r.Lost.AfterClose, r.Lost.MayBe = late, r.Lost.MayBe-late
	}
	if trigger != nil {
		l.confirm(r, trigger)
	}
}

func gaveUpWords(r *analyze.Reset, c *analyze.Call) string {
	return fmt.Sprintf("the %s's kernel had given the connection up: #%d %s() got ETIMEDOUT", r.By, c.ID, c.Name)
}

// unreadBy returns how many bytes had come when c sent rst, and how many of them its side's calls had not
// read. That is 0 where not all of them may be recorded: the socket's first call must be.
func (lc *linked) unreadBy(c *analyze.Call, rst *analyze.Segment) (came, unread uint64) {
	whole := false
	for _, k := range lc.calls {
		switch {
		case k.Side != c.Side:
		case k.Guessed:
			return 0, 0
		case k.Kind() == event.ConnectCall || k.Kind() == event.AcceptCall:
			whole = true
		}
	}
	if !whole {
		return 0, 0
	}
	came = lc.cameBy(c, rst)
	read, _ := lc.covered(c.Side, event.RecvCall)
	return came, came - min(came, read)
}

// cameBy returns how many bytes c's side had acknowledged when c began, or did with the RST that c sent.
func (lc *linked) cameBy(c *analyze.Call, rst *analyze.Segment) uint64 {
	came := max(0, rst.Ack-1)
	for _, s := range lc.Segments {
		if s.Time > c.Start {
			break
		}
		if s.From == c.Side && s.Ignored == "" {
			came = max(came, s.Ack-1)
		}
	}
	return min(uint64(came), *lc.Bytes.Of(lc.Peer(c.Side)))
}

// inSynRecv returns the call after which, at last before s, the kernel said that side was in SYN_RECV,
// though the other end had gone on after its SYN by then or does with what s answers: nil where it said
// otherwise.
func (lc *linked) inSynRecv(side analyze.Side, s *analyze.Segment) *analyze.Call {
	wentOn := slices.ContainsFunc(lc.Segments, func(k *analyze.Segment) bool {
		return k.From == side.Other() && k.Flags&(event.SYN|event.RST) == 0 && k.Ignored == ""
	})
	var last *sampleOf
	for i := range lc.samples {
		q := &lc.samples[i]
		if q.Time > s.Time {
			break
		}
		if q.side == side {
			last = q
		}
	}
	if !wentOn || last == nil || last.State != event.SynRecv {
		return nil
	}
	return last.call
}

// setCause replaces what the wire suggested. why is "" where nothing more is to be said.
func setCause(r *analyze.Reset, cause analyze.ResetCause, conf analyze.Confidence, why string) {
	r.Cause, r.Confidence = cause, conf
	addWhy(r, why)
}

// addWhy adds to the evidence what does not stand there yet. "" is nothing.
func addWhy(r *analyze.Reset, why string) {
	if why != "" && !slices.Contains(r.Why, why) {
		r.Why = append(r.Why, why)
	}
}

func (l *linker) confirm(r *analyze.Reset, c *analyze.Call) {
	name := analyze.CauseCode(r.Cause).Counter
	if name == "" || c.Counters[name] == 0 || c.Guessed {
		return
	}
	r.Confidence = analyze.InKernel
	r.Why = append(r.Why, fmt.Sprintf("the kernel counted %s +%d over #%d", name, c.Counters[name], c.ID))
}

// lingersZero returns the SO_LINGER 0 that still held when c closed the socket.
func (lc *linked) lingersZero(c *analyze.Call) *analyze.Call {
	set := lc.option(c, "SO_LINGER")
	if set == nil || !strings.Contains(strings.ReplaceAll(set.Args, " ", ""), "onoff=1,l_linger=0") &&
		!strings.Contains(set.Args, "on, 0 s") {
		return nil
	}
	return set
}

func (lc *linked) lingers2(c *analyze.Call) *analyze.Call {
	set := lc.option(c, "TCP_LINGER2")
	if set == nil || !strings.Contains(set.Args, "-") {
		return nil
	}
	return set
}

// option returns the last successful setsockopt of the named option by c's side before c.
func (lc *linked) option(c *analyze.Call, name string) *analyze.Call {
	var last *analyze.Call
	for _, k := range lc.calls {
		if k == c {
			break
		}
		if k.Side == c.Side && k.Name == "setsockopt" && k.Errno == "" && strings.Contains(k.Args, name) {
			last = k
		}
	}
	return last
}

// lastCallOf returns the last call of side that had begun before s and that ok accepts.
func (lc *linked) lastCallOf(side analyze.Side, s *analyze.Segment, ok func(*analyze.Call) bool) *analyze.Call {
	var last *analyze.Call
	for _, k := range lc.calls {
		if k.Side == side && k.Start <= s.Time && ok(k) {
			last = k
		}
	}
	return last
}
