package endings

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// endedByReset: side by sent r.
func (v *verdict) endedByReset(r *event.KernelReset, by int) {
	v.Ending = analyze.WasReset
	if v.Closer == analyze.NoSide || v.abortedBefore(r, by) {
		v.Closer = sideOf(by)
	}
	k := &analyze.Reset{By: sideOf(by), Confidence: analyze.InKernel}
	v.Reset = k
	k.Cause, k.Confidence = Cause(r, v.end[by])
	if why := Explanation(k.Cause, r, v.end[by], k.By); why != "" {
		k.Why = append(k.Why, why)
	}
	switch {
	case k.Cause == analyze.ConnRefused:
		v.Ending, v.Closer = analyze.WasRefused, sideOf(by)
	case v.Stray:
		v.Closer = analyze.NoSide // its socket was gone before
	}
	if t := ResetBy(r, v.end[by]); t != nil {
		v.Tasks.Closer, v.Tasks.By = t, k.By
	}
	k.Lost = v.lostTo(by, r, k.Cause)
	v.lose(by)
	v.because("the %s sent RST", k.By)
}

// abortedBefore reports whether side by had aborted with r before the other end sent its FIN.
func (v *verdict) abortedBefore(r *event.KernelReset, by int) bool {
	e, peer := v.end[by], v.end[1-by]
	return e != nil && peer != nil && r.Offender == nil && v.own(r) && !sentFin(e) && !e.FinIn && finAt(peer) > r.Time
}

// lostTo counts what the peer of the RST's sender had sent in vain.
func (v *verdict) lostTo(by int, r *event.KernelReset, cause analyze.ResetCause) analyze.Lost {
	l := analyze.Lost{From: sideOf(1 - by)}
	if e := v.end[by]; e != nil && v.own(r) { // else it may still be read
		l.Unread = uint64(e.Unread)
	}
	if e := v.end[1-by]; e != nil {
		l.Unacked, l.Discarded = v.unacked(1-by), uint64(e.Unsent)
	}
	if cause == analyze.DataAfterClose && r.Offender != nil {
		l.AfterClose = uint64(r.Offender.Len)
		l.Unacked -= min(l.AfterClose, l.Unacked)
	}
	return l
}

// Cause tells why r was sent, by the kernel's reason and what was going on. e is the end that sent it, nil where
// that is not known.
func Cause(r *event.KernelReset, e *event.Endpoint) (analyze.ResetCause, analyze.Confidence) {
	if r.Reason == "INVALID_SYN" && r.Offender != nil && !r.Offender.Flags.Has(event.SYN) { // tcp_check_req, tcp_abort_on_overflow
		return analyze.AcceptQueueFull, analyze.InKernel
	}
	if r.State == event.Listen && !isRefusal(r) { // it answers for a connection that is no more
		return analyze.NoSocket, analyze.InKernel
	}
	f := facts(r, e)
	if f.SYN {
		return f.Cause(), analyze.InKernel
	}
	switch r.Reason {
	case "TCP_ABORT_ON_CLOSE": // MPTCP says so of SO_LINGER 0, too (__mptcp_close)
		if f.LingerZero && f.Unread == 0 {
			return analyze.LingerZero, analyze.InKernel
		}
		return analyze.UnreadData, analyze.InKernel
	case "TCP_ABORT_ON_DATA":
		return analyze.DataAfterClose, analyze.InKernel
	case "TCP_ABORT_ON_LINGER":
		return analyze.Linger2, analyze.InKernel
	case "TCP_KEEPALIVE_TIMEOUT":
		return analyze.KeepaliveTimeout, analyze.InKernel
	case "TCP_STATE", "TCP_DISCONNECT_WITH_DATA":
		f.Answers, f.Data, f.Unread = false, false, 0 // a call aborted the connection (tcp_disconnect, tcp_abort), or a timer
		return f.Cause(), analyze.InKernel
	case "TCP_TIMEWAIT_SOCKET", "NO_SOCKET":
		f.NoLinger2 = false
		return f.Cause(), analyze.InKernel
	case "":
		return unexplained(r, e, f)
	}
	return analyze.Aborted, analyze.InKernel
}

// facts gathers what the kernel told of r.
func facts(r *event.KernelReset, e *event.Endpoint) analyze.ResetFacts {
	owned := r.Task != nil && r.Task.Owner // a segment or a timer leaves the task that it interrupts out of it
	f := analyze.ResetFacts{
		SYN: isRefusal(r), Answers: r.Offender != nil, Data: drawsByData(r),
		TimeWait: r.State == event.TimeWait, Closed: r.Substate == event.FinWait2, // which the kernel keeps without a socket
		Disconnect: owned && r.Task.Call == "connect",
		Listener:   !r.HadFile && (e == nil || e.Accepted),
	}
	if e == nil {
		return f
	}
	f.Closed = f.Closed || r.State != event.TimeWait && sentFin(e) && e.Errno == ""
	f.LingerZero = e.Linger && e.LingerTicks == 0 && owned
	f.NoLinger2 = e.Last() == event.FinWait2 && e.Linger2 < 0
	if owned && closes(r.Task) {
		f.Unread = uint64(e.Unread)
	}
	return f
}

// unexplained tells the cause on a kernel that gives no reason. What tcp_close looks at is a fact; the rest follows
// from what was going on.
func unexplained(r *event.KernelReset, e *event.Endpoint, f analyze.ResetFacts) (analyze.ResetCause, analyze.Confidence) {
	switch c := f.Cause(); {
	case c == analyze.NoSocket:
		return analyze.UnknownCause, analyze.Unknown
	case c == analyze.UnreadData, c == analyze.LingerZero:
		return c, analyze.InKernel
	case r.Offender == nil && e != nil && e.Probes > 0 && e.Errno == "ETIMEDOUT" && (r.Task == nil || !r.Task.Owner):
		return analyze.KeepaliveTimeout, analyze.Inferred
	default:
		return c, analyze.Inferred
	}
}

// closes reports whether the task's call takes a descriptor away.
func closes(t *event.Task) bool {
	switch t.Call {
	case "close", "exit", "kill", "execve", "dup2", "dup3", "close_range":
		return true
	}
	return false
}

// Explanation says in words what the cause c of r, which side by sent, stands on; "" for nothing more.
func Explanation(c analyze.ResetCause, r *event.KernelReset, e *event.Endpoint, by analyze.Side) string {
	task := ""
	if r.Task != nil {
		task = TaskName(r.Task)
	}
	switch {
	case c == analyze.UnreadData && e != nil && e.Unread > 0: // of an MPTCP subflow MPTCP has it
		return fmt.Sprintf("%s left %d bytes unread", task, e.Unread)
	case c == analyze.LingerZero:
		return fmt.Sprintf("%s with SO_LINGER at 0 seconds", task)
	case c == analyze.Disconnect:
		return fmt.Sprintf("%s to AF_UNSPEC dissolved the connection", task)
	case c == analyze.ListenerClosed:
		return fmt.Sprintf("%s of the listener, before anyone accepted", task)
	case c == analyze.DataAfterClose && r.Offender != nil:
		return fmt.Sprintf("%d bytes came after the %s had closed both directions", r.Offender.Len, by)
	case c == analyze.ConnRefused && r.State == event.StateUnknown:
		return "a SYN came and nobody listens on that port"
	case c == analyze.AcceptQueueFull:
		return "what completes the handshake came, and the listener's accept queue was full (tcp_abort_on_overflow)"
	case c == analyze.NoSocket && r.Offender != nil:
		return fmt.Sprintf("a segment of %d bytes came and no socket was there any more", r.Offender.Len)
	case c == analyze.KeepaliveTimeout && e != nil:
		return "no keep-alive was answered"
	case r.Reason != "":
		return "the kernel's reason is " + r.Reason
	}
	return ""
}

// endedByUnseenReset: side i was reset by a peer whose RST no tracepoint showed.
func (v *verdict) endedByUnseenReset(i int, e *event.Endpoint) {
	by := sideOf(1 - i)
	v.Ending = analyze.WasReset
	stands := v.stoodOn(1-i, e.ResetIn)
	switch {
	case stands == "" && v.Closer == analyze.NoSide:
		v.Closer = by
	case stands != "" && !v.closedBefore(e.ResetIn):
		v.Closer, v.Tasks.Closer, v.Tasks.By = analyze.NoSide, nil, analyze.NoSide
	}
	v.Reset = &analyze.Reset{By: by, Cause: analyze.UnknownCause, Confidence: analyze.Unknown,
		Lost: analyze.Lost{From: sideOf(i), Unacked: v.unacked(i), Discarded: uint64(e.Unsent)}}
	switch {
	case e.Last() == event.SynSent:
		v.Ending, v.Closer = analyze.WasRefused, by
		v.Reset.Cause, v.Reset.Confidence = analyze.ConnRefused, analyze.InKernel
		v.because("RST answered the SYN of the %s", sideOf(i))
		return
	case stands != "":
		v.Reset.Cause, v.Reset.Confidence = analyze.Middlebox, analyze.Inferred
		v.Reset.Why = append(v.Reset.Why, stands)
		v.because("the %s received an RST that the %s's socket did not send", sideOf(i), by)
		return
	case e.FinIn && !sentFin(e) && e.Unacked > 0:
		v.Reset.Cause, v.Reset.Confidence = analyze.DataAfterClose, analyze.Inferred
		v.Reset.Lost.AfterClose, v.Reset.Lost.Unacked = v.Reset.Lost.Unacked, 0
		v.Reset.Why = append(v.Reset.Why, fmt.Sprintf("the %s had sent FIN, and %d bytes were then sent to it", by, e.Unacked))
	default:
		v.causeByItsEnd(v.end[1-i])
	}
	v.because("the %s received RST", sideOf(i))
}

// closedBefore reports whether an end had sent its FIN by then.
func (v *verdict) closedBefore(at event.Time) bool {
	for _, e := range v.end {
		if e != nil && finLeft(e) && finAt(e) < at {
			return true
		}
	}
	return false
}

// stoodOn says how the socket of side i went on after its peer had received an RST, "" where it is not known to
// have done so. Every kernel tells of an RST that a full socket sends, so this one is not its.
func (v *verdict) stoodOn(i int, at event.Time) string {
	for _, r := range v.pair.resets {
		if v.sender(r) == i {
			return ""
		}
	}
	s, e, twin := sideOf(i), v.end[i], v.pair.twin
	switch {
	case e == nil && (twin == event.Established || twin == event.CloseWait):
		return fmt.Sprintf("the %s's own socket sent no RST, and still stands in %s", s, twin)
	case e == nil:
		return ""
	case finAt(e) > at:
		return fmt.Sprintf("the %s's own socket sent no RST, and closed later", s)
	case sentFin(e): // the RST that it answers with resets it as well
		return ""
	case e.ResetIn > at:
		return fmt.Sprintf("the %s's own socket sent no RST: it received one as well", s)
	case e.Stop().Sub(at) > settling:
		return fmt.Sprintf("the %s's own socket sent no RST, and stood for longer", s)
	}
	return ""
}

// queuedFin tells of the close of the end that was reset, where its FIN never left.
func (v *verdict) queuedFin() {
	if v.Reset == nil {
		return
	}
	e, by := v.end[server], v.Reset.By.Other()
	if by == analyze.Client {
		e = v.end[client]
	}
	if e == nil || e.Unsent == 0 || e.ResetIn == 0 {
		return
	}
	if t, at := FinBy(e); t != nil && at < e.ResetIn {
		v.Queued = &QueuedFin{By: by, Task: t, NS: int64(e.ResetIn.Sub(at)), Bytes: uint64(e.Unsent)}
	}
}

// causeByItsEnd tells the cause of an RST that no tracepoint showed by what the end that sent it
// says of its own last moment.
func (v *verdict) causeByItsEnd(e *event.Endpoint) {
	if e == nil || e.ResetIn != 0 {
		return
	}
	r := &event.KernelReset{Task: e.End, HadFile: e.HadFile}
	// Any end that goes without a word looks aborted.
	if c, _ := Cause(r, e); c != analyze.Aborted {
		v.Reset.Cause, v.Reset.Confidence = c, analyze.Inferred
		if why := Explanation(c, r, e, v.Reset.By); why != "" {
			v.Reset.Why = append(v.Reset.Why, why)
		}
	}
}
