package main

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/decode"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/trace"
)

// session gathers what a traced program did.
type session struct {
	mu      sync.Mutex
	rec     event.Recording
	watch   io.Writer // where calls are shown as they return; nil for nowhere
	program trace.Result
}

func newSession(interfaces []string) *session {
	s := &session{rec: event.Recording{Run: event.Run{
		Tool:   "closecap " + version,
		Source: strings.Join(interfaces, ","),
		Kernel: kernel.Release(),
		Netns:  "host",
	}}}
	if kernel.InPrivate() {
		s.rec.Run.Netns = "private"
	}
	return s
}

func (s *session) packet(p *event.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec.Packets = append(s.rec.Packets, *p)
}

func (s *session) call(c event.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec.Calls = append(s.rec.Calls, c)
	if s.watch != nil {
		fmt.Fprintln(s.watch, report.Safe(c.Summary()))
	}
}

// recording puts together what belongs to the program: other traffic of the interfaces is
// left out.
func (s *session) recording() *event.Recording {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := &s.rec
	rec.Run.Warnings = append(rec.Run.Warnings, s.program.Warnings...)
	packets := rec.Packets
	rec.Packets = nil
	slices.SortStableFunc(packets, func(a, b event.Packet) int { return cmp.Compare(a.Time, b.Time) })
	own := sockets(rec.Calls)
	d := decode.New()
	for i := range packets {
		p := &packets[i]
		var seg event.Segment
		p.Frame = uint64(i + 1)
		if d.Segment(p, &seg) != decode.TCP || !own.has(&seg) {
			continue
		}
		rec.Packets = append(rec.Packets, *p)
		rec.Segments = append(rec.Segments, seg)
	}
	if len(rec.Packets) > 0 {
		rec.Run.LinkType = decode.LinkName(rec.Packets[0].LinkType)
	}
	rec.Number()
	return rec
}

// endpoints are the sockets of the traced program.
type endpoints map[netip.AddrPort]bool

func sockets(calls []event.Call) endpoints {
	own := endpoints{}
	for i := range calls {
		if a := calls[i].Local; a.IsValid() && a.Port() != 0 {
			own[a] = true
			if a.Addr().IsUnspecified() {
				own[netip.AddrPortFrom(netip.Addr{}, a.Port())] = true
			}
		}
	}
	return own
}

func (e endpoints) has(s *event.Segment) bool {
	return e[s.Src] || e[s.Dst] || e[netip.AddrPortFrom(netip.Addr{}, s.Src.Port())] || e[netip.AddrPortFrom(netip.Addr{}, s.Dst.Port())]
}
