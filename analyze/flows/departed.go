package flows

import "github.com/closecap/closecap/analyze/event"

// rememberedFor is how long a connection that was forgotten is known: what it leaves behind comes within
// minutes.
const rememberedFor = event.Time(embryoIdle)

// maxDeparted bounds how many are known of each lot, and so the memory of both to 32 MB: beyond five
// thousand connections a second, each is known for less long.
const maxDeparted = 3 << 19

// fate is why a connection is held no longer.
type fate uint64

const (
	unheard fate = iota // it was never held, or long ago
	over
	givenUp // for memory's sake
)

// departed remembers the 4-tuples of connections that were forgotten, by hash. There are two lots, of which
// the older goes when all in it were forgotten long ago: so each is known for long enough, and for how long
// exactly is told by its time, not by how many others there are. The zero value remembers nothing yet.
type departed struct {
	newer, older lot
	since        event.Time // of the newer lot
}

// lot is an open-addressing table.
type lot struct {
	slots []departure
	n     int
}

// departure is the lower 47 bits of a hash, a fate, and when that was, modulo an hour. It is empty when it
// is 0.
type departure uint64

// The bits of a departure, and the unit of its time, an eighth of a second, as a shift.
const (
	timeBits = 15
	hashFrom = timeBits + 2
	tick     = 27
)

func newDeparture(hash uint64, at event.Time, f fate) departure {
	return departure(hash<<hashFrom | uint64(f)<<timeBits | uint64(at>>tick)%(1<<timeBits))
}

func (d departure) hash() uint64          { return uint64(d >> hashFrom) }
func (d departure) same(hash uint64) bool { return uint64(d)>>hashFrom == hash<<hashFrom>>hashFrom }
func (d departure) fate() fate            { return fate(d >> timeBits & 3) }

// forgotten reports whether d was too long ago to be known, which is so by its own time alone.
func (d departure) forgotten(now event.Time) bool {
	ago := (uint64(now>>tick) - uint64(d)) % (1 << timeBits)
	const early = 1 << (timeBits - 1) // it is after now: packets do not stand in order
	return ago > uint64(rememberedFor>>tick) && ago < early
}

// add remembers a connection that is forgotten at a time.
func (d *departed) add(hash uint64, at event.Time, f fate) {
	if at-d.since > rememberedFor || d.newer.n >= maxDeparted {
		d.older, d.newer, d.since = d.newer, lot{}, at
	}
	d.newer.add(newDeparture(hash, at, f))
}

// find returns what became of a connection, as far as it is remembered at a time.
func (d *departed) find(hash uint64, now event.Time) fate {
	if now-d.since > 2*rememberedFor {
		return unheard
	}
	for _, l := range [...]*lot{&d.newer, &d.older} {
		if e := l.find(hash); e != nil && *e != 0 {
			if e.forgotten(now) {
				return unheard
			}
			return e.fate()
		}
	}
	return unheard
}

// home returns where the search for a hash begins; nil where nothing is remembered.
func (l *lot) home(hash uint64) *uint64 {
	if len(l.slots) == 0 {
		return nil
	}
	return (*uint64)(&l.slots[hash&uint64(len(l.slots)-1)])
}

// find returns where a hash stands, or the empty slot where it would; nil where there are none.
func (l *lot) find(hash uint64) *departure {
	if len(l.slots) == 0 {
		return nil
	}
	mask := uint64(len(l.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if e := &l.slots[i]; *e == 0 || e.same(hash) {
			return e
		}
	}
}

func (l *lot) add(e departure) {
	if 4*(l.n+1) > 3*len(l.slots) {
		old := l.slots
		l.slots = make([]departure, max(2*len(old), 1<<10))
		for _, e := range old {
			if e != 0 {
				*l.find(e.hash()) = e
			}
		}
	}
	at := l.find(e.hash())
	if *at == 0 {
		l.n++
	}
	*at = e
}

// startsNothing reports whether a segment is one that an ended connection leaves behind: a
// lone ACK, a late RST, a keep-alive.
func startsNothing(s *event.Segment) bool {
	return s.Flags&event.RST != 0 || s.Flags&(event.SYN|event.FIN) == 0 && s.Len <= 1
}
