package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"closecap/analyze/event"
)

// Diag is an open sock_diag(7) socket of the network namespace it was opened in. It needs no
// privilege. It is not for concurrent use.
type Diag struct {
	fd  int
	seq uint32
	buf []byte
}

// OpenDiag opens a Diag.
func OpenDiag() (*Diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open sock_diag: %w", os.NewSyscallError("socket", err))
	}
	return &Diag{fd: fd, buf: make([]byte, 64<<10)}, nil
}

// Close releases the socket.
func (d *Diag) Close() error { return os.NewSyscallError("close", unix.Close(d.fd)) }

// Sample returns what the kernel knows of the endpoint whose socket has these addresses. State
// is Closed when it knows none.
func (d *Diag) Sample(local, remote netip.AddrPort) (event.Sample, error) {
	local, remote = unmap(local), unmap(remote)
	closed := event.Sample{Local: local, Remote: remote, State: event.Closed}
	// A lookup without locks can miss an endpoint that changes its representation just then
	// (request to socket, socket to TIME_WAIT), so only a second miss is believed.
	for range 2 {
		s, err := d.find(local, remote)
		closed.Time = s.Time
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return event.Sample{}, fmt.Errorf("sample %v to %v: %w", local, remote, err)
		}
		if s.IsListener() {
			return closed, nil
		}
		return s.Sample, nil
	}
	return closed, nil
}

// Listener returns the listener that a SYN to local would reach. The error wraps os.ErrNotExist
// when there is none.
func (d *Diag) Listener(local netip.AddrPort) (Socket, error) {
	local = unmap(local)
	any := netip.IPv4Unspecified()
	if local.Addr().Is6() {
		any = netip.IPv6Unspecified()
	}
	s, err := d.find(local, netip.AddrPortFrom(any, 0))
	if err == nil && !s.IsListener() {
		err = unix.ENOENT
	}
	if err != nil {
		return Socket{}, fmt.Errorf("find listener %v: %w", local, err)
	}
	return s, nil
}

// find asks for the one socket that a packet from remote to local would reach.
func (d *Diag) find(local, remote netip.AddrPort) (Socket, error) {
	if local.Addr().Is4() != remote.Addr().Is4() || !local.IsValid() || !remote.IsValid() {
		return Socket{}, fmt.Errorf("addresses do not belong together: %w", unix.EINVAL)
	}
	req := diagRequest{local: local, remote: remote, states: ^uint32(0)}
	var found Socket
	err := d.ask(req, func(s Socket) { found = s })
	if found.Time == 0 {
		found.Time = clock()
		if err == nil {
			err = unix.ENOENT
		}
	}
	return found, err
}

// Sockets lists the TCP sockets that have port on either side, listeners and TIME_WAIT
// included, IPv4 and IPv6. Port 0 lists all.
func (d *Diag) Sockets(port uint16) ([]Socket, error) {
	var all []Socket
	for _, ip := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		req := diagRequest{
			local: netip.AddrPortFrom(ip, 0), remote: netip.AddrPortFrom(ip, 0),
			states: ^uint32(0), dump: true,
		}
		err := d.ask(req, func(s Socket) {
			if port == 0 || s.Local.Port() == port || s.Remote.Port() == port {
				all = append(all, s)
			}
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
	}
	return all, nil
}

// ask sends one request and calls each with every socket of the answer.
func (d *Diag) ask(req diagRequest, each func(Socket)) error {
	d.seq++
	if err := retry(func() error {
		return unix.Sendto(d.fd, req.marshal(d.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for {
		var n int
		err := retry(func() (err error) { n, _, err = unix.Recvfrom(d.fd, d.buf, 0); return err })
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		done, err := d.answers(d.buf[:n], req.dump, each)
		if done || err != nil {
			return err
		}
	}
}

// answers walks the netlink messages in b; done says that the answer is complete.
func (d *Diag) answers(b []byte, dump bool, each func(Socket)) (done bool, err error) {
	now := clock()
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return true, fmt.Errorf("netlink message of %d bytes: %w", size, unix.EBADMSG)
		}
		kind := binary.NativeEndian.Uint16(b[4:])
		seq := binary.NativeEndian.Uint32(b[8:])
		body := b[unix.NLMSG_HDRLEN:size]
		b = b[min(len(b), (size+3)&^3):]
		if seq != d.seq {
			continue
		}
		switch {
		case kind == unix.NLMSG_DONE:
			return true, nil
		case kind == unix.NLMSG_ERROR && len(body) >= 4:
			if errno := -int32(binary.NativeEndian.Uint32(body)); errno != 0 {
				return true, unix.Errno(errno)
			}
			return true, nil
		case kind == unix.SOCK_DIAG_BY_FAMILY:
			s, err := parseDiag(body)
			if err != nil {
				return true, err
			}
			s.Time = now
			each(s)
			done = !dump
		}
	}
	return done, nil
}

// diagRequest is struct inet_diag_req_v2 (linux/inet_diag.h).
type diagRequest struct {
	local, remote netip.AddrPort
	states        uint32
	dump          bool
}

func (r diagRequest) marshal(seq uint32) []byte {
	const size = unix.NLMSG_HDRLEN + 56
	flags := uint16(unix.NLM_F_REQUEST)
	if r.dump {
		flags |= unix.NLM_F_DUMP
	}
	b := make([]byte, 0, size)
	b = binary.NativeEndian.AppendUint32(b, size)
	b = binary.NativeEndian.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0) // to the kernel
	family := byte(unix.AF_INET)
	if r.local.Addr().Is6() {
		family = unix.AF_INET6
	}
	b = append(b, family, unix.IPPROTO_TCP, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, r.states)
	b = binary.BigEndian.AppendUint16(b, r.local.Port())
	b = binary.BigEndian.AppendUint16(b, r.remote.Port())
	b = append(b, diagAddr(r.local.Addr())...)
	b = append(b, diagAddr(r.remote.Addr())...)
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
func parseDiag(b []byte) (Socket, error) {
	if len(b) < 72 {
		return Socket{}, fmt.Errorf("sock_diag answer of %d bytes: %w", len(b), unix.EBADMSG)
	}
	var s Socket
	s.State = event.TCPState(b[1])
	if s.State == event.NewSynRecv {
		s.State = event.SynRecv
	}
	s.Timer = timerName(b[2])
	s.Retransmits = int(b[3])
	s.Local = netip.AddrPortFrom(parseDiagAddr(b[0], b[8:24]), binary.BigEndian.Uint16(b[4:]))
	s.Remote = netip.AddrPortFrom(parseDiagAddr(b[0], b[24:40]), binary.BigEndian.Uint16(b[6:]))
	if cookie := binary.NativeEndian.Uint64(b[44:]); cookie != ^uint64(0) {
		s.Cookie = cookie
	}
	if s.Timer != "" {
		s.Left = int64(binary.NativeEndian.Uint32(b[52:])) * int64(time.Millisecond)
	}
	s.setQueues(int(binary.NativeEndian.Uint32(b[56:])), int(binary.NativeEndian.Uint32(b[60:])))
	s.UID = binary.NativeEndian.Uint32(b[64:])
	s.Inode = uint64(binary.NativeEndian.Uint32(b[68:]))
	s.Orphan = s.Inode == 0
	return s, nil
}

func parseDiagAddr(family byte, b []byte) netip.Addr {
	if family == unix.AF_INET {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}

// setQueues turns the kernel's sequence differences (net/ipv4/tcp_diag.c, tcp_diag_get_info)
// into bytes: they count a FIN or SYN in the queue as one.
func (s *Socket) setQueues(recv, send int) {
	switch s.State {
	case event.Listen:
		s.Queue, s.QueueMax = recv, send
		return
	case event.CloseWait, event.LastAck, event.Closing:
		// The peer's FIN is the last thing that a reader takes from the queue.
		recv = max(recv-1, 0)
	}
	switch s.State {
	case event.SynSent, event.SynRecv, event.FinWait1, event.LastAck, event.Closing:
		send = max(send-1, 0)
	}
	s.RecvQ, s.SendQ = recv, send
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
