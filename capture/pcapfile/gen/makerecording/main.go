// Command makerecording writes a recording for the benchmark of the join to standard output:
// calls of clients and one server on loopback, and the packets that they cause.
//
// On each connection the client asks and the server answers, in rounds: in a round every end
// waits in a recv before the first of them sends, so that calls of all connections overlap.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/pcapfile"
)

func main() {
	connections := flag.Int("connections", 1, "how many, all of them open at a time")
	calls := flag.Int("calls", 10_000, "how many on all of them, at least 8 each")
	half := flag.Bool("half", false, "leave out the handshakes and the server's calls, as where another machine serves and the capture began late")
	flag.Parse()
	if err := write(os.Stdout, *connections, *calls, *half); err != nil {
		fmt.Fprintln(os.Stderr, "makerecording:", err)
		os.Exit(1)
	}
}

// The calls of a connection, and of a round on it.
const (
	callsBeside  = 8
	callsInRound = 4
)

const (
	start = event.Time(1_764_000_000_000_000_000)
	step  = 10_000 // nanoseconds from one deed to the next
	size  = 64     // bytes of a request, and of an answer
)

const (
	fin = 1
	syn = 2
	psh = 8
	ack = 16
)

// The ends of a connection.
const (
	client = iota
	server
)

var names = [2]string{"client", "server"}

// conn is one connection's place in its streams.
type conn struct {
	addr [2]netip.AddrPort
	seq  [2]uint32
	fd   [2]int
}

type maker struct {
	w     *pcapfile.Writer
	conns []conn
	half  bool
	now   event.Time
	err   error
	frame []byte
}

func write(out io.Writer, connections, calls int, half bool) error {
	run := event.Run{Tool: "makerecording", Source: "lo", LinkType: "RAW", SameHost: !half}
	buffered := bufio.NewWriterSize(out, 1<<20)
	w, err := pcapfile.NewWriter(buffered, &run, pcapfile.Interface{Name: "lo"})
	if err != nil {
		return err
	}
	m := &maker{w: w, now: start, conns: make([]conn, connections), half: half}
	for i := range m.conns {
		m.connect(i)
	}
	for range (calls/connections - callsBeside) / callsInRound {
		m.round()
	}
	for i := range m.conns {
		m.close(i)
	}
	if m.err != nil {
		return m.err
	}
	if err := w.Close(&run, nil, ""); err != nil {
		return err
	}
	return buffered.Flush()
}

// connect opens connection i: a port of 127.1.x.y for each, 25,000 of one address.
func (m *maker) connect(i int) {
	c := &m.conns[i]
	own := netip.AddrFrom4([4]byte{127, 1, byte(i / 25_000 >> 8), byte(i / 25_000)})
	c.addr = [2]netip.AddrPort{
		netip.AddrPortFrom(own, uint16(32768+i%25_000)),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 8080),
	}
	c.fd = [2]int{10 + i, 10 + i}
	m.call(i, client, "connect", "127.0.0.1:8080", 0, 5*step)
	m.packet(c, client, syn, 0)
	m.packet(c, server, syn|ack, 0)
	m.packet(c, client, ack, 0)
	m.call(i, server, "accept", "", 0, step/2)
	m.call(i, client, "setsockopt", "TCP_NODELAY, 1", 0, step/2)
}

// round lets every connection ask and answer once.
func (m *maker) round() {
	ends := event.Time(len(m.conns)) * step
	for i := range m.conns {
		m.call(i, server, "recv", fmt.Sprintf("%d bytes", 4*size), size, ends+event.Time(i+2)*step)
	}
	for i := range m.conns {
		m.call(i, client, "send", fmt.Sprintf("%d bytes", size), size, 2*step)
		m.packet(&m.conns[i], client, psh|ack, size)
	}
	for i := range m.conns {
		m.call(i, client, "recv", fmt.Sprintf("%d bytes", 4*size), size, ends+event.Time(i+2)*step)
	}
	for i := range m.conns {
		m.call(i, server, "send", fmt.Sprintf("%d bytes", size), size, 2*step)
		m.packet(&m.conns[i], server, psh|ack, size)
	}
}

func (m *maker) close(i int) {
	c := &m.conns[i]
	m.call(i, client, "shutdown", "SHUT_WR", 0, 2*step)
	m.packet(c, client, fin|ack, 0)
	m.call(i, server, "recv", fmt.Sprintf("%d bytes", 4*size), 0, step/2)
	m.call(i, server, "close", "", 0, 3*step)
	m.packet(c, server, fin|ack, 0)
	m.packet(c, client, ack, 0)
	m.call(i, client, "recv", fmt.Sprintf("%d bytes", 4*size), 0, step/2)
	m.call(i, client, "close", "", 0, step/2)
}

// call writes a call of one end of connection i that lasts for a time.
func (m *maker) call(i, end int, name, args string, ret int64, lasts event.Time) {
	m.now += step
	if m.half && end == server {
		return
	}
	c := &m.conns[i]
	k := event.Call{
		Actor: names[end], PID: 100 + end, TID: 100_000*(1+end) + i, FD: c.fd[end],
		Socket: uint64(2*i + end + 1), Local: c.addr[end], Remote: c.addr[1-end],
		Name: name, Args: args, Ret: ret, Start: m.now, End: m.now + lasts, RecvQ: -1,
		Blocked: lasts > 5*step,
	}
	switch {
	case name == "accept":
		k.Ret, k.FD, k.Accepted = int64(c.fd[end]), 3, c.fd[end]
	case name == "close":
		k.RecvQ = 0
		k.Samples = []event.Sample{{Time: k.End, Local: k.Local, Remote: k.Remote, State: [2]event.TCPState{event.TimeWait, event.Closed}[end]}}
	case ret > 0:
		k.Text = "some bytes of a request or an answer"
	}
	if err := m.w.Call(&k); m.err == nil {
		m.err = err
	}
}

// packet writes a segment from one end, over IPv4 without a link layer.
func (m *maker) packet(c *conn, from int, flags byte, payload int) {
	m.now += step
	to := 1 - from
	source, target := c.addr[from].Addr().As4(), c.addr[to].Addr().As4()
	b := append(m.frame[:0], 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(40+payload))
	b = append(b, 0, 0, 0x40, 0, 64, 6, 0, 0)
	b = append(append(b, source[:]...), target[:]...)
	b = binary.BigEndian.AppendUint16(b, c.addr[from].Port())
	b = binary.BigEndian.AppendUint16(b, c.addr[to].Port())
	b = binary.BigEndian.AppendUint32(b, c.seq[from])
	if flags&ack != 0 {
		b = binary.BigEndian.AppendUint32(b, c.seq[to])
	} else {
		b = append(b, 0, 0, 0, 0)
	}
	b = append(b, 5<<4, flags, 2, 0, 0, 0, 0, 0)
	headers := len(b)
	b = append(b, make([]byte, payload)...)
	binary.BigEndian.PutUint16(b[36:], ^sum(b[12:20], sum(b[20:], uint16(6+headers-20+payload))))
	m.frame = b
	c.seq[from] += uint32(payload)
	if flags&(syn|fin) != 0 {
		c.seq[from]++
	}
	if m.half && c.seq[client]+c.seq[server] <= 2 {
		return
	}
	err := m.w.Packet(&event.Packet{Time: m.now, WireLen: len(b), LinkType: 101, Data: b})
	if m.err == nil {
		m.err = err
	}
}

// sum adds b to an Internet checksum (RFC 1071).
func sum(b []byte, t uint16) uint16 {
	all := uint32(t)
	for ; len(b) >= 2; b = b[2:] {
		all += uint32(b[0])<<8 | uint32(b[1])
	}
	for all > 0xffff {
		all = all>>16 + all&0xffff
	}
	return uint16(all)
}
