package prefetch

import "testing"

func TestAskEmptiesAndTouchesNothing(t *testing.T) {
	var l Lines
	data := make([]uint64, 8*Most)
	for round := range 3 {
		for i := range Most - round - 1 {
			l.Add(&data[8*i])
		}
		l.Add(nil) // an address that can't be read is no fault
		if l.n != Most-round {
			t.Fatalf("%d lines were added, %d are there", Most-round, l.n)
		}
		l.Ask()
		if l.n != 0 {
			t.Errorf("%d lines are left", l.n)
		}
	}
	for i, x := range data {
		if x != 0 {
			t.Errorf("data[%d] = %d", i, x)
		}
	}
}

func TestSpanTouchesNothing(t *testing.T) {
	data := new([1000]uint64)
	for i := range data {
		data[i] = uint64(i)
	}
	Span(&data[0], &data[len(data)-1])
	Span(&data[0], &data[0])
	Span(nil, nil) // an address that can't be read is no fault
	for i, x := range data {
		if x != uint64(i) {
			t.Errorf("data[%d] = %d", i, x)
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	data := make([]uint64, 1<<22)
	var l Lines
	for i := 0; b.Loop(); i++ {
		for j := range Most {
			l.Add(&data[(i*Most+j)*4099%len(data)])
		}
		l.Ask()
	}
}
