package words

// places finds connections by a hash of their ends: open addressing with linear probing. Half of what a lookup in
// the language's map takes, and a quarter of what adding and removing takes.
type places struct {
	slots []slot
	n     int
}

// slot is a connection's hash and place. It is empty when its place is 0.
type slot struct {
	hash  uint64
	place place
}

const minSlots = 64

func newPlaces() places { return places{slots: make([]slot, minSlots)} }

// find returns where a hash stands, or the empty slot where it would.
func (p *places) find(hash uint64) uint64 {
	mask := uint64(len(p.slots) - 1)
	i := hash & mask
	for p.slots[i].place != 0 && p.slots[i].hash != hash {
		i = (i + 1) & mask
	}
	return i
}

// of returns the place of a hash, 0 for none.
func (p *places) of(hash uint64) place { return p.slots[p.find(hash)].place }

// set gives a hash a place, and with 0 takes it away.
func (p *places) set(hash uint64, at place) {
	i := p.find(hash)
	switch before := p.slots[i].place; {
	case at == 0 && before != 0:
		p.remove(i)
	case at != 0:
		p.slots[i] = slot{hash, at}
		if before == 0 {
			if p.n++; 4*p.n > 3*len(p.slots) {
				p.resize(2 * len(p.slots))
			}
		}
	}
}

// remove empties a slot and moves up those behind it that belong before.
func (p *places) remove(i uint64) {
	mask := uint64(len(p.slots) - 1)
	for j := (i + 1) & mask; p.slots[j].place != 0; j = (j + 1) & mask {
		if (j-p.slots[j].hash)&mask >= (j-i)&mask {
			p.slots[i] = p.slots[j]
			i = j
		}
	}
	p.slots[i] = slot{}
	if p.n--; len(p.slots) > minSlots && 8*p.n < len(p.slots) {
		p.resize(len(p.slots) / 2)
	}
}

func (p *places) resize(slots int) {
	old := p.slots
	p.slots = make([]slot, slots)
	for _, s := range old {
		if s.place != 0 {
			p.slots[p.find(s.hash)] = s
		}
	}
}
