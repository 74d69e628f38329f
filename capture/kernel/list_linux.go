package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// listed are the states that List asks for: all but sockets that are only bound.
const listed = 1<<(event.NewSynRecv+1) - 1

// List returns every TCP socket of the network namespace, both families, each once.
func (d *Diag) List() ([]event.Socket, error) {
	var all []event.Socket
	seen := map[uint64]bool{}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		err := d.dump(family, listed, func(s event.Socket) {
			// The kernel walks its table in parts: what moves meanwhile can come twice.
			if !seen[s.Cookie] {
				seen[s.Cookie] = true
				all = append(all, s)
			}
		})
		if err != nil {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
	}
	return all, nil
}

// dump calls each for the sockets of a family in one of the states, a bit each.
func (d *Diag) dump(family byte, states uint32, each func(event.Socket)) error {
	if err := d.ask(dumpRequest(d.next(), family, states)); err != nil {
		return err
	}
	for {
		n, err := d.receive()
		if err != nil {
			return err
		}
		now := clock()
		for m, err := range d.messages(d.buf[:n]) {
			switch {
			case err != nil:
				return err
			case m.kind == unix.NLMSG_DONE:
				return doneError(m.body)
			case m.kind == unix.NLMSG_ERROR && len(m.body) >= 4:
				return errnoOf(m.body)
			case m.kind == unix.SOCK_DIAG_BY_FAMILY:
				s, err := parseSocket(m.body)
				if err != nil {
					return err
				}
				s.Time = now
				each(s)
			}
		}
	}
}

// dumpRequest asks for all sockets of a family with their tcp_info.
func dumpRequest(seq uint32, family byte, states uint32) []byte {
	any := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	b := diagRequest(seq, any, any)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	request := b[unix.NLMSG_HDRLEN:]
	request[0] = family
	request[2] = 1 << (diagInfo - 1)
	binary.NativeEndian.PutUint32(request[4:], states)
	return b
}

// diagInfo is INET_DIAG_INFO (linux/inet_diag.h).
const diagInfo = 2

// parseSocket reads struct inet_diag_msg and the attributes behind it.
func parseSocket(b []byte) (event.Socket, error) {
	sample, err := parseDiag(b)
	if err != nil {
		return event.Socket{}, err
	}
	s := event.Socket{
		Sample: sample,
		Cookie: binary.NativeEndian.Uint64(b[44:]),
		UID:    binary.NativeEndian.Uint32(b[64:]),
		Inode:  uint64(binary.NativeEndian.Uint32(b[68:])),
	}
	switch s.State {
	case event.Listen:
		s.Waiting, s.Backlog, s.RecvQ, s.SendQ, s.Orphan = s.RecvQ, s.SendQ, 0, 0, false
	case event.CloseWait, event.LastAck, event.Closing:
		s.EndRead = binary.NativeEndian.Uint32(b[56:]) == 0
	}
	for b = b[72:]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return s, fmt.Errorf("sock_diag attribute of %d bytes: %w", size, unix.EBADMSG)
		}
		if binary.NativeEndian.Uint16(b[2:]) == diagInfo {
			s.Info = parseInfo(s.State, b[unix.SizeofRtAttr:size])
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return s, nil
}

// parseInfo reads struct tcp_info, nil where it is none of a connection's.
func parseInfo(state event.TCPState, b []byte) *event.TCPInfo {
	var at unix.TCPInfo // for its offsets
	if state == event.Listen || len(b) < int(unsafe.Offsetof(at.Notsent_bytes))+4 {
		return nil
	}
	word := func(offset uintptr) int64 { return int64(binary.NativeEndian.Uint32(b[offset:])) }
	const ms = int64(time.Millisecond)
	window := 0
	if at := unsafe.Offsetof(at.Snd_wnd); len(b) >= int(at)+4 {
		window = int(word(at))
	}
	return &event.TCPInfo{
		Window:       window,
		MSS:          int(word(unsafe.Offsetof(at.Snd_mss))),
		RTO:          word(unsafe.Offsetof(at.Rto)) * int64(time.Microsecond),
		Backoff:      int(b[unsafe.Offsetof(at.Backoff)]),
		Unsent:       int(word(unsafe.Offsetof(at.Notsent_bytes))),
		LastSent:     word(unsafe.Offsetof(at.Last_data_sent)) * ms,
		LastReceived: word(unsafe.Offsetof(at.Last_data_recv)) * ms,
		LastACK:      word(unsafe.Offsetof(at.Last_ack_recv)) * ms,
	}
}

// doneError is why a dump ended: what could not even begin is told with its end (netlink_dump_done).
func doneError(body []byte) error {
	if len(body) < 4 || int32(binary.NativeEndian.Uint32(body)) >= 0 {
		return nil
	}
	return errnoOf(body)
}

func errnoOf(body []byte) error {
	return os.NewSyscallError("sock_diag", unix.Errno(-int32(binary.NativeEndian.Uint32(body))))
}
