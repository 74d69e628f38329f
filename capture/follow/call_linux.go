//go:build amd64 || arm64

package follow

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/trace"
)

// socket is a TCP socket of the processes that are followed.
type socket struct {
	cookie        uint64
	local, remote netip.AddrPort // kept after the kernel has forgotten them
	state         event.TCPState
	listening     bool
	again         map[string]int // EAGAIN since the last call delivered, by family
	told          trace.Socket
	calls         []event.Call // that wait for its cookie
}

func (f *Follower) socket(cookie uint64) *socket {
	s := f.sockets[cookie]
	if s == nil {
		s = &socket{cookie: cookie}
		f.sockets[cookie] = s
	}
	return s
}

// families are the names of package trace's rows.
var families = map[string]string{
	"write": "send", "writev": "send", "pwritev2": "send", "sendto": "send", "sendmsg": "send", "sendmmsg": "send", "sendfile": "send",
	"read": "recv", "readv": "recv", "preadv2": "recv", "recvfrom": "recv", "recvmsg": "recv", "recvmmsg": "recv",
	"accept4": "accept", "splice": "send", "dup2": "close", "dup3": "close", "close_range": "close", "execve": "close", "execveat": "close",
}

// call makes a row of what the kernel told of one.
func (f *Follower) call(c *bpf.Call) {
	look := c.Before
	if c.After.Socket != 0 || c.Before.Socket == 0 {
		look = c.After
	}
	e := event.Call{
		Actor: f.actor(c.PID, c.TID, c.Comm), PID: c.PID, TID: c.TID, FD: c.FD, Name: c.Name,
		Start: c.Start, End: c.End, Ret: c.Ret, Blocked: c.Blocked, RecvQ: -1,
	}
	if family := families[c.Name]; family != "" {
		e.Name, e.Syscall = family, c.Name
	}
	if e.Ret < 0 {
		e.Errno, e.Ret = trace.ErrnoName(-e.Ret), -1
	}
	s := f.identify(c, look)
	f.describe(s, c, &e)
	cutOff(c, &e)
	e.Sent = f.left[c.TID]
	delete(f.left, c.TID)
	e.Socket, e.Local, e.Remote = s.cookie, s.local, s.remote
	if trace.IsMultipath(s.cookie) && c.Kind != bpf.CloseCall {
		f.announce(s) // one that is older than what follows it is in no list of TCP's sockets
	}
	f.sample(s, c, look, &e)
	f.forgetBefore(s, c)
	f.deliver(s, e)
	if c.Kind == bpf.CloseCall && c.References <= 1 && c.End != 0 && s.cookie != 0 {
		f.closed(s)
	}
}

// closed says that nobody holds the socket any more. Its last changes of state may be yet to come.
func (f *Follower) closed(s *socket) {
	f.tell(s, trace.Socket{Cookie: s.cookie, Local: s.local, Remote: s.remote, State: trace.Closed})
	if s.listening || s.gone() {
		delete(f.sockets, s.cookie)
	}
}

// identify finds the socket. Before the kernel has given it a cookie its descriptor has to do.
func (f *Follower) identify(c *bpf.Call, look bpf.Look) *socket {
	key := descriptor{c.PID, c.FD}
	if c.Kind == bpf.SocketCall {
		key.fd = int(c.Ret)
		delete(f.early, key)
	}
	s := f.early[key]
	switch {
	case look.Socket != 0:
		waiting := s
		s = f.socket(look.Socket)
		if waiting != nil && c.Kind != bpf.AcceptCall {
			s.calls = waiting.calls
			delete(f.early, key)
		}
	case s == nil:
		s = &socket{}
		f.early[key] = s
	}
	if look.Remote.IsValid() {
		s.remote = look.Remote
	}
	if a := look.Local; a.IsValid() && a.Port() != 0 && (!a.Addr().IsUnspecified() || !s.local.IsValid() || s.local.Addr().IsUnspecified()) {
		s.local = a
	}
	return s
}

// describe writes the arguments, and what they change.
func (f *Follower) describe(s *socket, c *bpf.Call, e *event.Call) {
	switch c.Kind {
	case bpf.SocketCall:
		e.FD, e.Args = int(c.Ret), "AF_INET"
		if c.Args[0] == unix.AF_INET6 {
			e.Args = "AF_INET6"
		}
		if int(c.Args[2]) == unix.IPPROTO_MPTCP {
			e.Args += ", IPPROTO_MPTCP"
		}
	case bpf.ConnectCall:
		peer := trace.ParseSockaddr(c.Given[:min(c.Args[2], uint64(len(c.Given)))])
		if !peer.IsValid() {
			e.Args = "AF_UNSPEC"
			break
		}
		e.Args = peer.String()
		if e.Errno != "EISCONN" && e.Errno != "EALREADY" {
			s.remote = peer
		}
		if c.End != 0 {
			f.announce(s)
		}
	case bpf.AcceptCall:
		if c.Opened {
			e.Accepted = int(c.Ret)
			f.announce(s)
		}
	case bpf.OptionCall:
		f.option(s, c, e)
	case bpf.CloseCall:
		e.RecvQ = c.Before.RecvQ
		if e.Errno == "" && c.References > 1 {
			e.Holders = f.holders(s)
			if len(e.Holders) == 0 {
				e.Ring = usesRing(c.PID)
				e.Note = fmt.Sprintf("%d references to the open file when it began; who had the others was not seen", c.References)
			}
		}
	case bpf.SpliceCall:
		if c.FD == int(int32(c.Args[0])) {
			e.Name = "recv"
		}
	case bpf.SendCall, bpf.RecvCall:
		data(c, e)
	}
}

func (f *Follower) option(s *socket, c *bpf.Call, e *event.Call) {
	switch c.Name {
	case "shutdown":
		how := []string{"SHUT_RD", "SHUT_WR", "SHUT_RDWR"}
		e.Args = fmt.Sprint(int32(c.Args[1]))
		if n := uint32(c.Args[1]); n < uint32(len(how)) {
			e.Args = how[n]
		}
		e.RecvQ = c.Before.RecvQ
	case "listen":
		e.Args = fmt.Sprint(int32(c.Args[1]))
		if e.Errno == "" && c.End != 0 {
			s.listening = true
			f.announce(s)
		}
	case "bind":
		e.Args = s.local.String()
	case "setsockopt":
		e.Args = trace.OptionWords(int(int32(c.Args[1])), int(int32(c.Args[2])), c.Given[:16], c.Args[4])
	}
}

// data describes a call that carries bytes.
func data(c *bpf.Call, e *event.Call) {
	var flags uint64
	switch c.Name {
	case "read", "write":
		e.Args = fmt.Sprintf("%d bytes", c.Args[2])
	case "sendto", "recvfrom":
		e.Args, flags = fmt.Sprintf("%d bytes", c.Args[2]), c.Args[3]
	case "sendfile":
		e.Args = fmt.Sprintf("%d bytes from fd %d", c.Args[3], int32(c.Args[1]))
	case "sendmsg", "recvmsg":
		flags = c.Args[2]
	case "sendmmsg", "recvmmsg":
		flags = c.Args[3]
		if e.Ret > 0 { // messages; on a TCP socket they are one stream
			e.Note = fmt.Sprintf("returned %d messages", e.Ret)
			e.Ret = int64(c.After.Wrote - c.Before.Wrote)
			if c.Kind == bpf.RecvCall {
				e.Ret = int64(c.After.Read - c.Before.Read)
			}
		}
	}
	e.Peek = flags&unix.MSG_PEEK != 0
	if words := trace.MessageFlags(flags); words != "" {
		if e.Args != "" {
			e.Args += ", "
		}
		e.Args += words
	}
}

// sample says what state the call left its socket in, of calls that may change it.
func (f *Follower) sample(s *socket, c *bpf.Call, look bpf.Look, e *event.Call) {
	if c.End == 0 || trace.IsMultipath(s.cookie) {
		return
	}
	if c.Kind != bpf.CloseCall && look.State != event.StateUnknown && !s.gone() {
		s.state = look.State
	}
	quiet := c.Kind == bpf.SocketCall || c.Kind == bpf.OptionCall && c.Name != "shutdown" ||
		(c.Kind == bpf.SendCall || c.Kind == bpf.RecvCall || c.Kind == bpf.SpliceCall) && e.Ret > 0
	if quiet || s.listening || !s.remote.IsValid() || e.Errno == "EAGAIN" || s.state == event.StateUnknown {
		return
	}
	e.Samples = []event.Sample{{Time: c.End, Local: s.local, Remote: s.remote, State: s.state, RecvQ: c.After.RecvQ, SendQ: c.After.SendQ}}
}

// gone reports whether no socket stands for the end any more.
func (s *socket) gone() bool { return s.state == event.TimeWait || s.state == event.Closed }

// holders returns who else has the socket. It is asked a moment after the call.
func (f *Follower) holders(s *socket) []event.Holder {
	all, err := f.source.Holders()
	if err != nil {
		return nil
	}
	var found []event.Holder
	for _, t := range all[s.cookie] {
		found = append(found, event.Holder{PID: t.PID, FD: t.FD, Actor: f.actor(t.PID, t.PID, t.Comm)})
	}
	return found
}

// forgetBefore delivers the calls that waited for the socket's cookie.
func (f *Follower) forgetBefore(s *socket, c *bpf.Call) {
	if s.cookie == 0 && c.Kind == bpf.CloseCall {
		delete(f.early, descriptor{c.PID, c.FD}) // it was never connected
	}
	if s.cookie == 0 {
		return
	}
	calls := s.calls
	s.calls = nil
	for _, e := range calls {
		e.Socket = s.cookie
		f.deliver(s, e)
	}
}

// deliver hands the call on, unless it is noise or waits for its socket's cookie.
func (f *Follower) deliver(s *socket, e event.Call) {
	if s.cookie == 0 {
		if len(s.calls) < maxEarly {
			s.calls = append(s.calls, e)
		}
		return
	}
	if e.Errno == "EAGAIN" {
		if s.again == nil {
			s.again = map[string]int{}
		}
		s.again[e.Name]++
		f.result.Folded++
		return
	}
	if n := s.again[e.Name]; n > 0 {
		if e.Note != "" {
			e.Note += "; "
		}
		e.Note += fmt.Sprintf("after %d × EAGAIN", n)
		delete(s.again, e.Name)
	}
	f.result.Calls++
	f.opt.OnCall(e)
}

// maxEarly bounds the calls on a socket that is not connected yet.
const maxEarly = 64

// announce tells what the socket has become.
func (f *Follower) announce(s *socket) {
	if s.cookie == 0 {
		return
	}
	n := trace.Socket{Cookie: s.cookie, Local: s.local, Remote: s.remote, State: trace.Connected}
	switch {
	case s.listening:
		n.State, n.Remote = trace.Listening, netip.AddrPort{}
	case !s.remote.IsValid() || s.local.Port() == 0 || s.local.Addr().IsUnspecified():
		return
	}
	f.tell(s, n)
}
