package partial

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// ErrPart is the error of bytes that are no part.
var ErrPart = errors.New("not a part")

// reader reads a part segment by segment. No number in the part makes it allocate.
type reader struct {
	part  []byte
	at    int
	point string

	pair event.Pair
	left uint64 // of the run
	past past
	// before is where the last segment stood, in the run before when that was of the same pair.
	before position

	segment event.Segment // the next one
	where   position
}

// open checks part and returns a reader that is before its first segment.
func open(part []byte) (*reader, error) {
	r := &reader{part: part}
	switch {
	case len(part) < headerSize || string(part[:len(magic)]) != magic:
		return nil, fmt.Errorf("read part: %w: it does not begin as one", ErrPart)
	case len(part) > MaxPart:
		return nil, fmt.Errorf("read part: %w: %d bytes, and one has at most %d", ErrPart, len(part), MaxPart)
	case part[len(magic)] != version:
		return nil, fmt.Errorf("read part: %w of version %d: it has version %d", ErrPart, version, part[len(magic)])
	case crc32.Checksum(part[headerSize:], castagnoli) != binary.BigEndian.Uint32(part[headerSize-4:]):
		return nil, fmt.Errorf("read part: %w: its checksum is wrong", ErrPart)
	}
	r.at = headerSize
	n, ok := r.uvarint()
	if !ok || n > MaxPoint || n > uint64(len(part)-r.at) {
		return nil, r.broken("the point's name")
	}
	r.point = string(part[r.at:][:n])
	r.at += int(n)
	return r, nil
}

func (r *reader) broken(what string) error {
	return fmt.Errorf("read part: %w: byte %d: %s", ErrPart, r.at, what)
}

func (r *reader) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(r.part[r.at:])
	r.at += max(n, 0)
	return v, n > 0
}

func (r *reader) varint() (int64, bool) {
	v, n := binary.Varint(r.part[r.at:])
	r.at += max(n, 0)
	return v, n > 0
}

// next reads the next segment; false is the end.
func (r *reader) next() (bool, error) {
	if r.left == 0 {
		if r.at == len(r.part) {
			return false, nil
		}
		if err := r.begin(); err != nil {
			return false, err
		}
	}
	r.left--
	if err := r.read(); err != nil {
		return false, err
	}
	return true, nil
}

// begin reads what stands in front of a run.
func (r *reader) begin() error {
	kind := r.part[r.at]
	if kind&^(lowerIs6|higherIs6) != 0 {
		return r.broken("a kind of addresses that is not known")
	}
	r.at++
	a, okA := r.address(kind&lowerIs6 != 0)
	b, okB := r.address(kind&higherIs6 != 0)
	if !okA || !okB || len(r.part)-r.at < 4 {
		return r.broken("endpoints that end too early")
	}
	pair := event.Pair{
		A: netip.AddrPortFrom(a, binary.BigEndian.Uint16(r.part[r.at:])),
		B: netip.AddrPortFrom(b, binary.BigEndian.Uint16(r.part[r.at+2:])),
	}
	r.at += 4
	n, ok := r.uvarint()
	const least = 3 // bytes of a segment
	switch {
	case !ok || n == 0 || n > uint64(len(r.part)-r.at)/least:
		return r.broken("more segments than there is room for")
	case pair.A.Compare(pair.B) > 0:
		return r.broken("endpoints out of order")
	case r.pair != event.Pair{} && comparePairs(pair, r.pair) < 0:
		return r.broken("connections out of order")
	case pair != r.pair:
		r.before = position{}
	}
	r.pair, r.left, r.past = pair, n, past{}
	return nil
}

func (r *reader) address(is6 bool) (netip.Addr, bool) {
	n := 4
	if is6 {
		n = 16
	}
	if len(r.part)-r.at < n {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(r.part[r.at:][:n])
	r.at += n
	return a, ok
}

// read reads a segment.
func (r *reader) read() error {
	mask, ok := r.uvarint()
	if !ok || mask>>(maskBits+facts) != 0 {
		return r.broken("a segment's mask")
	}
	step, ok := r.uvarint()
	if !ok || step > ^uint64(0)-r.past.at.frame {
		return r.broken("a segment's place")
	}
	s := &r.segment
	where := position{frame: r.past.at.frame + step}
	s.Frame = where.frame
	if mask&late != 0 {
		after, ok := r.uvarint()
		frame, okFrame := r.uvarint()
		if !ok || !okFrame || after != uint64(uint32(after)) || frame > where.frame {
			return r.broken("a late segment's place")
		}
		where.after, s.Frame = uint32(after), frame
	}
	if where.compare(r.before) <= 0 || s.Frame == 0 {
		return r.broken("segments out of order")
	}
	gone, ok := r.varint()
	if !ok {
		return r.broken("a segment's time")
	}
	s.Time = r.past.time + event.Time(gone)
	end := 0
	s.Src, s.Dst = r.pair.A, r.pair.B
	if mask&swapped != 0 {
		end, s.Src, s.Dst = 1, s.Dst, s.Src
	}
	v := r.past.expect(end)
	for i := range v {
		if mask&(1<<(maskBits+i)) == 0 {
			continue
		}
		d, ok := r.varint()
		if !ok || d != int64(int32(d)) {
			return r.broken("a segment's fact")
		}
		v[i] += uint32(d)
	}
	if !v.set(s) {
		return r.broken("a segment's fact that is too large")
	}
	r.past.keep(end, s, &v, where)
	r.before, r.where = where, where
	return nil
}
