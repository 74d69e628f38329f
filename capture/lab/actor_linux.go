package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab/script"
)

// actorEnv marks a process as an actor and holds its name.
const actorEnv = "CLOSECAP_ACTOR"

// controlEnv tells an actor where it finds its end of the socketpair to the director.
const controlEnv = "CLOSECAP_CONTROL"

const (
	// mostControlFD is high enough that the actor's sockets get the small numbers that they would
	// have in any program; leastControlFD leaves room for some.
	mostControlFD, leastControlFD = 100, 12

	// spareFDs are for the syscall package, which moves descriptors beyond those that a child gets.
	spareFDs = 4
)

// controlDescriptor returns the descriptor for the actors' end: where the limit of open files is
// low, the highest that can be had.
func controlDescriptor() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return -1, fmt.Errorf("read limit of open files: %w", os.NewSyscallError("getrlimit", err))
	}
	fd := int(min(limit.Cur, mostControlFD+1+spareFDs)) - 1 - spareFDs
	if fd < leastControlFD {
		return -1, fmt.Errorf("start actors: only %d files may be open: %w", limit.Cur, unix.EMFILE)
	}
	return fd, nil
}

// reply is what an actor says of a call, before it (Begun) or after it.
type reply struct {
	ID    int
	Begun bool  `json:",omitempty"` // the call is about to be made; its end follows, or the process's
	Trap  int   `json:",omitempty"` // of a begun background call: the system call's number
	PID   int   `json:",omitempty"`
	TID   int   `json:",omitempty"`
	Start int64 `json:",omitempty"`
	End   int64 `json:",omitempty"`

	Ret     int64  `json:",omitempty"`
	Errno   int    `json:",omitempty"`
	Blocked bool   `json:",omitempty"`
	Data    []byte `json:",omitempty"` // what recv got, shortened
	Text    string `json:",omitempty"` // what poll or getsockopt found
	Open    []int  `json:",omitempty"` // of a program that starts: its descriptors
	RecvQ   int    // before the call; -1 means not known

	Cookie uint64         `json:",omitempty"` // of the new descriptor, else of the call's own
	Local  netip.AddrPort `json:",omitzero"`
	Remote netip.AddrPort `json:",omitzero"`
}

// ActorMain is what a program that runs scenarios calls first in main: in a process that was
// started as an actor it serves the director and never returns; in any other it does nothing.
func ActorMain() {
	name := os.Getenv(actorEnv)
	if name == "" {
		return
	}
	// What the program's file gives (setcap) is none of an actor's either, whoever started it.
	if err := kernel.DropPrivileges(); err != nil {
		os.Exit(3)
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // an actor lives for a moment; a collection would disturb its clock
	// What else the director had open, its capture above all, is none of an actor's business.
	control, err := strconv.Atoi(os.Getenv(controlEnv))
	if err != nil {
		os.Exit(3)
	}
	_ = unix.CloseRange(uint(control)+1, ^uint(0), 0)
	unix.CloseOnExec(control)
	restoreCloexec()
	signal.Ignore(unix.SIGCHLD) // the kernel then reaps what this actor forks
	a := &actor{name: name, control: control, foreground: make(chan script.Op)}
	go a.serve()
	a.say(&reply{PID: os.Getpid(), TID: unix.Gettid(), Start: now(), RecvQ: -1, Open: descriptors(control)})
	for o := range a.foreground {
		a.perform(&o)
	}
}

type actor struct {
	name       string
	control    int // the actor's end of the socketpair
	foreground chan script.Op
}

// serve hands the director's orders to the threads that carry them out. When the director
// is gone, so is the actor, whatever its calls wait for.
func (a *actor) serve() {
	buf := make([]byte, 1<<20)
	for {
		n, passed, err := receive(a.control, buf)
		if err != nil || n == 0 {
			os.Exit(0)
		}
		var o script.Op
		if err := json.Unmarshal(buf[:n], &o); err != nil {
			os.Exit(3)
		}
		o.Passed = passed
		if !o.Background {
			a.foreground <- o
			continue
		}
		go func() {
			runtime.LockOSThread()
			a.perform(&o)
		}()
	}
}

// perform makes the call and says what came of it.
func (a *actor) perform(o *script.Op) {
	r := &reply{ID: o.ID, PID: os.Getpid(), TID: unix.Gettid(), RecvQ: -1}
	c := &syscallOf{actor: a, op: o, reply: r}
	if o.FD >= 0 {
		r.Cookie, r.Local, r.Remote = describe(o.FD)
		if endsSocket[o.Verb] {
			r.RecvQ = unread(o.FD)
		}
	}
	syscallTable[o.Verb](c)
	if makesDescriptor[o.Verb] && r.Errno == 0 {
		r.Cookie, r.Local, r.Remote = describe(int(r.Ret))
	} else if o.Verb != "close" && o.FD >= 0 {
		if _, local, remote := describe(o.FD); remote.IsValid() || !r.Remote.IsValid() {
			r.Local, r.Remote = local, remote
		}
	}
	a.say(r)
}

func (a *actor) say(r *reply) {
	b, err := json.Marshal(r)
	if err == nil {
		_, err = unix.Write(a.control, b)
	}
	if err != nil {
		os.Exit(0)
	}
}

// begin tells the director that a call is about to be made which may not return soon, or
// at all.
func (c *syscallOf) begin() {
	c.reply.Start = now()
	begun := *c.reply
	begun.Begun = true
	c.actor.say(&begun)
}

func now() int64 { return time.Now().UnixNano() }

// descriptors lists what a program that starts found open between the standard three and control.
func descriptors(control int) []int {
	var open []int
	for fd := 3; fd < control; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			open = append(open, fd)
		}
	}
	return open
}

// receive reads one message, and the descriptor that may come with it (else -1).
func receive(fd int, buf []byte) (n, passed int, err error) {
	oob := make([]byte, unix.CmsgSpace(4))
	var noob int
	for {
		n, noob, _, _, err = unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil || noob == 0 {
		return n, -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:noob])
	if err != nil {
		return n, -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return n, -1, err
	}
	return n, fds[0], nil
}

// describe asks the kernel what a descriptor is; zero values where it does not know.
func describe(fd int) (cookie uint64, local, remote netip.AddrPort) {
	cookie, _ = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if sa, err := unix.Getsockname(fd); err == nil {
		local = addrPort(sa)
	}
	if sa, err := unix.Getpeername(fd); err == nil {
		remote = addrPort(sa)
	}
	return cookie, local, remote
}

// unread returns how many bytes lie in fd's receive queue, -1 where that is not known.
func unread(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	if err != nil {
		return -1
	}
	return n
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// actorAttr is how a program becomes an actor of that name: files holds its descriptors, the last
// one its end of the socketpair.
func actorAttr(name string, files []uintptr) *syscall.ProcAttr {
	// In a group of its own Ctrl-C does not reach the actor: it would end by it, and its FIN look like
	// one of the scenario's.
	return &syscall.ProcAttr{Env: actorEnviron(name, len(files)-1), Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}}
}

func actorEnviron(name string, control int) []string {
	// Preemption signals would interrupt calls that a timeout makes unrestartable; the runtime's
	// watch over CPU limits would take the first descriptors.
	const debug = "GODEBUG=asyncpreemptoff=1,containermaxprocs=0,updatemaxprocs=0"
	return []string{actorEnv + "=" + name, controlEnv + "=" + strconv.Itoa(control), debug}
}

// cloexecEnv holds the descriptors that had FD_CLOEXEC in the process that forked this one.
const cloexecEnv = "CLOSECAP_CLOEXEC"

func cloexecEnviron(fds []int) string {
	words := make([]string, len(fds))
	for i, fd := range fds {
		words[i] = strconv.Itoa(fd)
	}
	return cloexecEnv + "=" + strings.Join(words, " ")
}

// restoreCloexec sets the flags that a fork keeps and starting the child anew lost.
func restoreCloexec() {
	for _, word := range strings.Fields(os.Getenv(cloexecEnv)) {
		if fd, err := strconv.Atoi(word); err == nil {
			unix.CloseOnExec(fd)
		}
	}
}

// selfExe is this program, also where its file was moved or deleted.
const selfExe = "/proc/self/exe"
