package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// Diag is an open sock_diag(7) socket of the network namespace it was opened in. It needs no
// privilege. It is not for concurrent use.
type Diag struct {
	fd  int
	seq uint32
	buf []byte
}

// OpenDiag opens a Diag. It fails where the kernel answers no question about TCP: such a kernel says of
// every endpoint that there is none.
func OpenDiag() (*Diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", os.NewSyscallError("socket", err))
	}
	d := &Diag{fd: fd, buf: make([]byte, 64<<10)}
	const none = 0 // of the states
	if err := d.dump(unix.AF_INET, none, func(event.Socket) {}); err != nil {
		d.Close()
		err = fmt.Errorf("open sock_diag: %w", err)
		if errors.Is(err, unix.ENOENT) {
			err = hint.With(err, "this kernel has no module tcp_diag, or may not load it: modprobe tcp_diag")
		}
		return nil, err
	}
	return d, nil
}

// Close releases the socket.
func (d *Diag) Close() error { return os.NewSyscallError("close", unix.Close(d.fd)) }

// Sample returns what the kernel knows of the endpoint whose socket has these addresses. State
// is Closed when it knows none.
func (d *Diag) Sample(local, remote netip.AddrPort) (event.Sample, error) {
	local, remote = unmap(local), unmap(remote)
	// A lookup without locks can miss an endpoint that changes its representation just then
	// (request to socket, socket to TIME_WAIT), so only a second miss is believed.
	for range 2 {
		s, err := d.find(local, remote)
		switch {
		case err == nil && s.State != event.Listen:
			return s, nil
		case err != nil && !errors.Is(err, unix.ENOENT):
			return event.Sample{}, fmt.Errorf("sample %v to %v: %w", local, remote, err)
		}
	}
	return event.Sample{Time: clock(), Local: local, Remote: remote, State: event.Closed}, nil
}

// unmap returns a with an IPv4-mapped address turned into IPv4.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// find asks for the one socket that a packet from remote to local would reach. That is a
// listener's where no connection's is there.
func (d *Diag) find(local, remote netip.AddrPort) (event.Sample, error) {
	if local.Addr().Is4() != remote.Addr().Is4() || !local.IsValid() || !remote.IsValid() {
		return event.Sample{}, fmt.Errorf("addresses do not belong together: %w", unix.EINVAL)
	}
	if err := d.ask(diagRequest(d.next(), local, remote)); err != nil {
		return event.Sample{}, err
	}
	for {
		n, err := d.receive()
		if err != nil {
			return event.Sample{}, err
		}
		if s, done, err := d.answer(d.buf[:n]); done {
			return s, err
		}
	}
}

// next numbers a request.
func (d *Diag) next() uint32 {
	d.seq++
	return d.seq
}

func (d *Diag) ask(request []byte) error {
	return os.NewSyscallError("sendto", retry(func() error {
		return unix.Sendto(d.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}))
}

func (d *Diag) receive() (n int, err error) {
	err = retry(func() (err error) { n, _, err = unix.Recvfrom(d.fd, d.buf, 0); return err })
	return n, os.NewSyscallError("recvfrom", err)
}

// message is one of netlink's.
type message struct {
	kind uint16
	body []byte
}

// messages yields those in b that answer the last request.
func (d *Diag) messages(b []byte) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.NLMSG_HDRLEN || size > len(b) {
				yield(message{}, fmt.Errorf("netlink message of %d bytes: %w", size, unix.EBADMSG))
				return
			}
			m := message{binary.NativeEndian.Uint16(b[4:]), b[unix.NLMSG_HDRLEN:size]}
			if seq := binary.NativeEndian.Uint32(b[8:]); seq == d.seq && !yield(m, nil) {
				return
			}
			b = b[min(len(b), (size+3)&^3):]
		}
	}
}

// answer looks for the answer among the netlink messages in b; done says that it is there.
func (d *Diag) answer(b []byte) (s event.Sample, done bool, err error) {
	now := clock()
	for m, err := range d.messages(b) {
		switch {
		case err != nil:
			return s, true, err
		case m.kind == unix.NLMSG_ERROR && len(m.body) >= 4:
			return s, true, unix.Errno(-int32(binary.NativeEndian.Uint32(m.body)))
		case m.kind == unix.SOCK_DIAG_BY_FAMILY:
			s, err = parseDiag(m.body)
			s.Time = now
			return s, true, err
		}
	}
	return s, false, nil
}

// diagRequest is a netlink message with struct inet_diag_req_v2 (linux/inet_diag.h).
func diagRequest(seq uint32, local, remote netip.AddrPort) []byte {
	const size = unix.NLMSG_HDRLEN + 56
	b := make([]byte, 0, size)
	b = binary.NativeEndian.AppendUint32(b, size)
	b = binary.NativeEndian.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0) // to the kernel
	family := byte(unix.AF_INET)
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	b = append(b, family, unix.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, ^uint32(0)) // any state
	b = binary.BigEndian.AppendUint16(b, local.Port())
	b = binary.BigEndian.AppendUint16(b, remote.Port())
	b = append(b, diagAddr(local.Addr())...)
	b = append(b, diagAddr(remote.Addr())...)
	b = binary.NativeEndian.AppendUint32(b, 0)          // any interface
	b = binary.NativeEndian.AppendUint64(b, ^uint64(0)) // any cookie
	return b
}

// diagAddr is an address in its 16-byte field: IPv4 stands in the first four.
func diagAddr(a netip.Addr) []byte {
	b := make([]byte, 16)
	copy(b, a.AsSlice())
	return b
}

// parseDiag reads struct inet_diag_msg (linux/inet_diag.h).
func parseDiag(b []byte) (event.Sample, error) {
	if len(b) < 72 {
		return event.Sample{}, fmt.Errorf("sock_diag answer of %d bytes: %w", len(b), unix.EBADMSG)
	}
	var s event.Sample
	s.State = event.TCPState(b[1])
	if s.State == event.NewSynRecv {
		s.State = event.SynRecv
	}
	s.Timer = timerName(b[2])
	s.Retransmits = int(b[3])
	s.Local = netip.AddrPortFrom(parseDiagAddr(b[0], b[8:24]), binary.BigEndian.Uint16(b[4:]))
	s.Remote = netip.AddrPortFrom(parseDiagAddr(b[0], b[24:40]), binary.BigEndian.Uint16(b[6:]))
	if s.Timer != "" {
		s.Left = int64(binary.NativeEndian.Uint32(b[52:])) * int64(time.Millisecond)
	}
	s.RecvQ, s.SendQ = queues(s.State, int(binary.NativeEndian.Uint32(b[56:])), int(binary.NativeEndian.Uint32(b[60:])))
	s.Orphan = binary.NativeEndian.Uint32(b[68:]) == 0
	return s, nil
}

func parseDiagAddr(family byte, b []byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}

// queues turns the kernel's sequence differences (net/ipv4/tcp_diag.c, tcp_diag_get_info)
// into bytes: they count a FIN or SYN in the queue as one.
func queues(state event.TCPState, recv, send int) (recvQ, sendQ int) {
	switch state {
	case event.CloseWait, event.LastAck, event.Closing:
		// The peer's FIN is the last thing that a reader takes from the queue.
		recv = max(recv-1, 0)
	}
	switch state {
	case event.SynSent, event.SynRecv, event.FinWait1, event.LastAck, event.Closing:
		send = max(send-1, 0)
	}
	return recv, send
}

// timerName names inet_diag_msg's idiag_timer.
func timerName(t byte) string {
	switch t {
	case 1:
		return "retransmit"
	case 2:
		return "keepalive"
	case 3:
		return "timewait"
	case 4:
		return "probe"
	}
	return ""
}

// clock reads the clock that packets are stamped with.
func clock() event.Time { return event.Time(time.Now().UnixNano()) }

// retry calls f until no signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
