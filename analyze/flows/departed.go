package flows

import "github.com/closecap/closecap/analyze/event"

// rememberedFor is how long a connection that was forgotten is known: what it leaves behind comes within
// minutes.
const rememberedFor = event.Time(embryoIdle)

// maxDeparted bounds how many are known of each lot, and so the memory of both to 64 MB: beyond five
// thousand connections a second, each is known for less long.
const maxDeparted = 3 << 19

// fate is why a connection is held no longer.
type fate uint64

const (
	unheard fate = iota // it was never held, or long ago
	over
	givenUp // for memory's sake
)

// departed remembers the 4-tuples of connections that were forgotten, by hash. The hash has no seed: what is
// forgotten must not differ from run to run. There are two lots, of which the older goes when
// all in it were forgotten long ago: so each is known for long enough, and for how long exactly is
// told by its time, not by how many others there are. The zero value remembers nothing yet.
type departed struct {
	newer, older lot
	since        event.Time // of the newer lot
}

// lot is an open-addressing table.
type lot struct {
	slots []departure
	n     int
}

// departure is empty when its hash is 0.
type departure struct {
	hash uint64 // the lowest two bits are the fate
	at   event.Time
}

// add remembers a connection that is forgotten at a time.
func (d *departed) add(k *key, at event.Time, f fate) {
	if at-d.since > rememberedFor || d.newer.n >= maxDeparted {
		d.older, d.newer, d.since = d.newer, lot{}, at
	}
	d.newer.add(departure{k.hash(0)&^3 | uint64(f), at})
}

// find returns what became of a connection, as far as it is remembered at a time.
func (d *departed) find(k *key, now event.Time) fate {
	hash := k.hash(0) &^ 3
	for _, l := range [...]*lot{&d.newer, &d.older} {
		if e := l.find(hash); e != nil && e.hash != 0 {
			if now-e.at > rememberedFor {
				return unheard
			}
			return fate(e.hash & 3)
		}
	}
	return unheard
}

// find returns where a hash stands, or the empty slot where it would; nil where there are none.
func (l *lot) find(hash uint64) *departure {
	if len(l.slots) == 0 {
		return nil
	}
	mask := uint64(len(l.slots) - 1)
	for i := hash >> 2 & mask; ; i = (i + 1) & mask {
		if e := &l.slots[i]; e.hash == 0 || e.hash&^3 == hash {
			return e
		}
	}
}

func (l *lot) add(e departure) {
	if 4*(l.n+1) > 3*len(l.slots) {
		old := l.slots
		l.slots = make([]departure, max(2*len(old), 1<<10))
		for _, e := range old {
			if e.hash != 0 {
				*l.find(e.hash &^ 3) = e
			}
		}
	}
	at := l.find(e.hash &^ 3)
	if at.hash == 0 {
		l.n++
	}
	*at = e
}

// startsNothing reports whether a segment is one that an ended connection leaves behind: a
// lone ACK, a late RST, a keep-alive.
func startsNothing(s *event.Segment) bool {
	return s.Flags&event.RST != 0 || s.Flags&(event.SYN|event.FIN) == 0 && s.Len <= 1
}
