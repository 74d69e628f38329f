package flows

const (
	// looks is how many open connections may be looked through for each segment: that costs a nanosecond.
	looks = 1
	// asked is what it costs beside to follow one of them.
	asked = 32
	// credit is what may be looked through from the beginning.
	credit = 1 << 16
)

// Alone keeps f from telling what one connection says of another: for where they are not followed in the order of
// time, or not all of them.
func (f *Follower) Alone() { f.alone = true }

// stray finds, for a connection that was met midway and that its receiver did not know, the one whose
// numbers it goes on with. How much is looked through is bounded by the segments seen, so that no capture
// makes that the cost: beyond that nothing is said.
func (f *Follower) stray(fl *followed) {
	if !fl.Midstream || fl.sought || f.alone {
		return
	}
	answered, ok := fl.Stray()
	if !ok {
		return
	}
	fl.sought = true
	hi, lo := halves(answered.Addr())
	port := uint32(answered.Port())
	for p := 1; p < len(f.roster.heads); p++ {
		if f.looked >= looks*f.stats.Segments+credit {
			return
		}
		f.looked++
		h := &f.roster.heads[p]
		isLo := h.key.loLo == lo && h.key.loHi == hi && h.key.ports>>16 == port
		isHi := h.key.hiLo == lo && h.key.hiHi == hi && h.key.ports&0xffff == port
		if !isLo && !isHi || place(p) == fl.place {
			continue
		}
		f.looked += asked
		f.catchUp(place(p))
		if before := f.roster.flows[p]; before != nil && fl.GoesOnWith(&before.Flow) {
			return
		}
	}
}

// strays looks for all that seem to be over, before any is forgotten.
func (f *Follower) strays() {
	var over []place
	for _, q := range [...]queue{ending, unshown, aborted} {
		for p := f.roster.first(q); p != 0; p = f.roster.links[p].next {
			over = append(over, p)
		}
	}
	for _, p := range over {
		f.catchUp(p)
		f.stray(f.roster.flows[p])
	}
}
