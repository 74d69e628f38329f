package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/kernel"
)

// inSockets is a program of the tests: it makes sockets in every state, in a network namespace of
// its own, and runs its arguments there: SETTING=VALUE… then `--`, a command, and more behind ";;".
// What follows one that fails does not run.
func inSockets() int {
	if !kernel.InPrivate() {
		code, err := kernel.ReexecPrivate(kernel.PrivateOptions{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return code
	}
	runtime.LockOSThread() // Pdeathsig speaks of the thread
	m := maker{}
	settings, commands, _ := strings.Cut(strings.Join(os.Args[1:], "\x00"), "--\x00")
	m.check(kernel.RaiseLoopback())
	for s := range strings.SplitSeq(strings.Trim(settings, "\x00"), "\x00") {
		if name, value, ok := strings.Cut(s, "="); ok {
			m.check(kernel.SetSysctl(name, value))
		}
	}
	if m.err == nil {
		m.makeAll()
	}
	if m.err != nil {
		fmt.Fprintln(os.Stderr, m.err)
		return 1
	}
	for c := range strings.SplitSeq(commands, "\x00;;\x00") {
		args := strings.Split(c, "\x00")
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// maker makes sockets. They stay open as long as the process lives.
type maker struct {
	diag *kernel.Diag
	err  error
}

func (m *maker) check(err error) { m.err = errors.Join(m.err, err) }

func (m *maker) must(n int, err error) int {
	m.check(err)
	return n
}

// The ports that listen.
const (
	servicePort = 8080
	fullPort    = 9090 // whose accept queue is full
	lazyPort    = 7070 // whose owner does not accept
)

func (m *maker) makeAll() {
	var err error
	if m.diag, err = kernel.OpenDiag(); err != nil {
		m.err = err
		return
	}
	service := m.listen(servicePort, 64)
	m.closeWaits(service)
	for range 5 {
		c, s := m.pair(service)
		m.shut(c, s)
		m.check(errors.Join(unix.Close(c), unix.Close(s)))
	}
	for range 3 {
		c, s := m.pair(service)
		m.shut(s, c)
		m.check(errors.Join(unix.Close(s), unix.Close(c)))
	}
	m.windows(service)
	m.unanswered(service)
	m.queues()
}

// closeWaits makes CLOSE_WAIT with data unread against an orphan in FIN_WAIT2, and CLOSE_WAIT read
// to its end against a FIN_WAIT2 that is held. Two descriptors hold that one.
func (m *maker) closeWaits(service int) {
	c, s := m.pair(service)
	m.must(unix.Write(c, []byte("Hello, world")))
	m.check(unix.Close(c))
	m.await(s, event.CloseWait)
	c, s = m.pair(service)
	m.shut(c, s)
	m.must(unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0))
}

// windows makes an open connection and a closed one whose peers take nothing.
func (m *maker) windows(service int) {
	for _, closed := range []bool{false, true} {
		c, _ := m.pair(service)
		m.check(unix.SetNonblock(c, true))
		for err := error(nil); err == nil; {
			_, err = unix.Write(c, make([]byte, 1<<16))
		}
		if closed {
			m.check(unix.Close(c))
		}
	}
}

// unanswered makes FIN_WAIT1, LAST_ACK and CLOSING whose peers are deaf.
func (m *maker) unanswered(service int) {
	c, s := m.pair(service)
	m.deafen(s)
	m.must(unix.Write(c, []byte("hello")))
	m.check(unix.Close(c))

	c, s = m.pair(service)
	m.shut(c, s)
	m.deafen(c)
	m.check(unix.Close(s))

	c, s = m.pair(service)
	m.deafen(c)
	m.deafen(s)
	m.check(errors.Join(unix.Shutdown(c, unix.SHUT_WR), unix.Shutdown(s, unix.SHUT_WR)))
	m.check(unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0))
	m.await(s, event.Closing) // it gets the FIN when that is sent again
}

// queues makes a listener whose queue is full, with a client that nobody answers, and one with a
// connection in its queue that the client has closed.
func (m *maker) queues() {
	m.listen(fullPort, 1)
	for range 3 {
		c := m.socket()
		m.check(unix.SetNonblock(c, true))
		if err := unix.Connect(c, at(fullPort)); err != unix.EINPROGRESS && err != nil {
			m.check(err)
		}
	}
	m.listen(lazyPort, 5)
	c := m.socket()
	m.check(unix.Connect(c, at(lazyPort)))
	m.must(unix.Write(c, []byte("hi")))
	m.check(unix.Shutdown(c, unix.SHUT_WR))
	m.await(c, event.FinWait2) // the ACK of its FIN may be delayed
	m.check(unix.Close(c))
}

func at(port int) unix.Sockaddr { return &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}} }

func (m *maker) socket() int {
	return m.must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
}

func (m *maker) listen(port, backlog int) int {
	l := m.socket()
	m.check(errors.Join(unix.SetsockoptInt(l, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(l, at(port)), unix.Listen(l, backlog)))
	return l
}

// pair connects to the listener.
func (m *maker) pair(listener int) (client, server int) {
	client = m.socket()
	m.check(unix.Connect(client, at(servicePort)))
	server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	m.check(err)
	return client, server
}

// shut lets first close for sending, and second read to the end.
func (m *maker) shut(first, second int) {
	m.check(unix.Shutdown(first, unix.SHUT_WR))
	if n := m.must(unix.Read(second, make([]byte, 1))); n != 0 {
		m.check(errors.New("no end to read"))
	}
	m.await(first, event.FinWait2)
}

// deafen lets nothing reach the socket any more.
func (m *maker) deafen(fd int) {
	drop := unix.SockFilter{Code: 0x06, K: 0}
	m.check(unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}))
}

// await waits until the socket is in state.
func (m *maker) await(fd int, state event.TCPState) {
	for deadline := time.Now().Add(10 * time.Second); m.err == nil; {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		m.check(err)
		if err == nil && event.TCPState(info.State) == state {
			return
		}
		if time.Now().After(deadline) {
			m.check(fmt.Errorf("socket is not in %v but %d", state, info.State))
		}
	}
}
