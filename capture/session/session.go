// Package session gathers what a traced program does, its calls and its packets, by connection and by
// socket, and hands out connections when nothing more can come of them.
//
// Which packets are the program's is package scope's to say, what the program calls package trace's.
// What is kept at a time is bounded; what had no room is counted, and the recording says so.
//
// It captures nothing, and does not say what the evidence means: package join does.
package session

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/scope"
	"github.com/closecap/closecap/capture/trace"
)

// maxKept bounds, in bytes, what is kept of the program's packets and calls at a time.
const maxKept = 1 << 30

// Options say what to gather.
type Options struct {
	Run   event.Run // what is known before: tool, source, kernel, network namespace
	Whole bool      // keep packets as they were captured, for Recording; Over is then not to be called
	// WholeTo keeps them, too, as long as there are no more connections than so many, and until Over is called.
	WholeTo int

	// Heard, when set, is told of each packet of the program's as it comes, numbered as it came. It keeps nothing of it.
	Heard func(*event.Packet, *event.Segment)

	// Narrow is asked to let no other packets come than those from and to some endpoints.
	Narrow func([]netip.AddrPort) error
}

// Session is what is kept of a program. Packet, Call and Socket may be called concurrently, and with
// them Connections and Over.
type Session struct {
	scope   *scope.Scope
	whole   bool
	wholeTo int // with whole; 0 is for ever
	heardBy func(*event.Packet, *event.Segment)

	mu       sync.Mutex
	run      event.Run
	ends     map[event.Pair]*conn
	sockets  map[uint64]*socket  // by cookie; 0 has the calls of no socket
	packets  []event.Packet      // with whole
	unsorted []event.KernelEvent // of which it is not known yet whether they are the program's
	took     map[int]uint64      // by thread: the cookie of what it accepted, or received from, last
	held     map[uint64]*conn    // by cookie: of sockets that have ended and are yet to be released
	totals   Totals
	kept     int    // bytes
	lost     uint64 // packets that had no room
	mute     int    // calls that had no room
	heard    int    // events of the kernel's that are kept
	untold   int    // those that had no room
	numbered uint64 // rows of packets and calls that were handed out
}

// Totals count what was gathered of a program, handed out or not.
type Totals struct {
	Packets     uint64
	Calls       int
	First, Last event.Time // of the packets
}

// conn is what is kept of the connections with one pair of ends.
type conn struct {
	pair     event.Pair
	segments []event.Segment
	sockets  []*socket // of the program, one or both ends
	told     []event.KernelEvent
	reset    bool    // an RST came
	fins     [2]bool // from A, from B
}

// take adds a segment.
func (c *conn) take(seg *event.Segment) {
	c.segments = append(c.segments, *seg)
	c.reset = c.reset || seg.Flags.Has(event.RST)
	if seg.Flags.Has(event.FIN) {
		from := 0
		if seg.Src != c.pair.A {
			from = 1
		}
		c.fins[from] = true
	}
}

// socket is what is kept of one socket of the program.
type socket struct {
	cookie    uint64
	calls     []event.Call
	conns     []*conn
	listening bool
	closed    event.Time // when nothing that is traced held it any more; 0 before
	opens     bool       // its program called connect
	front     *socket    // for which it may have been opened, as the other leg of a relay
	backs     []*socket  // that were so for it
	takers    []int      // threads of which took may name it
}

// New returns a Session of a program that is about to start.
func New(opt Options) *Session {
	s := &Session{
		run: opt.Run, whole: opt.Whole || opt.WholeTo > 0,
		heardBy: opt.Heard,
		ends:    map[event.Pair]*conn{}, sockets: map[uint64]*socket{}, held: map[uint64]*conn{}, took: map[int]uint64{},
	}
	if !opt.Whole {
		s.wholeTo = opt.WholeTo
	}
	s.scope = scope.New(s.keep, opt.Narrow)
	return s
}

// Source says where the packets come from, where that was not known before: before the first of them.
func (s *Session) Source(name string) { s.run.Source = name }

// Packet takes the next packet of the capture, whoever's it is. It is the Session's to keep.
func (s *Session) Packet(p *event.Packet) { s.scope.Packet(p) }

// keep takes a packet of the program's.
func (s *Session) keep(p *event.Packet, seg *event.Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept > maxKept {
		s.lost++
		return
	}
	t := &s.totals
	if t.Packets == 0 {
		s.run.LinkType, t.First = decode.LinkName(p.LinkType), p.Time
	}
	t.Last = max(t.Last, p.Time)
	t.Packets++
	p.Frame, seg.Frame = t.Packets, t.Packets
	if s.heardBy != nil {
		s.heardBy(p, seg)
	}
	s.conn(event.PairOf(seg.Src, seg.Dst)).take(seg)
	s.kept += segmentSize
	if s.whole {
		s.packets = append(s.packets, *p)
		s.kept += packetSize(p)
	}
	if s.wholeTo > 0 && (len(s.ends) > s.wholeTo || s.kept > maxKept/2) {
		s.dropPackets()
	}
}

// dropPackets keeps packets no longer as they were captured.
func (s *Session) dropPackets() {
	for i := range s.packets {
		s.kept -= packetSize(&s.packets[i])
	}
	s.packets, s.whole, s.wholeTo = nil, false, 0
}

func packetSize(p *event.Packet) int { return int(unsafe.Sizeof(*p)) + cap(p.Data) }

const segmentSize = int(unsafe.Sizeof(event.Segment{}))

// callSize is about what a call takes.
func callSize(c *event.Call) int {
	return int(unsafe.Sizeof(*c)) + len(c.Args) + len(c.Text) + len(c.Note) +
		len(c.Samples)*int(unsafe.Sizeof(event.Sample{})) + len(c.Holders)*int(unsafe.Sizeof(event.Holder{})) +
		len(c.Sent)*int(unsafe.Sizeof(event.Departure{}))
}

// Call takes a call that returned.
func (s *Session) Call(c event.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept > maxKept {
		s.mute++
		return
	}
	s.totals.Calls++
	c.ID = s.totals.Calls
	k := s.socket(c.Socket)
	k.calls = append(k.calls, c)
	s.kept += callSize(&c)
	s.mayRelay(k, &c)
}

// Socket takes what the tracer says of a socket.
func (s *Session) Socket(n trace.Socket) {
	s.mu.Lock()
	k := s.socket(n.Cookie)
	switch n.State {
	case trace.Connected:
		c := s.conn(event.PairOf(n.Local, n.Remote))
		if !slices.Contains(c.sockets, k) {
			c.sockets, k.conns = append(c.sockets, k), append(k.conns, c)
		}
	case trace.Listening:
		k.listening = true
	}
	k.closed = 0
	if n.State == trace.Closed {
		k.closed = event.Time(time.Now().UnixNano())
	}
	s.mu.Unlock()
	s.scope.Socket(n)
}

func (s *Session) conn(p event.Pair) *conn {
	c := s.ends[p]
	if c == nil {
		c = &conn{pair: p}
		s.ends[p] = c
	}
	return c
}

func (s *Session) socket(cookie uint64) *socket {
	k := s.sockets[cookie]
	if k == nil {
		k = &socket{cookie: cookie}
		s.sockets[cookie] = k
	}
	return k
}

// End takes what is known once the program and the capture have ended: how many packets the capture
// lost, and what else may be missing.
func (s *Session) End(dropped uint64, warnings []string) {
	s.run.Dropped, s.run.Warnings = dropped, warnings
}

// Totals returns what was gathered. It is for after End.
func (s *Session) Totals() Totals { return s.totals }

// Run says what is known of the run. It is for after End.
func (s *Session) Run() event.Run {
	run := s.run
	lost, warnings := s.scope.Lost()
	run.Dropped += s.lost + lost
	run.Warnings = slices.Concat(run.Warnings, warnings)
	if s.lost > 0 || s.mute > 0 {
		run.Warnings = append(run.Warnings, fmt.Sprintf("%s and %s had no room beside the %d MB that were kept",
			analyze.Count(s.lost, "packet"), analyze.Count(uint64(s.mute), "call"), maxKept>>20))
	}
	if s.untold > 0 {
		run.Warnings = append(run.Warnings, fmt.Sprintf("%s had no room: the kernel's word may be missing", analyze.Count(uint64(s.untold), "kernel event")))
	}
	return run
}

// Recording returns all that was gathered, where nothing was handed out before. It is for after End.
func (s *Session) Recording() *event.Recording {
	s.sort(0)
	rec := &event.Recording{Run: s.Run(), Packets: s.packets}
	for _, c := range s.ends {
		rec.Segments = append(rec.Segments, c.segments...)
		rec.Kernel = append(rec.Kernel, c.told...)
	}
	sortTold(rec.Kernel)
	for _, k := range s.sockets {
		rec.AddCalls(k.calls...)
	}
	sortRows(rec)
	numberRows(rec)
	return rec
}
