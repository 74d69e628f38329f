package analyze

// flowTable finds flows by their keys: open addressing with linear probing, so that a lookup
// costs one miss for the slot and one for the flow. The map of the language compares whole
// keys and costs several.
type flowTable struct {
	slots []tableSlot
	n     int
	seed  uint64 // so that no capture can be made whose flows all collide
}

type tableSlot struct {
	hash uint64
	fl   *flow
}

const minSlots = 64

// find returns the flow of a key with its hash, nil when there is none.
func (t *flowTable) find(k *key, hash uint64) *flow {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.fl == nil {
			return nil
		}
		if s.hash == hash && s.fl.key.equal(k) {
			return s.fl
		}
	}
}

// add puts in a flow whose key is not yet there.
func (t *flowTable) add(fl *flow) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.resize(max(minSlots, 2*len(t.slots)))
	}
	t.n++
	t.place(fl, fl.key.hash(t.seed))
}

func (t *flowTable) place(fl *flow, hash uint64) {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].fl != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = tableSlot{hash, fl}
}

// remove takes a flow out and moves the ones behind it up.
func (t *flowTable) remove(fl *flow) {
	mask := uint64(len(t.slots) - 1)
	i := fl.key.hash(t.seed) & mask
	for t.slots[i].fl != fl {
		i = (i + 1) & mask
	}
	for j := (i + 1) & mask; t.slots[j].fl != nil; j = (j + 1) & mask {
		home := t.slots[j].hash & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = tableSlot{}
	t.n--
	if len(t.slots) > minSlots && 8*t.n < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

func (t *flowTable) resize(slots int) {
	old := t.slots
	t.slots = make([]tableSlot, slots)
	for _, s := range old {
		if s.fl != nil {
			t.place(s.fl, s.hash)
		}
	}
}

// all appends every flow to out.
func (t *flowTable) all(out []*flow) []*flow {
	for _, s := range t.slots {
		if s.fl != nil {
			out = append(out, s.fl)
		}
	}
	return out
}
