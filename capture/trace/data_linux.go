//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// textLimit is how much of what a call carried is kept.
const textLimit = 256

// vectorLimit is the kernel's own limit of one call's buffers (UIO_MAXIOV).
const vectorLimit = 1024

// enterSend also looks for TCP Fast Open, a connect by sendto or sendmsg (tcp(7), RFC 7413).
func enterSend(t *tracer, th *thread, c *call) bool {
	if !enterFD(t, th, c) {
		return false
	}
	flags, addr, size := c.args[3], c.args[4], c.args[5]
	if c.row.name == "sendmsg" {
		var b [16]byte // msg_name, msg_namelen
		th.read(c.args[1], b[:])
		flags, addr, size = c.args[2], binary.NativeEndian.Uint64(b[:]), uint64(binary.NativeEndian.Uint32(b[8:]))
	}
	if flags&unix.MSG_FASTOPEN != 0 {
		if c.peer = sockaddrArg(th, addr, size); c.peer.IsValid() {
			t.expect(c.sock, c.peer)
		}
	}
	return true
}

// leaveBuffer completes read, write, recvfrom and sendto; only the latter two have flags.
func leaveBuffer(t *tracer, th *thread, c *call, e event.Call) {
	var flags uint64
	if c.row.name == "recvfrom" || c.row.name == "sendto" {
		flags = c.args[3]
	}
	t.data(th, c, e, []buffer{{c.args[1], c.args[2]}}, flags)
}

// leaveVector completes readv, writev and their like.
func leaveVector(t *tracer, th *thread, c *call, e event.Call) {
	t.data(th, c, e, th.vector(c.args[1], c.args[2]), 0)
}

// leaveMessage completes recvmsg and sendmsg.
func leaveMessage(t *tracer, th *thread, c *call, e event.Call) {
	t.data(th, c, e, th.message(c.args[1]), c.args[2])
}

// leaveMessages completes recvmmsg and sendmmsg. On a TCP socket the messages are one stream,
// so the call counts as one of all their bytes.
func leaveMessages(t *tracer, th *thread, c *call, e event.Call) {
	var all []buffer
	var total int64
	if e.Ret > 0 {
		e.Note = join(e.Note, fmt.Sprintf("returned %d messages", e.Ret))
		for i := range min(uint64(e.Ret), vectorLimit) {
			header := c.args[1] + i*mmsghdrSize
			n := int64(th.word32(header + msghdrSize))
			all = append(all, cut(th.message(header), n)...)
			total += n
		}
		e.Ret = total
	}
	t.data(th, c, e, all, c.args[3])
}

// Sizes of struct msghdr and mmsghdr on 64-bit systems (recvmsg(2), recvmmsg(2)).
const msghdrSize, mmsghdrSize = 56, 64

func leaveSendfile(t *tracer, _ *thread, c *call, e event.Call) {
	e.Args = fmt.Sprintf("%d bytes from fd %d", c.args[3], int32(c.args[1]))
	t.deliver(c.sock, e)
}

// enterSplice finds out which of the two descriptors is the socket.
func enterSplice(t *tracer, th *thread, c *call) bool {
	for _, arg := range []int{0, 2} {
		c.fd = int(int32(c.args[arg]))
		if c.sock = t.socketAt(th, c.fd); c.sock != nil {
			return true
		}
	}
	return false
}

func leaveSplice(t *tracer, _ *thread, c *call, e event.Call) {
	direction, other := "from", c.args[0]
	if c.fd == int(int32(c.args[0])) {
		e.Name, direction, other = "recv", "to", c.args[2]
	}
	e.Args = fmt.Sprintf("%d bytes %s fd %d", c.args[4], direction, int32(other))
	t.deliver(c.sock, e)
}

// data completes a call that carried bytes.
func (t *tracer) data(th *thread, c *call, e event.Call, buffers []buffer, flags uint64) {
	var size uint64
	for _, b := range buffers {
		size += b.size
	}
	e.Args = fmt.Sprintf("%d bytes", size)
	if words := flagWords(flags, msgFlags); words != "" {
		e.Args += ", " + words
	}
	if c.peer.IsValid() {
		t.connected(th, c, e.Errno)
		c.sock.mark(&e)
	}
	e.Peek = flags&unix.MSG_PEEK != 0
	if e.Ret > 0 && flags&(unix.MSG_ERRQUEUE|unix.MSG_TRUNC) == 0 {
		e.Text = th.text(cut(buffers, e.Ret))
	}
	t.deliver(c.sock, e)
}

// buffer is memory of the traced program.
type buffer struct{ addr, size uint64 }

// cut returns the first n bytes of the buffers.
func cut(buffers []buffer, n int64) []buffer {
	var head []buffer
	for left := uint64(n); left > 0 && len(buffers) > 0; buffers = buffers[1:] {
		b := buffers[0]
		b.size = min(b.size, left)
		left -= b.size
		head = append(head, b)
	}
	return head
}

// text reads the beginning of what the buffers hold; "…" says that there was more.
func (th *thread) text(buffers []buffer) string {
	var b [textLimit]byte
	n, more := 0, false
	for _, part := range buffers {
		size := min(part.size, uint64(textLimit-n))
		more = more || size < part.size
		n += th.read(part.addr, b[n:n+int(size)])
	}
	if more {
		return string(b[:n]) + "…"
	}
	return string(b[:n])
}

// vector reads an array of struct iovec.
func (th *thread) vector(addr, count uint64) []buffer {
	count = min(count, vectorLimit)
	raw := make([]byte, count*16)
	raw = raw[:th.read(addr, raw)]
	var buffers []buffer
	for ; len(raw) >= 16; raw = raw[16:] {
		buffers = append(buffers, buffer{binary.NativeEndian.Uint64(raw), binary.NativeEndian.Uint64(raw[8:])})
	}
	return buffers
}

// message reads the buffers of a struct msghdr.
func (th *thread) message(addr uint64) []buffer {
	var b [msghdrSize]byte
	if th.read(addr, b[:]) < len(b) {
		return nil
	}
	return th.vector(binary.NativeEndian.Uint64(b[16:]), binary.NativeEndian.Uint64(b[24:]))
}

func (th *thread) word32(addr uint64) uint32 {
	var b [4]byte
	th.read(addr, b[:])
	return binary.NativeEndian.Uint32(b[:])
}

// read copies the program's memory and returns how many bytes could be read.
func (th *thread) read(addr uint64, b []byte) int {
	if len(b) == 0 || addr == 0 {
		return 0
	}
	local := []unix.Iovec{{Base: &b[0], Len: uint64(len(b))}}
	remote := []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}
	n, err := unix.ProcessVMReadv(th.tid, local, remote, 0)
	if err != nil {
		return 0
	}
	return n
}
