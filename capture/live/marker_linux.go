package live

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// marker is a UDP socket of the loopback connected to itself. What it sends comes past the
// capture, which recognises it by ports, addresses and a random nonce.
type marker struct {
	fd    int
	addr  netip.AddrPort
	nonce [16]byte
}

// markerLen is the payload: nonce and round.
const markerLen = 16 + 8

func openMarker() (*marker, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open marker socket: %w", err)
	}
	m := &marker{fd: fd}
	if err := m.connect(); err != nil {
		m.close()
		return nil, fmt.Errorf("connect marker socket: %w", err)
	}
	if _, err := rand.Read(m.nonce[:]); err != nil {
		m.close()
		return nil, fmt.Errorf("read nonce: %w", err)
	}
	if err := m.stampAtSend(); err != nil {
		m.close()
		return nil, fmt.Errorf("send marker: %w", err)
	}
	return m, nil
}

func (m *marker) connect() error {
	lo := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(m.fd, lo); err != nil {
		return os.NewSyscallError("bind", err)
	}
	sa, err := unix.Getsockname(m.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	self, ok := sa.(*unix.SockaddrInet4)
	if !ok {
		return errors.New("bound to another address family")
	}
	m.addr = netip.AddrPortFrom(netip.AddrFrom4(self.Addr), uint16(self.Port))
	return os.NewSyscallError("connect", unix.Connect(m.fd, self))
}

// stampAtSend makes the kernel stamp every packet of the machine when it is queued for
// reception: on the loopback that is inside the call that sent it, not when a softirq gets to
// it. Any socket that asks for stamps turns that on (net/core/dev.c, net_enable_timestamp), by
// way of a work queue; so datagrams are sent until one comes back stamped before its sender
// had returned. A kernel that never does stamps a little late and no worse.
func (m *marker) stampAtSend() error {
	if err := unix.SetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	tv := unix.NsecToTimeval(int64(20 * time.Millisecond))
	if err := unix.SetsockoptTimeval(m.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	oob := make([]byte, 128)
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); {
		if err := m.write([]byte("closecap")); err != nil {
			return err
		}
		var sent unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &sent); err != nil {
			return os.NewSyscallError("clock_gettime", err)
		}
		_, n, _, _, err := unix.Recvmsg(m.fd, nil, oob, 0)
		if err == nil && stampedBefore(oob[:n], sent) {
			return nil
		}
	}
	return nil
}

func stampedBefore(oob []byte, t unix.Timespec) bool {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return false
	}
	for _, c := range msgs {
		if c.Header.Type == unix.SCM_TIMESTAMPNS && len(c.Data) >= 16 {
			sec := int64(binary.NativeEndian.Uint64(c.Data))
			nsec := int64(binary.NativeEndian.Uint64(c.Data[8:]))
			return sec*1e9+nsec <= t.Nano()
		}
	}
	return false
}

// send sends one marker of the round and forgets the markers that came back.
func (m *marker) send(round uint64) error {
	b := make([]byte, 0, markerLen)
	b = append(b, m.nonce[:]...)
	b = binary.BigEndian.AppendUint64(b, round)
	err := m.write(b)
	for {
		if _, _, err := unix.Recvfrom(m.fd, b[:0], unix.MSG_DONTWAIT); err != nil && err != unix.EINTR {
			break
		}
	}
	return err
}

func (m *marker) write(b []byte) error {
	for {
		err := unix.Send(m.fd, b, 0)
		if err != unix.EINTR {
			return os.NewSyscallError("send", err)
		}
	}
}

// round returns the round of a captured packet, ok false for a packet that is no marker.
func (m *marker) round(packet []byte) (round uint64, ok bool) {
	if len(packet) < markerLen {
		return 0, false
	}
	payload := packet[len(packet)-markerLen:]
	if !bytes.Equal(payload[:16], m.nonce[:]) {
		return 0, false
	}
	return binary.BigEndian.Uint64(payload[16:]), true
}

func (m *marker) close() { unix.Close(m.fd) }
