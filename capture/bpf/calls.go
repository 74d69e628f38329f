package bpf

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// CallKind is what a system call is to the socket of its descriptor.
type CallKind uint8

// The kinds, by the numbers of c/calls.bpf.c.
const (
	SocketCall CallKind = iota + 1
	ConnectCall
	AcceptCall
	CloseCall
	OptionCall // looked at, with nothing to be read but a value that was set
	SendCall
	RecvCall
	SpliceCall
)

// Followed is one thing that the kernel told of the processes that are followed: exactly one field
// is set.
type Followed struct {
	Call   *Call
	Step   *Step
	Exit   *Exit
	Depart *Depart
}

// Call is a system call on a TCP socket.
type Call struct {
	Kind     CallKind
	Name     string // the system call's
	PID, TID int    // of the initial namespace
	Comm     string // of the thread; may hold hostile bytes
	FD       int    // the socket's
	Args     [5]uint64
	Given    [32]byte // the address of connect, the value that setsockopt sets

	Start, End event.Time // End is 0 for one that has not returned
	Ret        int64      // as the kernel gave it: an error is below zero
	Blocked    bool       // the thread slept meanwhile
	Signals    uint64     // that the thread was about to get when it ended, bit 0 for signal 1
	Status     int        // with which SIGKILL among them ended the thread, as in wait(2)
	References int        // to the open file when it began
	Opened     bool       // After is of the descriptor that it returned

	Before, After Look // After is the zero Look of a close, and where End is 0
}

// Look is what a socket was at one moment.
type Look struct {
	Socket        uint64 // SO_COOKIE, as trace has it of MPTCP; 0 where nobody has asked for it yet
	Local, Remote netip.AddrPort
	State         event.TCPState
	RecvQ, SendQ  int    // payload not read, not acknowledged; -1: not known
	Wrote, Read   uint32 // sequence numbers: behind what was written, behind what was read
}

// Step is a change of a socket's state.
type Step struct {
	Time     event.Time
	Old, New event.TCPState
	Own      bool // within a call of a process that is followed
	Look     Look // at New
	Task     *event.Task
	Status   int // with which Task ends, where its call is "exit"
}

// Exit is the end of a process: its descriptors are about to be closed.
type Exit struct {
	PID  int
	Time event.Time
}

// Depart is a segment that a thread handed to the network device, inside a call or at its end.
type Depart struct {
	TID           int
	Exiting       bool // its process closes what it had
	Local, Remote netip.AddrPort
	event.Departure
}

const (
	kindCall   = 1
	kindStep   = 2
	kindExit   = 3
	kindDepart = 4
)

type rawLook struct {
	Cookie       uint64
	Laddr, Raddr [16]byte
	Lport, Rport uint16
	Family       uint16
	State, FinIn uint8

	RcvNxt, CopiedSeq uint32
	WriteSeq, SndUna  uint32
}

type rawCall struct {
	Kind, How, Blocked, Opened uint8
	Refs                       uint32
	Start, End                 uint64
	Ret                        int64
	Args                       [5]uint64
	Given                      [32]byte
	NR                         int32
	PID, TID                   uint32
	FD                         int32
	Switches, Signals          uint64
	Comm                       [16]byte
	Status, Zero               uint32
	Before, After              rawLook
}

type rawStep struct {
	Kind, Old, New, Owned, Own uint8
	Zero                       [3]uint8
	At                         uint64
	Look                       rawLook
	Task                       rawTask
}

type rawExit struct {
	Kind uint8
	Zero [3]uint8
	PID  uint32
	At   uint64
}

type rawDeparture struct {
	Kind, Flags  uint8
	Family       uint16
	TID          uint32
	At           uint64
	Seq, Len     uint32
	Lport, Rport uint16
	Exiting      uint32
	Laddr, Raddr [16]byte
}

// callDecoder turns what c/calls.bpf.c sends into Go. It needs no kernel.
type callDecoder struct {
	decoder
	call rawCall
	step rawStep
	exit rawExit
	left rawDeparture
}

func (d *callDecoder) decode(b []byte) (Followed, error) {
	if len(b) == 0 {
		return Followed{}, fmt.Errorf("decode call: %w", io.ErrUnexpectedEOF)
	}
	whole := false
	switch b[0] {
	case kindCall:
		whole = fill(&d.call, b)
	case kindStep:
		whole = fill(&d.step, b)
	case kindExit:
		whole = fill(&d.exit, b)
	case kindDepart:
		whole = fill(&d.left, b)
	default:
		return Followed{}, fmt.Errorf("decode call: unknown kind %d", b[0])
	}
	if !whole {
		return Followed{}, fmt.Errorf("decode call: kind %d of %d bytes: %w", b[0], len(b), io.ErrUnexpectedEOF)
	}
	switch b[0] {
	case kindCall:
		return Followed{Call: d.toCall(&d.call)}, nil
	case kindStep:
		r := &d.step
		return Followed{Step: &Step{
			Time: d.time(r.At), Old: event.TCPState(r.Old), New: event.TCPState(r.New), Own: r.Own != 0,
			Look: look(&r.Look), Task: d.task(&r.Task), Status: int(r.Task.Status >> 8),
		}}, nil
	case kindDepart:
		return Followed{Depart: d.toDepart(&d.left)}, nil
	}
	return Followed{Exit: &Exit{PID: int(d.exit.PID), Time: d.time(d.exit.At)}}, nil
}

func (d *callDecoder) toDepart(r *rawDeparture) *Depart {
	l := look(&rawLook{Family: r.Family, Laddr: r.Laddr, Raddr: r.Raddr, Lport: r.Lport, Rport: r.Rport})
	return &Depart{
		TID: int(r.TID), Exiting: r.Exiting != 0, Local: l.Local, Remote: l.Remote,
		Departure: event.Departure{Time: d.time(r.At), Flags: event.Flags(r.Flags), Seq: r.Seq, Len: r.Len},
	}
}

func (d *callDecoder) toCall(r *rawCall) *Call {
	return &Call{
		Kind: CallKind(r.How), Name: d.decoder.call(r.NR), PID: int(r.PID), TID: int(r.TID), Comm: string(cString(r.Comm[:])),
		FD: int(r.FD), Args: r.Args, Given: r.Given,
		Start: d.time(r.Start), End: d.time(r.End), Ret: r.Ret, Blocked: r.Blocked != 0, Signals: r.Signals, Status: int(r.Status),
		References: int(r.Refs), Opened: r.Opened != 0,
		Before: look(&r.Before), After: look(&r.After),
	}
}

// look returns the zero Look where no socket was looked at.
func look(r *rawLook) Look {
	l := Look{Socket: r.Cookie, State: event.TCPState(r.State), Wrote: r.WriteSeq, Read: r.CopiedSeq}
	if r.Family > 0xff {
		return l
	}
	l.Local, _ = address(uint8(r.Family), &r.Laddr, r.Lport)
	l.Remote, _ = address(uint8(r.Family), &r.Raddr, r.Rport)
	if l.Remote.Port() == 0 {
		l.Remote = netip.AddrPort{}
	}
	if r.FinIn == unreadUnknown {
		l.RecvQ, l.SendQ = -1, -1
		return l
	}
	l.RecvQ, l.SendQ = queued(r.RcvNxt-r.CopiedSeq, r.FinIn != 0), queued(r.WriteSeq-r.SndUna, sentFin(l.State))
	return l
}

// unreadUnknown says in rawLook.FinIn that the queues are not known.
const unreadUnknown = 2

// queued leaves out what is no payload: a FIN takes a number, as the last.
func queued(n uint32, fin bool) int {
	if fin && n > 0 {
		n--
	}
	return int(n)
}

func sentFin(s event.TCPState) bool {
	switch s {
	case event.SynSent, event.SynRecv, event.FinWait1, event.LastAck, event.Closing:
		return true // a SYN takes a number, too
	}
	return false
}
