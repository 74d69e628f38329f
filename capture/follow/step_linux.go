//go:build amd64 || arm64

package follow

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/trace"
)

// closing is a close by implication, as by exit: what the kernel tells next of its socket is after it.
type closing struct {
	sock *socket
	call event.Call
}

// step takes a change of state.
func (f *Follower) step(e *bpf.Step) {
	s := f.socket(e.Look.Socket)
	f.over(s, e.Time)
	if e.Look.Remote.IsValid() {
		s.remote = e.Look.Remote
	}
	if e.Look.Local.IsValid() && e.Look.Local.Port() != 0 && !e.Look.Local.Addr().IsUnspecified() {
		s.local = e.Look.Local
	}
	s.state = e.New
	switch {
	case e.New == event.Closed && s.told.State == trace.Closed:
		delete(f.sockets, s.cookie)
	case e.New == event.SynSent:
		f.connects(s, e.Task)
		f.tell(s, trace.Socket{Cookie: s.cookie, Local: s.local, Remote: s.remote, State: trace.Connecting})
	case e.New == event.Established:
		f.announce(s)
	case e.New == event.Closed && (e.Old == event.FinWait2 || e.Old == event.Closing) && !e.Own,
		e.New == event.Closed && e.Old == event.Closing && e.Task != nil && e.Task.Call == "shutdown": // which aborts nothing
		s.state = event.TimeWait // or FIN_WAIT2 without a socket, which looks the same
	}
	if e.Own && e.Task != nil && closesByImplication(e) {
		f.implied(s, e)
	}
}

// connects gives a socket that was known by its descriptor its cookie.
func (f *Follower) connects(s *socket, t *event.Task) {
	if t == nil || t.FD < 0 {
		return
	}
	key := descriptor{t.PID, t.FD}
	if w := f.early[key]; w != nil && w != s {
		s.calls = w.calls
	}
	f.early[key] = s // until its call returns
}

// closesByImplication reports whether a process's end, an exec or a dup closes the socket.
func closesByImplication(e *bpf.Step) bool {
	switch e.Task.Call {
	case "exit", "kill", "execve", "execveat", "dup2", "dup3", "close_range":
	default:
		return false
	}
	switch e.Old {
	case event.FinWait1, event.FinWait2, event.Closing, event.LastAck:
		return false // it had ended its stream before, or just now
	}
	return e.New == event.FinWait1 || e.New == event.LastAck || e.New == event.Closed
}

func (f *Follower) implied(s *socket, e *bpf.Step) {
	c := event.Call{
		Actor: f.actor(e.Task.PID, e.Task.TID, e.Task.Comm), PID: e.Task.PID, TID: e.Task.TID, FD: e.Task.FD, Name: e.Task.Call,
		Socket: s.cookie, Local: s.local, Remote: s.remote, Start: e.Time, RecvQ: e.Look.RecvQ,
	}
	if family := families[c.Name]; family != "" {
		c.Name, c.Syscall = family, c.Name
	}
	switch {
	case c.Name == "exit":
		c.Args = fmt.Sprint(e.Status)
	case e.Task.Signal != 0:
		c.Args = unix.SignalName(unix.Signal(e.Task.Signal))
	}
	f.closing = append(f.closing, &closing{s, c})
}

// departs notes a segment of the call that its thread is in, or of a close by the process's end.
func (f *Follower) departs(d *bpf.Depart) {
	for _, c := range slices.Backward(f.closing) {
		if c.call.TID == d.TID && c.call.Local == d.Local && c.call.Remote == d.Remote {
			c.call.Sent = append(c.call.Sent, d.Departure)
			return
		}
	}
	if sent := f.left[d.TID]; !d.Exiting && len(sent) < maxSent {
		f.left[d.TID] = append(sent, d.Departure)
	}
}

// maxSent bounds the segments that are kept of a call: one that sends a large file has thousands.
const maxSent = 256

// over delivers the closes by implication of s, of which something later was told.
func (f *Follower) over(s *socket, at event.Time) {
	f.closing = slices.DeleteFunc(f.closing, func(c *closing) bool {
		if c.sock == s {
			f.finish(c, at)
		}
		return c.sock == s
	})
}

// settle delivers those that are older than settling at now.
func (f *Follower) settle(now event.Time) {
	f.closing = slices.DeleteFunc(f.closing, func(c *closing) bool {
		old := now.Sub(c.call.Start) > settling
		if old {
			f.finish(c, c.call.Start) // when it was over nothing told
		}
		return old
	})
}

func (f *Follower) finish(c *closing, at event.Time) {
	c.call.End = at
	f.deliver(c.sock, c.call)
	f.closed(c.sock)
}
