package endings

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// entered returns when e first entered a state, 0 when it never did.
func entered(e *event.Endpoint, s event.TCPState) event.Time {
	for _, step := range e.Steps {
		if step.State == s {
			return step.Time
		}
	}
	return 0
}

// finAt returns when e's FIN was queued, 0 when it sent none.
func finAt(e *event.Endpoint) event.Time {
	if at := entered(e, event.FinWait1); at != 0 {
		return at
	}
	return entered(e, event.LastAck)
}

// FinBy returns the task whose call queued e's FIN, and when; nil where e sent none, or its kernel did not tell.
func FinBy(e *event.Endpoint) (*event.Task, event.Time) {
	if !e.Fin.Does() || finAt(e) == 0 {
		return nil, 0
	}
	return e.Fin, finAt(e)
}

// ResetBy returns the task whose call sent r; nil where it answers a segment, or a timer sent it. e is the end that
// sent it, nil where that is not known. Who closes a listener resets what nobody accepted without a call on it.
func ResetBy(r *event.KernelReset, e *event.Endpoint) *event.Task {
	t := r.Task
	if t == nil || r.Offender != nil || t.Kernel {
		return nil
	}
	if cause, _ := Cause(r, e); t.Owner || cause == analyze.ListenerClosed {
		return t
	}
	return nil
}

// TaskName names a task and the call that it was in.
func TaskName(t *event.Task) string { return fmt.Sprintf("%s[%d] %s", t.Comm, t.PID, t.Call) }

// sentFin reports whether e had sent its FIN; of an old endpoint the state it was found in tells.
func sentFin(e *event.Endpoint) bool {
	if finAt(e) != 0 {
		return true
	}
	switch e.Last() {
	case event.FinWait1, event.FinWait2, event.Closing, event.LastAck:
		return true
	}
	return false
}

// finLeft reports whether e's FIN went out. Behind what the peer has no room for it waits, and goes with that when
// an RST comes.
func finLeft(e *event.Endpoint) bool { return sentFin(e) && e.Unsent == 0 }

// handedOver reports whether e went on as TIME_WAIT, or as FIN_WAIT2 without a socket: then the
// kernel shows FIN_WAIT2 or CLOSING turn into CLOSED, with neither RST nor error.
func handedOver(e *event.Endpoint) bool {
	last := e.Last()
	return (last == event.FinWait2 || last == event.Closing) && e.ResetIn == 0 && e.Errno == ""
}

// untold reports whether e ended, and neither a FIN that was acknowledged, nor an RST, an error or a call explains why.
func untold(e *event.Endpoint) bool {
	switch e.Last() {
	case event.LastAck, event.FinWait2, event.Closing, event.SynSent:
		return false
	}
	return e.ResetIn == 0 && e.Errno == "" && !e.End.Does()
}

// firstSent tells whose FIN was the first from the states of one end alone.
func firstSent(e *event.Endpoint) (own, both bool) {
	switch {
	case entered(e, event.Closing) != 0:
		return false, true
	case entered(e, event.FinWait1) != 0:
		return true, false
	}
	return e.Last() == event.FinWait2, e.Last() == event.Closing
}

// isRefusal reports whether r answers a SYN.
func isRefusal(r *event.KernelReset) bool {
	return r.Offender != nil && r.Offender.Flags&(event.SYN|event.ACK) == event.SYN
}

// bareFin reports whether r answers a FIN without data that came to where no socket was any more:
// its sender had closed by itself.
func bareFin(r *event.KernelReset) bool {
	return r.Socket == 0 && r.Offender != nil && r.Offender.Flags.Has(event.FIN) && r.Offender.Len == 0
}

// user returns the process of e, the earlier call before the later, and who has it where no call was seen.
func user(e *event.Endpoint, free *event.Release, held *event.Task) *event.Task {
	tasks := []*event.Task{e.Open, e.Fin, e.End}
	if free != nil {
		tasks = append(tasks, free.Task)
	}
	for _, t := range append(tasks, held) {
		if t.Does() {
			return t
		}
	}
	return nil
}

// states lists what e went through.
func states(e *event.Endpoint) []analyze.StateChange {
	out := make([]analyze.StateChange, 0, len(e.Steps))
	for i, s := range e.Steps {
		if i > 0 && s.State == e.Steps[i-1].State {
			continue
		}
		if i == len(e.Steps)-1 && handedOver(e) && e.FinIn {
			s.State = event.TimeWait
		}
		out = append(out, analyze.StateChange{State: s.State, Time: s.Time, Confidence: analyze.InKernel})
	}
	return out
}
