package words

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// ftpCommand follows what a client asks of a data connection (RFC 959 4.1.2, 4.1.3, RFC 2428). A command before it may
// have no reply yet.
func (r *mail) ftpCommand(line []byte, asked bool) {
	t := r.transfer
	switch r.verb {
	case "PORT":
		r.names(hostPort(string(line)), true)
	case "EPRT":
		if f := strings.Split(string(line), "|"); len(f) == 5 {
			r.names(addrPort(f[2], f[3]), true)
		}
	case "STOR", "STOU", "APPE", "RETR", "LIST", "NLST", "MLSD":
		switch {
		case t != nil && t.Command == "":
			t.Command, t.blind = r.verb, asked
		case t.waits():
			t.blind = true
			fallthrough
		default: // to a port of before
			r.transfer = nil
		}
	case "ABOR":
		if t.waits() {
			t.abort = r.at[Client]
		}
	case "QUIT":
		if t.waits() {
			t.quit = true
		}
	default:
		if t.waits() { // whose reply the next one is, servers do not agree
			t.blind = true
		}
	}
}

// ftpReplied follows what a server says of a data connection.
func (r *mail) ftpReplied() {
	switch {
	case r.code == 227 && r.verb == "PASV":
		r.names(hostPort(r.reply), false)
	case r.code == 229 && r.verb == "EPSV":
		if f := strings.Split(r.reply, "|"); len(f) == 5 {
			r.names(addrPort("0.0.0.0", f[3]), false)
		}
	}
	if r.transfer.waits() {
		r.transfer.replied(r.code, r.reply, r.at[Server])
	}
}

// names notes that the ends have agreed to which port the data connection is to go.
func (r *mail) names(to netip.AddrPort, active bool) {
	if r.transfer.waits() {
		r.transfer.blind = true
	}
	r.transfer, r.named = nil, nil
	if to.IsValid() {
		r.transfer = &transfer{to: to, active: active, at: max(r.at[Client].frame, r.at[Server].frame)}
		r.named = r.transfer
	}
}

// ended takes the first segment by which an end closes the control connection, before what it says itself.
func (r *mail) ended(e End, s *event.Segment, ends *[2]end) {
	said := &ends[Server]
	whole := said.held == 0 && (e == Server && s.Seq == said.next || e == Client && s.Ack.Diff(said.next) <= 0)
	t := r.transfer
	if t != nil && e == Server {
		t.shut = whole
	}
	switch {
	case t == nil || t.over.frame != 0:
	case t.code == 0 && !whole:
		t.blind = true
	case t.code == 0, e == Client && r.verb == t.Command: // that it said no more
		t.over, t.ender = spot{s.Frame, s.Time}, e
		t.heard = t.code != 0 && s.Ack == said.next
	}
}

// acknowledged takes what the server says: it must not have more of the client than was captured.
func (r *mail) acknowledged(s *event.Segment, client *end) {
	has := s.Ack.Diff(client.next)
	if client.fin {
		has--
	}
	if r.transfer != nil && has > 0 {
		r.transfer.blind = true
	}
}

// hostPort reads the six numbers that stand for a host and a port in line, none where there are not six.
func hostPort(line string) (none netip.AddrPort) {
	numbers := strings.FieldsFunc(line, func(c rune) bool { return c < '0' || c > '9' })
	if len(numbers) < 6 {
		return none
	}
	var b [6]byte
	for i, n := range numbers[len(numbers)-6:] {
		v, err := strconv.ParseUint(n, 10, 8)
		if err != nil {
			return none
		}
		b[i] = byte(v)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), uint16(b[4])<<8|uint16(b[5]))
}

func addrPort(host, port string) (none netip.AddrPort) {
	a, err := netip.ParseAddr(host)
	p, wrong := strconv.ParseUint(port, 10, 16)
	if err != nil || wrong != nil {
		return none
	}
	return netip.AddrPortFrom(a, uint16(p))
}

// withoutTelnet is a line without Telnet's commands, which may announce an ABOR (RFC 959 4.1.3).
func withoutTelnet(line []byte) []byte {
	const first = 0xf0
	for len(line) > 0 && line[0] >= first {
		line = line[1:]
	}
	return line
}
