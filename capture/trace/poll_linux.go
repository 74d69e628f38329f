//go:build amd64 || arm64

package trace

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// revealing are the poll bits that tell of an end; EPOLL's have the same values.
const revealing = unix.POLLERR | unix.POLLHUP | unix.POLLRDHUP

// pollLimit bounds how many entries of one call are looked at.
const pollLimit = 1 << 16

// enterPoll follows the call only in a process that has TCP sockets.
func enterPoll(_ *tracer, th *thread, c *call) bool {
	return th.files.tcp > 0 || th.files.blind
}

// leavePoll reads the array of struct pollfd: fd, events, revents (poll(2)).
func leavePoll(t *tracer, th *thread, c *call, e event.Call) {
	if e.Ret <= 0 {
		return
	}
	raw := make([]byte, min(c.args[1], pollLimit)*8)
	raw = raw[:th.read(c.args[0], raw)]
	for ; len(raw) >= 8; raw = raw[8:] {
		fd := int(int32(binary.NativeEndian.Uint32(raw)))
		asked, got := binary.NativeEndian.Uint16(raw[4:]), binary.NativeEndian.Uint16(raw[6:])
		if !t.tells(uint32(got)) || th.files.since(fd) > e.Start {
			continue // that socket got its number while the call waited for another one
		}
		t.revealed(e, fd, t.socketAt(th, fd), uint32(asked), uint32(got))
	}
}

// leaveEpoll reads the array of struct epoll_event: events, data (epoll_wait(2)).
func leaveEpoll(t *tracer, th *thread, c *call, e event.Call) {
	if e.Ret <= 0 {
		return
	}
	epfd := int(int32(c.args[0]))
	raw := make([]byte, min(e.Ret, pollLimit)*epollEventSize)
	raw = raw[:th.read(c.args[1], raw)]
	for ; len(raw) >= epollEventSize; raw = raw[epollEventSize:] {
		got := binary.NativeEndian.Uint32(raw)
		if !t.tells(got) {
			continue
		}
		w := t.watched(th, epfd, binary.NativeEndian.Uint64(raw[epollDataOffset:]))
		t.revealed(e, w.fd, w.sock, w.events, got)
	}
}

// tells reports whether a poll result is one to deliver. That of plain POLLIN is the same for data
// and for the peer's FIN: the read after it tells which.
func (t *tracer) tells(got uint32) bool { return got&revealing != 0 || t.opts.AllCalls && got != 0 }

// revealed delivers a poll result. A level-triggered loop gets the same
// result again and again: that is noise.
func (t *tracer) revealed(e event.Call, fd int, s *socket, asked, got uint32) {
	if s == nil {
		return
	}
	if s.polled == got && !t.opts.AllCalls {
		t.fold()
		return
	}
	s.polled = got
	e.FD = fd
	e.Args, e.Text = flagWords(uint64(asked), pollFlags), flagWords(uint64(got), pollFlags)
	s.mark(&e)
	t.deliver(s, e)
}

// enterEpollCtl remembers which descriptor the program will recognise by which data. The
// result does not matter: a registration that failed is never reported.
func enterEpollCtl(t *tracer, th *thread, c *call) bool {
	if c.args[1] == unix.EPOLL_CTL_DEL {
		return false
	}
	fd := int(int32(c.args[2]))
	s := t.socketAt(th, fd)
	if s == nil {
		return false
	}
	var b [epollEventSize]byte
	if th.read(c.args[3], b[:]) < len(b) {
		return false
	}
	events := binary.NativeEndian.Uint32(b[:])
	th.files.watch(int(int32(c.args[0])), binary.NativeEndian.Uint64(b[epollDataOffset:]), watch{fd, s, events})
	return false
}

// watched returns what is registered with this data. A registration from before a fork is read
// from the kernel (proc_pid_fdinfo(5)).
func (t *tracer) watched(th *thread, epfd int, data uint64) watch {
	if w, ok := th.files.epolls[epfd][data]; ok {
		return w
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/fdinfo/%d", th.tid, epfd))
	if err != nil {
		return watch{}
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text()) // tfd: 5 events: 2019 data: 5 pos:0 ino:1a2b …
		if len(w) < 8 || w[0] != "tfd:" {
			continue
		}
		inode, _ := strconv.ParseUint(strings.TrimPrefix(w[7], "ino:"), 16, 64)
		if d, err := strconv.ParseUint(w[5], 16, 64); err != nil || d != data {
			continue
		}
		fd := number(w[1])
		if s := t.socketAt(th, fd); s != nil && s.inode == inode {
			events, _ := strconv.ParseUint(w[3], 16, 32) // 0 shows none
			return watch{fd, s, uint32(events)}
		}
	}
	return watch{}
}
