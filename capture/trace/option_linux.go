//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

func leaveSetsockopt(t *tracer, th *thread, c *call, e event.Call) {
	level, name := int(c.args[1]), int(c.args[2])
	e.Args = optionName(level, name) + ", " + th.optionValue(level, name, c.args[3], c.args[4])
	t.deliver(c.sock, e)
}

// leaveGetsockopt delivers SO_ERROR, which takes the pending error away, and SO_LINGER. All
// others only look.
func leaveGetsockopt(t *tracer, th *thread, c *call, e event.Call) {
	level, name := int(c.args[1]), int(c.args[2])
	ends := level == unix.SOL_SOCKET && (name == unix.SO_ERROR || name == unix.SO_LINGER)
	if !ends && !t.opts.AllCalls {
		t.fold()
		return
	}
	e.Args = optionName(level, name)
	if e.Errno == "" {
		e.Text = th.optionValue(level, name, c.args[3], uint64(th.word32(c.args[4])))
	}
	t.deliver(c.sock, e)
}

// optionValue reads an option's value as a person would write it.
func (th *thread) optionValue(level, name int, addr, size uint64) string {
	var b [16]byte
	n := th.read(addr, b[:min(size, uint64(len(b)))])
	return optionText(level, name, b[:n], size)
}

// OptionWords says what setsockopt was given, as a person would write it. value is the beginning of
// its size bytes.
func OptionWords(level, name int, value []byte, size uint64) string {
	return optionName(level, name) + ", " + optionText(level, name, value, size)
}

func optionText(level, name int, value []byte, size uint64) string {
	var b [16]byte
	if copy(b[:], value[:min(size, uint64(len(value)))]) < 4 {
		return fmt.Sprintf("(%d bytes)", size)
	}
	first := int32(binary.NativeEndian.Uint32(b[:]))
	if level != unix.SOL_SOCKET {
		return fmt.Sprint(first)
	}
	switch name {
	case unix.SO_ERROR:
		if first == 0 {
			return "0"
		}
		return errnoName(int64(first))
	case unix.SO_LINGER:
		return fmt.Sprintf("{l_onoff=%d, l_linger=%d}", first, int32(binary.NativeEndian.Uint32(b[4:])))
	case unix.SO_RCVTIMEO, unix.SO_SNDTIMEO:
		seconds, micros := binary.NativeEndian.Uint64(b[:]), binary.NativeEndian.Uint64(b[8:])
		return fmt.Sprintf("%d.%06ds", seconds, micros)
	}
	return fmt.Sprint(first)
}

// optionName returns the option's name in the headers, else its numbers.
func optionName(level, name int) string {
	table := map[int]map[int]string{unix.SOL_SOCKET: socketOptions, unix.IPPROTO_TCP: tcpOptions}
	if word := table[level][name]; word != "" {
		return word
	}
	switch level {
	case unix.SOL_SOCKET:
		return fmt.Sprintf("SOL_SOCKET %d", name)
	case unix.IPPROTO_TCP:
		return fmt.Sprintf("IPPROTO_TCP %d", name)
	case unix.IPPROTO_IP:
		return fmt.Sprintf("IPPROTO_IP %d", name)
	case unix.IPPROTO_IPV6:
		if name == unix.IPV6_V6ONLY {
			return "IPV6_V6ONLY"
		}
		return fmt.Sprintf("IPPROTO_IPV6 %d", name)
	}
	return fmt.Sprintf("level %d option %d", level, name)
}

var socketOptions = map[int]string{
	unix.SO_REUSEADDR: "SO_REUSEADDR", unix.SO_REUSEPORT: "SO_REUSEPORT", unix.SO_ERROR: "SO_ERROR",
	unix.SO_KEEPALIVE: "SO_KEEPALIVE", unix.SO_LINGER: "SO_LINGER", unix.SO_RCVBUF: "SO_RCVBUF",
	unix.SO_SNDBUF: "SO_SNDBUF", unix.SO_RCVTIMEO: "SO_RCVTIMEO", unix.SO_SNDTIMEO: "SO_SNDTIMEO",
	unix.SO_RCVLOWAT: "SO_RCVLOWAT", unix.SO_OOBINLINE: "SO_OOBINLINE", unix.SO_BROADCAST: "SO_BROADCAST",
	unix.SO_PRIORITY: "SO_PRIORITY", unix.SO_MARK: "SO_MARK", unix.SO_ZEROCOPY: "SO_ZEROCOPY",
	unix.SO_BINDTODEVICE: "SO_BINDTODEVICE", unix.SO_INCOMING_CPU: "SO_INCOMING_CPU",
	unix.SO_DOMAIN: "SO_DOMAIN", unix.SO_PROTOCOL: "SO_PROTOCOL", unix.SO_TIMESTAMP: "SO_TIMESTAMP",
	unix.SO_ATTACH_FILTER: "SO_ATTACH_FILTER", unix.SO_DETACH_FILTER: "SO_DETACH_FILTER",
	unix.SO_BUSY_POLL: "SO_BUSY_POLL", unix.SO_MAX_PACING_RATE: "SO_MAX_PACING_RATE",
	unix.SO_TYPE: "SO_TYPE", unix.SO_ACCEPTCONN: "SO_ACCEPTCONN", unix.SO_COOKIE: "SO_COOKIE",
}

var tcpOptions = map[int]string{
	unix.TCP_NODELAY: "TCP_NODELAY", unix.TCP_MAXSEG: "TCP_MAXSEG", unix.TCP_CORK: "TCP_CORK",
	unix.TCP_KEEPIDLE: "TCP_KEEPIDLE", unix.TCP_KEEPINTVL: "TCP_KEEPINTVL", unix.TCP_KEEPCNT: "TCP_KEEPCNT",
	unix.TCP_SYNCNT: "TCP_SYNCNT", unix.TCP_LINGER2: "TCP_LINGER2", unix.TCP_DEFER_ACCEPT: "TCP_DEFER_ACCEPT",
	unix.TCP_WINDOW_CLAMP: "TCP_WINDOW_CLAMP", unix.TCP_INFO: "TCP_INFO", unix.TCP_QUICKACK: "TCP_QUICKACK",
	unix.TCP_CONGESTION: "TCP_CONGESTION", unix.TCP_USER_TIMEOUT: "TCP_USER_TIMEOUT",
	unix.TCP_FASTOPEN: "TCP_FASTOPEN", unix.TCP_FASTOPEN_CONNECT: "TCP_FASTOPEN_CONNECT",
	unix.TCP_NOTSENT_LOWAT: "TCP_NOTSENT_LOWAT", unix.TCP_ULP: "TCP_ULP",
}

// flag is one bit and its name.
type flag struct {
	bit  uint64
	name string
}

var msgFlags = []flag{
	{unix.MSG_OOB, "MSG_OOB"}, {unix.MSG_PEEK, "MSG_PEEK"}, {unix.MSG_DONTROUTE, "MSG_DONTROUTE"},
	{unix.MSG_TRUNC, "MSG_TRUNC"}, {unix.MSG_DONTWAIT, "MSG_DONTWAIT"}, {unix.MSG_WAITALL, "MSG_WAITALL"},
	{unix.MSG_NOSIGNAL, "MSG_NOSIGNAL"}, {unix.MSG_ERRQUEUE, "MSG_ERRQUEUE"}, {unix.MSG_MORE, "MSG_MORE"},
	{unix.MSG_ZEROCOPY, "MSG_ZEROCOPY"}, {unix.MSG_FASTOPEN, "MSG_FASTOPEN"}, {unix.MSG_CMSG_CLOEXEC, "MSG_CMSG_CLOEXEC"},
}

var pollFlags = []flag{
	{unix.POLLIN, "POLLIN"}, {unix.POLLPRI, "POLLPRI"}, {unix.POLLOUT, "POLLOUT"},
	{unix.POLLRDHUP, "POLLRDHUP"}, {unix.POLLERR, "POLLERR"}, {unix.POLLHUP, "POLLHUP"},
}

// MessageFlags names the flags of a send or receive call.
func MessageFlags(bits uint64) string { return flagWords(bits, msgFlags) }

// flagWords names the bits that are set; bits without a name are left out.
func flagWords(bits uint64, table []flag) string {
	var words []string
	for _, f := range table {
		if bits&f.bit != 0 {
			words = append(words, f.name)
		}
	}
	return strings.Join(words, "|")
}
