package words

// renumber gives the places that the connection's end is told by the numbers that their frames have by now.
func (t *Talk) renumber(number func(uint64) uint64) {
	if number == nil {
		return
	}
	for i := range t.ends {
		d := &t.ends[i]
		d.at.frame, d.over.frame = number(d.at.frame), number(d.over.frame)
	}
	if t.rest != nil {
		t.pending.renumber(number)
		t.pause.frame = number(t.pause.frame)
	}
	for _, s := range [...]*spot{&t.turn.spot, &t.met.crossed, &t.met.late} {
		s.frame = number(s.frame)
	}
}

func (m *said) renumber(number func(uint64) uint64) {
	if number == nil {
		return
	}
	for _, s := range [...]*spot{&m.at, &m.asked, &m.tornAt, &m.goodbye.at, &m.goodbye.earlierAt, &m.woke.at, &m.inVain.at} {
		s.frame = number(s.frame)
	}
}
