package main

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/scope"
	"github.com/closecap/closecap/capture/trace"
)

// maxKept bounds, in bytes, what is kept of the program's packets and calls at a time.
const maxKept = 1 << 30

// session gathers what a traced program does, by connection and by socket.
type session struct {
	scope *scope.Scope
	whole bool      // packets are kept whole, not only what they say
	watch io.Writer // where calls are shown as they return; nil for nowhere

	mu      sync.Mutex
	run     event.Run
	ends    map[event.Pair]*conn
	sockets map[uint64]*socket // by cookie; 0 has the calls of no socket
	packets []event.Packet     // with whole
	frames  uint64             // packets of the program so far
	calls   int                // so far
	kept    int                // bytes
	lost    uint64             // packets that had no room
	mute    int                // calls that had no room
	program trace.Result
	rows    *rows      // nil until something is shown before the end
	first   event.Time // of the packets
	last    event.Time
}

// conn is what is kept of the connections with one pair of ends.
type conn struct {
	pair     event.Pair
	segments []event.Segment
	sockets  []*socket // of the program, one or both ends
	reset    bool      // an RST came
	fins     [2]bool   // from A, from B
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
}

func newSession(interfaces []string, narrow func([]netip.AddrPort) error) *session {
	s := &session{
		run: event.Run{
			Tool: "closecap " + version, Source: strings.Join(interfaces, ","),
			Kernel: kernel.Release(), Netns: "host",
		},
		ends: map[event.Pair]*conn{}, sockets: map[uint64]*socket{},
	}
	if kernel.InPrivate() {
		s.run.Netns = "private"
	}
	s.scope = scope.New(s.packet, narrow)
	return s
}

// packet takes a packet of the program's.
func (s *session) packet(p *event.Packet, seg *event.Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept > maxKept {
		s.lost++
		return
	}
	if s.frames == 0 {
		s.run.LinkType, s.first = decode.LinkName(p.LinkType), p.Time
	}
	s.last = max(s.last, p.Time)
	s.frames++
	p.Frame, seg.Frame = s.frames, s.frames
	s.conn(event.PairOf(seg.Src, seg.Dst)).take(seg)
	s.kept += segmentSize
	if s.whole {
		s.packets = append(s.packets, *p)
		s.kept += int(unsafe.Sizeof(*p)) + cap(p.Data)
	}
}

const segmentSize = int(unsafe.Sizeof(event.Segment{}))

// callSize is about what a call takes.
func callSize(c *event.Call) int {
	return int(unsafe.Sizeof(*c)) + len(c.Args) + len(c.Text) + len(c.Note) +
		len(c.Samples)*int(unsafe.Sizeof(event.Sample{})) + len(c.Holders)*int(unsafe.Sizeof(event.Holder{}))
}

func (s *session) call(c event.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil {
		fmt.Fprintln(s.watch, report.Safe(c.Summary()))
	}
	if s.kept > maxKept {
		s.mute++
		return
	}
	s.calls++
	c.ID = s.calls
	k := s.socket(c.Socket)
	k.calls = append(k.calls, c)
	s.kept += callSize(&c)
}

// heard takes what the tracer says of a socket.
func (s *session) heard(n trace.Socket) {
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
		k.closed = present()
	}
	s.mu.Unlock()
	s.scope.Socket(n)
}

func present() event.Time { return event.Time(time.Now().UnixNano()) }

func (s *session) conn(p event.Pair) *conn {
	c := s.ends[p]
	if c == nil {
		c = &conn{pair: p}
		s.ends[p] = c
	}
	return c
}

func (s *session) socket(cookie uint64) *socket {
	k := s.sockets[cookie]
	if k == nil {
		k = &socket{cookie: cookie}
		s.sockets[cookie] = k
	}
	return k
}

// recording puts together what is kept, once nothing more comes.
func (s *session) recording() *event.Recording {
	rec := &event.Recording{Run: s.facts(), Packets: s.packets}
	for _, c := range s.ends {
		rec.Segments = append(rec.Segments, c.segments...)
	}
	for _, k := range s.sockets {
		rec.Calls = append(rec.Calls, k.calls...)
	}
	numberRows(rec)
	return rec
}

// facts says what is known of the run once it is over.
func (s *session) facts() event.Run {
	run := s.run
	lost, warnings := s.scope.Lost()
	run.Dropped += s.lost + lost
	run.Warnings = slices.Concat(s.program.Warnings, warnings)
	if s.lost > 0 || s.mute > 0 {
		run.Warnings = append(run.Warnings, fmt.Sprintf("%s and %s had no room beside the %d MB that were kept",
			analyze.Count(s.lost, "packet"), analyze.Count(uint64(s.mute), "call"), maxKept>>20))
	}
	return run
}

// numberRows gives packets and calls, which came in any order, one numbering in time order.
func numberRows(rec *event.Recording) {
	slices.SortFunc(rec.Calls, func(a, b event.Call) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(rec.Segments, func(a, b event.Segment) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Frame, b.Frame))
	})
	slices.SortFunc(rec.Packets, func(a, b event.Packet) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Frame, b.Frame))
	})
	if rec.Packets != nil {
		rec.Number()
		return
	}
	rec.Packets = make([]event.Packet, len(rec.Segments)) // only to be counted
	for i := range rec.Segments {
		rec.Packets[i] = event.Packet{Frame: rec.Segments[i].Frame, Time: rec.Segments[i].Time}
	}
	rec.Number()
	rec.Packets = nil
}
