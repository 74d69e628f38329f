package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/lab/script"
)

// process is an actor as the director sees it.
type process struct {
	name    string
	pid     int
	pidfd   int
	control int           // the director's end of the socketpair
	dead    chan struct{} // closed when the process is gone, its sockets closed
	silent  chan struct{} // closed when no more replies come

	sockets map[int]*socket    // by descriptor, the open ones
	names   map[string]int     // the script's names; a closed one keeps its number
	known   map[string]*socket // and its socket
	pending []*pending         // background calls not joined, oldest first
	over    endedProcess       // how it ended, the zero value as long as it runs

	mu      sync.Mutex
	waiting map[int]chan reply
}

// newProcess opens the channel to an actor that is about to start. The other end is for the
// actor; close it once it is handed over.
func newProcess(name string) (p *process, other int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("open channel to %s: %w", name, err)
	}
	p = &process{
		name:    name,
		control: pair[0],
		pidfd:   -1,
		dead:    make(chan struct{}),
		silent:  make(chan struct{}),
		sockets: make(map[int]*socket),
		names:   make(map[string]int),
		known:   make(map[string]*socket),
		waiting: make(map[int]chan reply),
	}
	return p, pair[1], nil
}

// startProcess starts an actor of its own, without any socket.
func startProcess(name string) (*process, error) {
	control, err := controlDescriptor()
	if err != nil {
		return nil, err
	}
	p, other, err := newProcess(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(other)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Close(p.control)
		return nil, fmt.Errorf("start %s: open /dev/null: %w", name, err)
	}
	defer unix.Close(null)
	files := make([]uintptr, control+1)
	for i := range files {
		files[i] = ^uintptr(0)
	}
	files[0], files[1], files[2] = uintptr(null), uintptr(null), 2
	files[control] = uintptr(other)
	pid, err := syscall.ForkExec(selfExe, []string{"closecap: " + name}, actorAttr(name, files))
	if err != nil {
		_ = unix.Close(p.control)
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, p.attach(pid)
}

// pin keeps the actor's foreground calls, and so the timers that they start, on one CPU: what
// fires there in the same tick is sent before any of it arrives. It is no failure if it
// cannot be had, only `until … due-together` then proves less.
func (p *process) pin(cpu int) {
	var one unix.CPUSet
	one.Set(cpu)
	_ = unix.SchedSetaffinity(p.pid, &one)
}

// thisCPU returns the CPU that the caller runs on: one that it may use, and not the same one
// for all runs of a busy machine.
func thisCPU() int {
	var cpu uint32
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(cpu)
}

// attach begins to listen to the process and to watch for its end.
func (p *process) attach(pid int) error {
	p.pid = pid
	hello := make(chan reply, 2)
	p.waiting[0] = hello
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		err = unix.PidfdSendSignal(pidfd, 0, nil, 0) // else there would be no way to end it
	}
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		_ = unix.Close(p.control)
		return hint.With(fmt.Errorf("watch %s: %w", p.name, os.NewSyscallError("pidfd", err)),
			"closecap needs Linux 5.6 or later, and a container's seccomp filter that allows pidfd_open")
	}
	p.pidfd = pidfd
	go p.listen()
	go p.watch()
	return nil
}

// listen hands each reply to whoever waits for it, until the actor's end is closed.
func (p *process) listen() {
	defer close(p.silent)
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(p.control, buf)
		if err == unix.EINTR {
			continue
		}
		var r reply
		if err != nil || n <= 0 || json.Unmarshal(buf[:n], &r) != nil {
			return
		}
		p.mu.Lock()
		ch := p.waiting[r.ID]
		if !r.Begun && r.ID != 0 {
			delete(p.waiting, r.ID)
		}
		p.mu.Unlock()
		if ch != nil {
			ch <- r
		}
	}
}

// watch waits for the end of the process. A pidfd becomes readable only after the kernel
// closed the last of its descriptors (kernel/exit.c: exit_files before exit_notify).
func (p *process) watch() {
	defer close(p.dead)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			break
		}
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(p.pid, &status, 0, nil); err == nil {
		return
	}
	// The child of an actor: the kernel reaps it, in a moment.
	for range reapTries {
		if unix.PidfdSendSignal(p.pidfd, 0, nil, 0) != nil {
			return
		}
		time.Sleep(reapPause)
	}
}

const (
	reapTries = 1000
	reapPause = 100 * time.Microsecond
)

// adoptOrphans makes this process the parent of actors whose own has ended, to reap them.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become subreaper: %w", err)
	}
	return nil
}

var errGone = errors.New("the process is gone")

// order sends an op to the actor; its replies come on the channel. passed is a descriptor
// to go with it, or -1.
func (p *process) order(o *script.Op, passed int) (<-chan reply, error) {
	ch := make(chan reply, 2) // a call has at most two replies
	p.mu.Lock()
	p.waiting[o.ID] = ch
	p.mu.Unlock()
	b, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode order: %w", err)
	}
	var rights []byte
	if passed >= 0 {
		rights = unix.UnixRights(passed)
	}
	if err := unix.Sendmsg(p.control, b, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return nil, fmt.Errorf("order %s: %w", p.name, err)
	}
	return ch, nil
}

// await returns the next reply.
func (p *process) await(ctx context.Context, ch <-chan reply) (reply, error) {
	select {
	case r := <-ch:
		return r, nil
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	case <-p.silent:
		select {
		case r := <-ch:
			return r, nil
		default:
			return reply{}, errGone
		}
	}
}

// hello waits until the program, started or replaced, is ready.
func (p *process) hello(ctx context.Context) (reply, error) {
	r, err := p.await(ctx, p.waiting[0])
	if err != nil {
		return r, fmt.Errorf("start %s: %w", p.name, err)
	}
	return r, nil
}

func (p *process) kill() error {
	if p.pidfd < 0 {
		return nil
	}
	return unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
}

// end kills the process if it still runs and frees what the director holds of it.
func (p *process) end() {
	if p.pidfd < 0 {
		return
	}
	_ = p.kill()
	<-p.dead
	<-p.silent
	_ = unix.Close(p.pidfd)
	_ = unix.Close(p.control)
	p.pidfd = -1
}

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}
