package bpf

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// scripted tells what it holds, a list of events each time it is polled.
type scripted struct {
	told   [][]event.KernelEvent
	lost   Losses
	waited time.Duration
	broken error
}

func (s *scripted) Poll(d time.Duration, each func(event.KernelEvent)) error {
	s.waited = d
	if len(s.told) == 0 {
		return s.broken
	}
	for _, k := range s.told[0] {
		each(k)
	}
	s.told, s.lost.RingFull = s.told[1:], s.lost.RingFull+1
	return nil
}

func (s *scripted) Lacks() []string { return []string{"a fact"} }
func (s *scripted) Losses() Losses  { return s.lost }
func (s *scripted) Close() error    { return nil }

// TestRemote: who may not ask the kernel hears all from who may, without what was told before it began.
func TestRemote(t *testing.T) {
	of := func(sockets ...uint64) (all []event.KernelEvent) {
		for _, n := range sockets {
			all = append(all, event.KernelEvent{Release: &event.Release{Time: 7, Socket: n, Task: &event.Task{PID: 1, Comm: "a\xffb", FD: -1}}})
		}
		return all
	}
	s := &scripted{told: [][]event.KernelEvent{of(1), of(2, 3), nil}, broken: errors.New("the ring broke")}
	here, there := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(Serve(there, s), there.Close()) }()
	r, err := Dial(here)
	if err != nil || !slices.Equal(r.Lacks(), s.Lacks()) {
		t.Fatalf("Dial = %v, %v, want what the kernel lacks", r, err)
	}
	if err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]uint64{{2, 3}, nil} {
		var got []uint64
		if err := r.Poll(time.Minute, func(k event.KernelEvent) { got = append(got, k.Release.Socket) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) || s.waited != time.Minute {
			t.Errorf("Poll = %v after %v, want %v after a minute", got, s.waited, want)
		}
	}
	if got := r.Losses(); got != (Losses{RingFull: 2}) {
		t.Errorf("Losses = %+v, want the 2 since it began", got)
	}
	if err := r.Poll(0, nil); !errors.Is(err, io.EOF) {
		t.Errorf("Poll where the other process has failed = %v, want an error", err)
	}
	if err := <-ended; !errors.Is(err, s.broken) {
		t.Errorf("Serve = %v, want why", err)
	}
}

// TestRemoteAlone: nobody tells anything.
func TestRemoteAlone(t *testing.T) {
	here, there := net.Pipe()
	there.Close()
	if r, err := Dial(here); !errors.Is(err, io.EOF) {
		t.Errorf("Dial = %v, %v, want EOF", r, err)
	}
}
