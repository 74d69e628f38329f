package flows

import (
	"net/netip"
	"reflect"
	"testing"
	"unsafe"

	"github.com/closecap/closecap/analyze/event"
)

// TestCacheLines holds the sizes that the follower's speed rests on.
func TestCacheLines(t *testing.T) {
	if n := unsafe.Sizeof(entry{}); n != 64 {
		t.Errorf("entry takes %d bytes, want a cache line", n)
	}
	if n := unsafe.Sizeof(head{}); n != 64 {
		t.Errorf("head takes %d bytes, want a cache line", n)
	}
}

// TestBacklogKeepsSegments keeps segments in which every field differs, and gets them back.
func TestBacklogKeepsSegments(t *testing.T) {
	b, h := backlog{}, head{}
	var want []event.Segment
	n := uint64(0)
	for i := range maxBacklog {
		var s event.Segment
		numberFields(reflect.ValueOf(&s).Elem(), &n)
		s.Options.Speech = 0 // is of use only before a segment waits
		b.push(&h, &s, i%3 == 0)
		want = append(want, s)
	}
	i := 0
	for e := range b.all(&h) {
		got := event.Segment{Src: want[i].Src, Dst: want[i].Dst}
		if e.unpack(&got); got != want[i] || e.swapped != (i%3 == 0) {
			t.Fatalf("segment %d: %+v, want %+v", i, got, want[i])
		}
		i++
	}
	if i != maxBacklog {
		t.Errorf("%d segments, want %d", i, maxBacklog)
	}
	b.clear(&h)
	used := len(b.next)
	for range 10 * slabChunks {
		b.push(&h, &want[0], false)
		b.clear(&h)
	}
	if len(b.next) != used {
		t.Errorf("%d chunks after using one again and again, %d before", len(b.next), used)
	}
}

// numberFields sets every number below v to another value.
func numberFields(v reflect.Value, n *uint64) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.CanUint():
			*n++
			f.SetUint(*n)
		case f.CanInt():
			*n++
			f.SetInt(int64(*n))
		case f.Kind() == reflect.Struct && f.Type() == reflect.TypeFor[event.Options]():
			numberFields(f, n)
		}
	}
}

func TestHeadKeepsEndpoints(t *testing.T) {
	for _, ends := range [][2]string{
		{"10.0.0.1:40000", "10.0.0.2:80"},
		{"10.0.0.2:80", "10.0.0.1:40000"},
		{"[2001:db8::2]:1", "[2001:db8::1]:65535"},
		{"[::ffff:10.0.0.1]:40000", "[::ffff:10.0.0.2]:80"},
		{"[::]:0", "[::]:0"},
	} {
		src, dst := netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1])
		var a aim
		a.set(src, dst, 1)
		h := head{key: a.key}
		h.markAddrs(&event.Segment{Src: src, Dst: dst}, a.swapped)
		lo, hi := h.endpoints()
		if a.swapped {
			lo, hi = hi, lo
		}
		if lo != src || hi != dst {
			t.Errorf("%v to %v came back as %v to %v", src, dst, lo, hi)
		}
	}
}
