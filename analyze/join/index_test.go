package join

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// TestIndexFindsWhatASearchFinds compares each index with a look at every call and segment.
func TestIndexFindsWhatASearchFinds(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		calls, segments := randomCalls(r), randomSegments(r)
		list, late, bytes := newCallList(calls), newSegmentList(segments), newByteIndex(segments)
		for range 100 {
			at := event.Time(r.IntN(220) - 10)
			odd := func(c *analyze.Call) bool { return c.TID%2 == 1 }
			agree(t, "lastAt", list.lastAt(at, nil), last(calls, func(c *analyze.Call) bool { return within(c, at) }))
			agree(t, "lastAt odd", list.lastAt(at, odd), last(calls, func(c *analyze.Call) bool { return within(c, at) && odd(c) }))
			agree(t, "firstAt", list.firstAt(at), first(pick(calls, func(c *analyze.Call) bool { return within(c, at) })))
			early := func(s *analyze.Segment) bool { return s.Time <= at }
			agree(t, "lastUpTo", late.lastUpTo(at, nil), last(segments, early))
			agree(t, "firstUpTo", late.firstUpTo(at), last(reversed(segments), early))
			agree(t, "firstFrom", late.firstFrom(at), last(reversed(segments), func(s *analyze.Segment) bool { return s.Time >= at }))
			from := uint64(r.IntN(150))
			to := from + uint64(r.IntN(40))
			meets := pick(segments, func(s *analyze.Segment) bool { return uint64(s.Seq-1) < to && from < uint64(s.Seq-1)+uint64(s.Len) })
			if got := bytes.meets(from, to); !slices.Equal(got, meets) {
				t.Fatalf("seed %d: meets(%d, %d) = %d segments, want %d", seed, from, to, len(got), len(meets))
			}
		}
	}
}

func agree[T any](t *testing.T, what string, got, want *T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s = %+v, want %+v", what, got, want)
	}
}

func last[T any](list []*T, ok func(*T) bool) *T {
	if picked := pick(list, ok); len(picked) > 0 {
		return picked[len(picked)-1]
	}
	return nil
}

func pick[T any](list []*T, ok func(*T) bool) []*T {
	return slices.DeleteFunc(slices.Clone(list), func(x *T) bool { return !ok(x) })
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// randomCalls overlap in all ways; some never return.
func randomCalls(r *rand.Rand) []*analyze.Call {
	var calls []*analyze.Call
	at := event.Time(1)
	for range r.IntN(150) {
		c := &analyze.Call{Call: &event.Call{TID: r.IntN(4), Start: at, End: at + event.Time(r.IntN(1+r.IntN(100)))}}
		if r.IntN(20) == 0 {
			c.End = 0
		}
		calls = append(calls, c)
		at += event.Time(r.IntN(4))
	}
	return calls
}

// randomSegments are not in the order of their times, nor of their bytes.
func randomSegments(r *rand.Rand) []*analyze.Segment {
	var segments []*analyze.Segment
	for i := range r.IntN(150) {
		segments = append(segments, &analyze.Segment{Time: event.Time(i + r.IntN(60)), Seq: int64(1 + i + r.IntN(20)), Len: uint32(1 + r.IntN(1+r.IntN(60)))})
	}
	return segments
}

// TestJoinCost joins recordings of two sizes, with all calls on one connection and with few on
// each of many: four times the calls may not cost ten times the time.
func TestJoinCost(t *testing.T) {
	shapes := map[string]func(calls int) *event.Recording{
		"one connection":   func(calls int) *event.Recording { return exchange(1, calls) },
		"many connections": func(calls int) *event.Recording { return exchange(calls/8, 8) },
	}
	for name, make := range shapes {
		t.Run(name, func(t *testing.T) {
			small, large := make(16_000), make(64_000)
			few, many := time.Hour, time.Hour
			for range 20 { // until other work leaves the machine to both for a moment
				few, many = min(few, joinTime(small)), min(many, joinTime(large))
				if many <= 10*few {
					return
				}
			}
			t.Errorf("64,000 calls take %v, 16,000 take %v", many, few)
		})
	}
}

func joinTime(rec *event.Recording) time.Duration {
	begin := time.Now()
	Join(rec, analyze.Options{})
	return time.Since(begin)
}

// exchange is connections of one server on which the client sends in one call and the server
// waits in a recv that all others overlap.
func exchange(connections, callsEach int) *event.Recording {
	rec := &event.Recording{Run: event.Run{SameHost: true}}
	now := event.Time(1e18)
	server := netip.MustParseAddrPort("127.0.0.1:80")
	for i := range connections {
		client := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 40000)
		frame := uint64(i * (callsEach + 2))
		segment := func(flags event.Flags, src, dst netip.AddrPort, seq, size int) {
			frame++
			rec.Segments = append(rec.Segments, event.Segment{Frame: frame, Time: now, Src: src, Dst: dst, Flags: flags,
				Seq: seqnum.Value(seq), Ack: 1, Len: uint32(size), Window: 500})
		}
		call := func(name string, local, remote netip.AddrPort, lasts event.Time) {
			rec.Calls = append(rec.Calls, &event.Call{ID: len(rec.Calls) + 1, Name: name, Local: local, Remote: remote, FD: 3 + i,
				PID: int(local.Port()), Ret: 1, Start: now, End: now + lasts, RecvQ: -1})
		}
		segment(event.SYN, client, server, 0, 0)
		segment(event.SYN|event.ACK, server, client, 0, 0)
		for n := range callsEach / 2 {
			now += 1000
			call("recv", server, client, event.Time(1000*connections))
			call("send", client, server, 500)
			segment(event.ACK, client, server, 1+n, 1)
		}
	}
	return rec
}

func first[T any](list []*T) *T {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// TestCallNumbers joins calls whose numbers repeat, are 0, negative and huge.
func TestCallNumbers(t *testing.T) {
	for _, ids := range [][]int{{1, 2, 3}, {1, 1, 1}, {0, 0, 0}, {-1, -1, 7}, {1, 1 << 62, 2}} {
		rec := exchange(1, 3*2)
		rec.Calls = rec.Calls[:len(ids)]
		for i, id := range ids {
			rec.Calls[i].ID = id
		}
		for _, err := range analyze.Validate(Join(rec, analyze.Options{})) {
			t.Errorf("numbers %v: %v", ids, err)
		}
		calls := []*analyze.Call{{Call: &event.Call{ID: ids[0]}}, {Call: &event.Call{ID: ids[1]}}, {Call: &event.Call{ID: ids[2]}}}
		n := newNumbered(calls)
		for _, id := range ids {
			want := last(calls, func(c *analyze.Call) bool { return c.ID == id })
			if got := n.get(id); got != want {
				t.Errorf("numbers %v: get(%d) = %p, want the last, %p", ids, id, got, want)
			}
		}
	}
}
