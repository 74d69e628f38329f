package flows

// table finds connections by their keys: open addressing with linear probing, so that a lookup
// costs one miss for the slot and one for the head. The map of the language compares whole
// keys and costs several.
type table struct {
	slots []slot
	n     int
	seed  uint64 // so that no capture can be made whose connections all collide
}

// slot is a place and the lower half of its key's hash, which says where the slot belongs. It is
// empty when its place is 0.
type slot uint64

func newSlot(hash uint32, p place) slot { return slot(hash)<<32 | slot(p) }

func (s slot) hash() uint32 { return uint32(s >> 32) }
func (s slot) place() place { return place(s) }

const minSlots = 64

func newTable(seed uint64) table { return table{slots: make([]slot, minSlots), seed: seed} }

// find returns the place of a key with its hash, 0 when there is none.
func (t *table) find(heads []head, k *key, hash uint64) place {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.place() == 0 || s.hash() == uint32(hash) && heads[s.place()].key.equal(k) {
			return s.place()
		}
	}
}

// likely returns a place whose key has that half of a hash, so that it is hardly another's.
func (t *table) likely(hash uint64) place {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if s := t.slots[i]; s.place() == 0 || s.hash() == uint32(hash) {
			return s.place()
		}
	}
}

// home returns where the search for a hash begins.
func (t *table) home(hash uint64) *uint64 { return (*uint64)(&t.slots[hash&uint64(len(t.slots)-1)]) }

// add puts in a place whose key is not yet there.
func (t *table) add(p place, hash uint64) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.resize(2 * len(t.slots))
	}
	t.n++
	t.put(newSlot(uint32(hash), p))
}

func (t *table) put(s slot) {
	mask := uint32(len(t.slots) - 1)
	i := s.hash() & mask
	for t.slots[i].place() != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = s
}

// remove takes a place out and moves the ones behind it up.
func (t *table) remove(heads []head, p place) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(heads[p].key.hash(t.seed)) & mask
	for t.slots[i].place() != p {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j].place() != 0; j = (j + 1) & mask {
		home := t.slots[j].hash() & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
	t.n--
	if len(t.slots) > minSlots && 8*t.n < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

func (t *table) resize(slots int) {
	old := t.slots
	t.slots = make([]slot, slots)
	for _, s := range old {
		if s.place() != 0 {
			t.put(s)
		}
	}
}

// all appends every place to out.
func (t *table) all(out []place) []place {
	for _, s := range t.slots {
		if s.place() != 0 {
			out = append(out, s.place())
		}
	}
	return out
}
