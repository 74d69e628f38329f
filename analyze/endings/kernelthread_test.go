package endings

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestKernelThread: what a thread of the kernel does, as of a socket that io_uring held or of an MPTCP subflow, is
// nobody's doing, though it locks the socket as a call does.
func TestKernelThread(t *testing.T) {
	worker := &event.Task{PID: 9, TID: 9, Comm: "kworker/0:2", FD: -1, Owner: true, Kernel: true}
	c, s := bothEnds([]event.TCPState{event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed},
		[]event.TCPState{event.Established, event.CloseWait, event.LastAck, event.Closed})
	c.FinIn, s.FinIn, c.Fin, c.End, s.Fin, s.End = true, true, worker, worker, worker, worker
	tr := NewTracker(Options{})
	tr.Add(event.KernelEvent{Endpoint: c})
	tr.Add(event.KernelEvent{Endpoint: s})
	if got := only(t, tr.Rest(0)); got.Tasks != (Tasks{}) || got.Closer != analyze.Client || got.Ending != analyze.Graceful {
		t.Errorf("%s, closer %q, of %+v, want graceful by the client, of nobody", got.Ending, got.Closer, got.Tasks)
	}
	for _, reason := range []string{"TCP_STATE", "TCP_ABORT_ON_CLOSE"} {
		c, _ := bothEnds([]event.TCPState{event.SynSent, event.Established, event.Closed}, []event.TCPState{event.Established, event.Closed})
		c.End = worker
		tr := NewTracker(Options{})
		tr.Add(event.KernelEvent{Endpoint: c})
		tr.Add(event.KernelEvent{Reset: &event.KernelReset{
			Socket: c.Socket, Local: c.Local, Remote: c.Remote, Time: c.Stop(), Reason: reason, Task: worker,
		}})
		if got := only(t, tr.Rest(0)); got.Tasks.Closer != nil || got.Reset == nil {
			t.Errorf("%s: reset %+v by %+v, want by nobody", reason, got.Reset, got.Tasks.Closer)
		}
	}
}
