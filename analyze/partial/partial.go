// Package partial packs the segments of a capture for another machine, and follows what several machines
// packed as one Follower would have followed the whole capture.
//
// A part holds segments of one point, whole connections or pieces of them, in at most MaxPart bytes. It is
// a set: to merge parts is to unite them, so neither order nor grouping nor repetition matters, and the
// connections that come of them are those of the capture, however it was cut. Captures of many files are
// cut between files: Plan says which of them have to be read together, and how their frames count on. Each connection
// is judged by itself: that one goes on with another's numbers behind an address translation is not told.
//
// It reads no files and sends nothing.
//
// Instead of the state of half-followed connections, which a machine that begins in mid-connection
// can't know; and instead of verdicts, since an earlier connection of the same endpoints, in
// another part, may change them.
package partial

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// MaxPart is the most bytes that a part takes, and MaxPoint the most of its point's name.
const (
	MaxPart  = 1 << 20
	MaxPoint = 1 << 8
)

// position is where a segment stands in its timeline: the highest frame so far, and how many segments came
// after that one's before the next frame. Only of fragments whose datagram was given up is there one.
type position struct {
	frame uint64
	after uint32
}

func (p position) compare(o position) int {
	return cmp.Or(cmp.Compare(p.frame, o.frame), cmp.Compare(p.after, o.after))
}

// A Packer packs segments by bucket, those of a connection into the same.
type Packer struct {
	point   string
	buckets int
	emit    func(bucket int, part []byte) error
	last    position
	flows   map[event.Pair]*run
	size    int
	most    int // the size at which it flushes
}

// What is packed at a time. Larger parts are fewer: of 64 buckets each gets a megabyte.
const holdSize = 64 << 20

// NewPacker returns a Packer of one point's segments. It hands each part to emit, which may keep it; the
// error of that is Add's and Flush's.
func NewPacker(point string, buckets int, emit func(bucket int, part []byte) error) (*Packer, error) {
	if buckets < 1 {
		return nil, fmt.Errorf("pack into %d buckets: want one or more", buckets)
	}
	if len(point) > MaxPoint {
		return nil, fmt.Errorf("pack point %.40q: its name has %d bytes, and may have %d", point, len(point), MaxPoint)
	}
	return &Packer{point: point, buckets: buckets, emit: emit, flows: map[event.Pair]*run{}, most: holdSize}, nil
}

// Add packs the next segments of the timeline; it keeps nothing of them.
func (p *Packer) Add(segments []event.Segment) error {
	for i := range segments {
		s := &segments[i]
		if !packable(s.Src) || !packable(s.Dst) || s.Frame == 0 {
			return fmt.Errorf("pack frame %d, %v > %v: want a number and addresses without a zone", s.Frame, s.Src, s.Dst)
		}
		if s.Frame > p.last.frame {
			p.last = position{frame: s.Frame}
		} else {
			p.last.after++
		}
		pair := event.PairOf(s.Src, s.Dst)
		r := p.flows[pair]
		if r == nil {
			r = &run{pair: pair}
			p.flows[pair] = r
			p.size += runSize
		}
		before := len(r.b)
		r.add(s, p.last)
		if p.size += len(r.b) - before; p.size >= p.most {
			if err := p.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush packs what is held. It is to be called after the last Add.
func (p *Packer) Flush() error {
	byBucket := map[int][]*run{}
	for pair, r := range p.flows {
		b := bucketOf(pair, p.buckets)
		byBucket[b] = append(byBucket[b], r)
	}
	for _, b := range slices.Sorted(maps.Keys(byBucket)) {
		runs := byBucket[b]
		slices.SortFunc(runs, func(a, b *run) int { return comparePairs(a.pair, b.pair) })
		w := writer{point: p.point, emit: func(part []byte) error { return p.emit(b, part) }}
		for _, r := range runs {
			if err := w.run(r); err != nil {
				return err
			}
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	clear(p.flows)
	p.size = 0
	return nil
}

func packable(a netip.AddrPort) bool { return a.IsValid() && a.Addr().Zone() == "" }

func comparePairs(a, b event.Pair) int { return cmp.Or(a.A.Compare(b.A), a.B.Compare(b.B)) }

// Bucket returns which of n buckets a segment belongs to: the same for both directions, on every machine
// and in every version.
func Bucket(s *event.Segment, n int) int { return bucketOf(event.PairOf(s.Src, s.Dst), n) }

func bucketOf(p event.Pair, n int) int {
	h := uint64(14695981039346656037) // FNV-1a
	add := func(b byte) { h = (h ^ uint64(b)) * 1099511628211 }
	for _, end := range [...]struct {
		ip   [16]byte
		port uint16
	}{{p.A.Addr().As16(), p.A.Port()}, {p.B.Addr().As16(), p.B.Port()}} {
		for _, b := range end.ip {
			add(b)
		}
		add(byte(end.port >> 8))
		add(byte(end.port))
	}
	return int((h ^ h>>32) % uint64(n))
}
