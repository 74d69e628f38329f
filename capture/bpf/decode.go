package bpf

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"unsafe"

	"github.com/closecap/closecap/analyze/event"
)

// The kinds, flags and layouts of c/closecap.bpf.c. layout_linux.go compares the
// layouts with what the object says of itself.
const (
	kindEndpoint = 1
	kindReset    = 2
	kindRelease  = 3

	taskExiting  = 1
	taskIOWorker = 2
	taskKernel   = 4
	taskCompat   = 8
	taskOwns     = 16

	born      = 1
	connected = 2
	accepted  = 4
	hadFile   = 8
	held      = 16
	linger    = 32
	finIn     = 64

	maxSteps = 8
	noReason = ^uint32(0)
)

type rawTask struct {
	PID, TID uint32
	Call, FD int32
	How      uint32
	Flags    uint16
	Status   uint16
	Comm     [16]byte
}

type rawEndpoint struct {
	Kind, Family, Steps, Flags uint8
	Lport, Rport               uint16
	Cookie                     uint64
	Laddr, Raddr               [16]byte
	Cgroup                     uint64
	Netns, UID                 uint32
	At                         [maxSteps]uint64
	State, Owned               [maxSteps]uint8
	RstIn                      uint64
	Open, Fin, End             rawTask
	Sent, Received             uint64
	Unread, Unacked            uint32
	Unsent, Retrans            uint32
	Linger2                    int32
	LingerTime                 uint32
	SndNxt, RcvNxt             uint32
	Err, SoftErr               uint16
	Shutdown, Timeouts, Probes uint8
	Last                       uint8
	IcmpType, IcmpCode         uint8
	IcmpErr                    uint16
	Zero                       uint32
}

type rawReset struct {
	Kind, Family, State, Substate uint8
	Lport, Rport                  uint16
	Cookie                        uint64
	Laddr, Raddr                  [16]byte
	At                            uint64
	Netns, Reason                 uint32
	Offended, Flags               uint8
	HadFile, Dead                 uint8
	Seq, Ack, Len                 uint32
	Task                          rawTask
}

type rawRelease struct {
	Kind       uint8
	Zero       [3]uint8
	Unread     uint32
	Cookie, At uint64
	Task       rawTask
}

type rawHolder struct {
	Cookie uint64
	PID    uint32
	FD     uint32
	Comm   [16]byte
}

// decoder turns what the programs send into events. It needs no kernel.
type decoder struct {
	reasons  map[uint32]string // from the kernel's BTF; nil where it has none
	call     func(nr int32) string
	errno    func(err uint16) string
	offset   int64 // CLOCK_REALTIME minus CLOCK_MONOTONIC, in nanoseconds
	endpoint rawEndpoint
	reset    rawReset
	release  rawRelease
}

// decode reads one event. Errors are io.ErrUnexpectedEOF for one that is cut, and those of
// values that no kernel has.
func (d *decoder) decode(b []byte) (event.KernelEvent, error) {
	if len(b) == 0 {
		return event.KernelEvent{}, fmt.Errorf("decode kernel event: %w", io.ErrUnexpectedEOF)
	}
	whole := false
	switch b[0] {
	case kindEndpoint:
		whole = fill(&d.endpoint, b)
	case kindReset:
		whole = fill(&d.reset, b)
	case kindRelease:
		whole = fill(&d.release, b)
	default:
		return event.KernelEvent{}, fmt.Errorf("decode kernel event: unknown kind %d", b[0])
	}
	if !whole {
		return event.KernelEvent{}, fmt.Errorf("decode kernel event: kind %d of %d bytes: %w", b[0], len(b), io.ErrUnexpectedEOF)
	}
	switch b[0] {
	case kindEndpoint:
		e, err := d.toEndpoint(&d.endpoint)
		return event.KernelEvent{Endpoint: e}, err
	case kindReset:
		r, err := d.toReset(&d.reset)
		return event.KernelEvent{Reset: r}, err
	}
	return event.KernelEvent{Release: &event.Release{
		Time: d.time(d.release.At), Socket: d.release.Cookie, Task: d.task(&d.release.Task), Unread: d.release.Unread,
	}}, nil
}

// fill copies b into a structure of this machine's own layout, and reports whether b was enough.
// It takes a tenth of the time of binary.Decode.
func fill[T rawEndpoint | rawReset | rawRelease | rawCall | rawStep | rawExit | rawDeparture](raw *T, b []byte) bool {
	to := unsafe.Slice((*byte)(unsafe.Pointer(raw)), unsafe.Sizeof(*raw))
	return copy(to, b) == len(to)
}

func (d *decoder) toEndpoint(r *rawEndpoint) (*event.Endpoint, error) {
	local, ok := address(r.Family, &r.Laddr, r.Lport)
	remote, ok2 := address(r.Family, &r.Raddr, r.Rport)
	if !ok || !ok2 {
		return nil, fmt.Errorf("decode endpoint: unknown address family %d", r.Family)
	}
	e := &event.Endpoint{
		Socket: r.Cookie, Netns: r.Netns, UID: r.UID, Cgroup: r.Cgroup, Local: local, Remote: remote,
		Born: r.Flags&born != 0, Connected: r.Flags&connected != 0, Accepted: r.Flags&accepted != 0,
		HadFile: r.Flags&hadFile != 0, Held: r.Flags&held != 0,
		FinIn: r.Flags&finIn != 0, ResetIn: d.time(r.RstIn),
		Linger: r.Flags&linger != 0, LingerTicks: r.LingerTime, Linger2: int(r.Linger2),
		Open: d.task(&r.Open), Fin: d.task(&r.Fin), End: d.task(&r.End),
		Sent: r.Sent, Received: r.Received, Unread: r.Unread, Unacked: r.Unacked, Unsent: r.Unsent,
		Retransmits: r.Retrans, Timeouts: r.Timeouts, Probes: r.Probes,
	}
	if r.Err != 0 {
		e.Errno = d.errno(r.Err)
	}
	if r.SoftErr != 0 {
		e.SoftErrno = d.errno(r.SoftErr)
	}
	if r.IcmpErr != 0 {
		e.ICMP = &event.ICMPError{Type: r.IcmpType, Code: r.IcmpCode, Errno: d.errno(r.IcmpErr)}
	}
	n := min(int(r.Steps), maxSteps)
	e.Steps = make([]event.Transition, n)
	for i := range n {
		e.Steps[i] = event.Transition{State: event.TCPState(r.State[i]), Time: d.time(r.At[i]), Owned: r.Owned[i] != 0}
	}
	return e, nil
}

func (d *decoder) toReset(r *rawReset) (*event.KernelReset, error) {
	local, ok := address(r.Family, &r.Laddr, r.Lport)
	remote, ok2 := address(r.Family, &r.Raddr, r.Rport)
	if !ok || !ok2 {
		return nil, fmt.Errorf("decode reset: unknown address family %d", r.Family)
	}
	k := &event.KernelReset{
		Time: d.time(r.At), Netns: r.Netns, Socket: r.Cookie, Local: local, Remote: remote,
		State: event.TCPState(r.State), Substate: event.TCPState(r.Substate),
		HadFile: r.HadFile != 0, Dead: r.Dead != 0, Task: d.task(&r.Task),
	}
	if r.Reason != noReason {
		k.Reason = d.reasons[r.Reason]
	}
	if r.Offended != 0 {
		k.Offender = &event.Offender{Flags: event.Flags(r.Flags), Seq: r.Seq, Ack: r.Ack, Len: r.Len}
	}
	return k, nil
}

// task returns nil for a task that was not recorded.
func (d *decoder) task(r *rawTask) *event.Task {
	if r.TID == 0 && r.Comm[0] == 0 {
		return nil
	}
	t := &event.Task{
		PID: int(r.PID), TID: int(r.TID), Comm: string(cString(r.Comm[:])), FD: -1,
		Owner: r.Flags&taskOwns != 0, Kernel: r.Flags&taskKernel != 0,
	}
	switch {
	case r.Flags&taskExiting != 0:
		t.Call, t.Signal = "exit", int(r.Status&0x7f)
		if t.Signal != 0 {
			t.Call = "kill"
		}
	case r.Flags&taskIOWorker != 0:
		t.Call = "io_uring"
	case r.Flags&(taskKernel|taskCompat) == 0:
		t.Call = d.call(r.Call)
		switch {
		case t.Call == "dup2" || t.Call == "dup3": // what it closes is the second
			t.FD = int(int32(r.How))
		case takesFD(t.Call):
			t.FD = int(r.FD)
		}
		if t.Call == "shutdown" {
			t.How = int(int32(r.How))
		}
	}
	return t
}

// takesFD reports whether the call's first argument is the socket's descriptor.
func takesFD(call string) bool {
	switch call {
	case "close", "shutdown", "connect", "write", "writev", "sendto", "sendmsg", "sendmmsg", "read", "readv",
		"recvfrom", "recvmsg", "recvmmsg", "setsockopt", "accept", "accept4":
		return true
	}
	return false
}

func (d *decoder) time(monotonic uint64) event.Time {
	if monotonic == 0 {
		return 0
	}
	return event.Time(int64(monotonic) + d.offset)
}

func address(family uint8, addr *[16]byte, port uint16) (netip.AddrPort, bool) {
	switch family {
	case 2: // AF_INET
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr[:4])), port), true
	case 10: // AF_INET6
		return netip.AddrPortFrom(netip.AddrFrom16(*addr).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}

func cString(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
