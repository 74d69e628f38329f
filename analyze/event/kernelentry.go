package event

import (
	"fmt"
	"net/netip"
)

// KernelEntry is what one entry of a recorded watching holds: what the kernel told, or what the
// watcher needs to know to judge as it did then. Exactly one field is set. They stand in the order
// in which the watcher took them.
type KernelEntry struct {
	KernelEvent
	Begin  *KernelWatch  `json:"begin,omitempty"` // always the first
	Answer *KernelAnswer `json:"answer,omitempty"`
	Lost   *KernelLosses `json:"lost,omitempty"` // so far
	Told   *KernelTold   `json:"told,omitempty"`
}

// KernelWatch says of a watching what no event tells.
type KernelWatch struct {
	Time  Time         `json:"time"`
	Own   []netip.Addr `json:"own"`             // the machine's addresses
	Ports int          `json:"ports,omitempty"` // ephemeral ports; 0 for not known
	Lacks []string     `json:"lacks,omitempty"` // what this kernel can't tell, a sentence each
	Names bool         `json:"names,omitempty"` // it was to be told who holds a socket that had ended, and judged that one later
}

// KernelAnswer is what the kernel said when it was asked for an endpoint.
type KernelAnswer struct {
	Netns  uint32         `json:"netns"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	State  TCPState       `json:"state"` // StateUnknown where it could not say
}

// KernelTold says that the watcher has judged by then what was over.
type KernelTold struct {
	Time Time `json:"time"`
	End  bool `json:"end,omitempty"` // the watching ended: the rest was judged with what was known
}

// KernelLosses count what the kernel could not tell.
type KernelLosses struct {
	RingFull  uint64 `json:"ring_full,omitempty"` // events for which there was no room
	NoRecord  uint64 `json:"no_record,omitempty"` // sockets for which the kernel had no memory
	Recursion uint64 `json:"recursion,omitempty"` // runs that the kernel skipped because a program was running already
	Untold    uint64 `json:"untold,omitempty"`    // changes of a socket's state of which only what came next told
	Damaged   uint64 `json:"damaged,omitempty"`   // events that could not be decoded
}

// Total returns how many facts are missing.
func (l KernelLosses) Total() uint64 {
	return l.RingFull + l.NoRecord + l.Recursion + l.Untold + l.Damaged
}

// Since returns what was lost after before.
func (l KernelLosses) Since(before KernelLosses) KernelLosses {
	return KernelLosses{
		RingFull: l.RingFull - before.RingFull, NoRecord: l.NoRecord - before.NoRecord,
		Recursion: l.Recursion - before.Recursion, Untold: l.Untold - before.Untold, Damaged: l.Damaged - before.Damaged,
	}
}

// When returns the time of what e tells, 0 for what has none.
func (e *KernelEntry) When() Time {
	switch {
	case e.Begin != nil:
		return e.Begin.Time
	case e.Told != nil:
		return e.Told.Time
	}
	return e.KernelEvent.When()
}

// Summary writes an entry for people: "127.0.0.1:80 > 127.0.0.1:40000 CLOSED: nginx[812] close(7)".
func (e *KernelEntry) Summary() string {
	switch {
	case e.Endpoint != nil:
		n := e.Endpoint
		return fmt.Sprintf("kernel: %v > %v %v after %v%s", n.Local, n.Remote, Closed, n.Last(), n.End.summary())
	case e.Reset != nil:
		r := e.Reset
		return fmt.Sprintf("kernel: %v > %v RST %s%s", r.Local, r.Remote, r.Reason, r.Task.summary())
	case e.Release != nil:
		return fmt.Sprintf("kernel: socket %d released%s", e.Release.Socket, e.Release.Task.summary())
	case e.Held != nil:
		return fmt.Sprintf("kernel: socket %d is held%s", e.Held.Socket, e.Held.Task.summary())
	case e.Begin != nil:
		return "watching begins"
	case e.Answer != nil:
		return fmt.Sprintf("kernel: asked for %v > %v: %v", e.Answer.Local, e.Answer.Remote, e.Answer.State)
	case e.Lost != nil:
		return fmt.Sprintf("kernel: %d events lost so far", e.Lost.Total())
	case e.Told != nil && e.Told.End:
		return "watching ends"
	}
	return "judged what was over"
}

func (t *Task) summary() string {
	switch {
	case !t.Does():
		return ""
	case t.FD >= 0:
		return fmt.Sprintf(": %s[%d] %s(%d)", t.Comm, t.PID, t.Call, t.FD)
	}
	return fmt.Sprintf(": %s[%d] %s", t.Comm, t.PID, t.Call)
}
