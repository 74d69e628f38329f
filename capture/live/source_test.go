//go:build linux

package live

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/internal/loopback"
)

var _ intake.Source = (*Source)(nil)

// TestSource hands out what is captured while it is captured, to its last packet.
func TestSource(t *testing.T) {
	before := runtime.NumGoroutine()
	l, port := listen(t)
	ctx, stop := context.WithCancel(deadline(t))
	defer stop()
	s := open(t, Options{Ports: []uint16{port}, SnapLen: 128}).Source(ctx)
	client, server := loopback.Connect(t, l) // captured since Open
	var flags []event.Flags
	closed := false
	for rec, err := range s.Records(t.Context()) {
		switch {
		case err != nil:
			t.Fatal(err)
		case rec == nil:
			if len(flags) == 3 && !closed { // what came is handed on while there is no more
				closed = true
				server.Close()
				client.Close()
				stop()
			}
		default:
			if flags = append(flags, tcpFlags(t, &rec.Packet)); rec.Packet.Frame != uint64(len(flags)) {
				t.Errorf("packet %d is frame %d", len(flags), rec.Packet.Frame)
			}
		}
	}
	fins := 0
	for _, f := range flags {
		if f.Has(event.FIN) {
			fins++
		}
	}
	if fins != 2 || flags[0] != event.SYN {
		t.Errorf("captured %v, want a SYN to 2 FINs", flags)
	}
	if links := s.LinkTypes(); !slices.Equal(links, []uint16{1}) || s.Dropped() != 0 {
		t.Errorf("link types %v, %d dropped; want Ethernet, none", links, s.Dropped())
	}
	noMoreThan(t, before)
}

// noMoreThan waits for goroutines that have said that they are done, and may be just about to be gone.
func noMoreThan(t *testing.T, goroutines int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// Whoever leaves the loop, or is told to, ends the capture.
func TestSourceLeft(t *testing.T) {
	for name, leave := range map[string]func(cancel func()) bool{
		"break":  func(func()) bool { return true },
		"cancel": func(cancel func()) bool { cancel(); return false },
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			_, port := listen(t)
			s := open(t, Options{Ports: []uint16{port}}).Source(t.Context())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range s.Records(ctx) {
				if leave(cancel) {
					break
				}
			}
			noMoreThan(t, before)
		})
	}
}

// What the kernel had no room for is counted while the source goes on.
func TestSourceDropped(t *testing.T) {
	l, port := listen(t)
	ctx, stop := context.WithCancel(deadline(t))
	defer stop()
	s := open(t, Options{Ports: []uint16{port}, SnapLen: 128, Buffer: 1 << 16}).Source(ctx)
	client, server := loopback.Connect(t, l)
	defer client.Close()
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := server.Read(buf); err != nil {
				return
			}
		}
	}()
	defer server.Close()
	for rec, err := range s.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Dropped() > 0 {
			stop()
		}
		if rec == nil && ctx.Err() == nil { // nothing is read meanwhile but what the queue takes
			for range 4 * maxQueued {
				if _, err := client.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if s.Dropped() == 0 {
		t.Error("Dropped() = 0, want some of a burst")
	}
}

// TestFilter captures what a filter lets through, alone and together with ports.
func TestFilter(t *testing.T) {
	if _, err := CompileFilter("tcp", 1); errors.Is(err, errors.ErrUnsupported) {
		if _, err := Open(Options{Filter: "tcp"}); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, os.ErrPermission) {
			t.Errorf("Open with a filter = %v, want ErrUnsupported", err)
		}
		return
	}
	l, port := listen(t)
	for _, test := range []struct {
		opt  Options
		want int
	}{
		{Options{Filter: "tcp[tcpflags] & tcp-syn != 0", Ports: []uint16{port}}, 2},
		{Options{Filter: "tcp[tcpflags] & tcp-syn != 0 and tcp[tcpflags] & tcp-ack == 0 and port " + strconv.Itoa(int(port))}, 1},
		{Options{Filter: "udp or icmp", Ports: []uint16{port}}, 0},
	} {
		c := open(t, test.opt)
		var seen log
		c.Start(seen.add)
		if err := c.Barrier(deadline(t)); err != nil {
			t.Fatal(err)
		}
		client, server := loopback.Connect(t, l)
		client.Close()
		server.Close()
		if err := c.Barrier(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		if len(seen.all()) != test.want {
			t.Errorf("%q with ports %v: %d packets, want %d", test.opt.Filter, test.opt.Ports, len(seen.all()), test.want)
		}
	}
}
