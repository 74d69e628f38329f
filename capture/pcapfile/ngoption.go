package pcapfile

import (
	"errors"
	"iter"
	"math"
	"math/bits"

	"github.com/closecap/closecap/analyze/event"
)

// Option codes; what they mean depends on the block.
const (
	optEnd     = 0
	optComment = 1

	optHardware    = 2 // section header
	optOS          = 3
	optApplication = 4

	optName       = 2 // interface description
	optResolution = 9
	optFilter     = 11
	optOffset     = 14

	optFlags     = 2 // enhanced packet
	optDropCount = 4

	optIfRecv = 4 // interface statistics
	optIfDrop = 5
	optOSDrop = 7
)

// options yields the options of a block until their end, or to the first that is cut short.
func (p *pcapng) options(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			code, n := p.order.Uint16(b), int(p.order.Uint16(b[2:]))
			if code == optEnd || n > len(b)-4 {
				return
			}
			if !yield(code, b[4:4+n]) {
				return
			}
			b = b[min(4+(n+3)&^3, len(b)):]
		}
	}
}

// clock turns an interface's timestamps into nanoseconds.
type clock struct {
	units  uint64 // per second, a power of ten or two
	offset int64  // seconds

	// A unit of scale nanoseconds needs no division, which takes as long as to read the rest of a packet's block.
	scale uint64
	below uint64 // ticks of which that holds; 0 for none
}

var microseconds = clock{units: 1e6}

var errResolution = errors.New("timestamp resolution is finer than 64 bits hold")

// resolution reads if_tsresol: a negative power of 10, or of 2 with the top bit set.
func (c *clock) resolution(v byte) error {
	n := v & 0x7f
	switch {
	case v&0x80 != 0 && n < 64:
		c.units = 1 << n
	case v&0x80 == 0 && n < 20:
		c.units = 1
		for range n {
			c.units *= 10
		}
	default:
		return errResolution
	}
	return nil
}

// settle is to be called once resolution and offset are known.
func (c *clock) settle() {
	if c.offset == 0 && 1e9%c.units == 0 {
		c.scale = 1e9 / c.units
		c.below = math.MaxInt64/c.scale + 1
	}
}

func (c *clock) time(ticks uint64) event.Time {
	if ticks < c.below {
		return event.Time(ticks * c.scale)
	}
	sec, rest := ticks/c.units, ticks%c.units
	hi, lo := bits.Mul64(rest, 1e9)
	frac, _ := bits.Div64(hi, lo, c.units)
	// What int64 nanoseconds cannot hold (beyond the year 2262) stays at their edge.
	const edge = math.MaxInt64 / 1_000_000_000
	total := int64(min(sec, edge)) + min(max(c.offset, -edge), edge)
	switch {
	case total >= edge:
		return math.MaxInt64
	case total <= -edge:
		return math.MinInt64
	}
	return event.Time(total*1_000_000_000 + int64(frac))
}
