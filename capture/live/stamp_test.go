//go:build linux

package live

import (
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/loopback"
)

// TestFromOpen captures what comes between Open and Start.
func TestFromOpen(t *testing.T) {
	for range 5 {
		l, port := listen(t)
		c := open(t, Options{Ports: []uint16{port}, SnapLen: 256})
		client, server := loopback.Connect(t, l)
		var seen log
		c.Start(seen.add)
		if err := c.Barrier(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		client.Close()
		server.Close()
		if got := seen.all(); len(got) != 3 || tcpFlags(t, got[0]) != event.SYN {
			t.Errorf("captured %d packets of a handshake before Start, want 3", len(got))
		}
	}
}

// TestStampsInsideCalls: a segment is stamped between the start and the end of the write that
// sent it, however late it is delivered.
func TestStampsInsideCalls(t *testing.T) {
	t.Run("idle", testStamps)
	t.Run("busy", func(t *testing.T) {
		burn(t)
		testStamps(t)
	})
}

func testStamps(t *testing.T) {
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}, SnapLen: 256})
	var seen log
	c.Start(seen.add)
	for range 25 {
		client, server := loopback.Connect(t, l)
		for range 8 { // within the first congestion window, so that every write sends at once
			if err := c.Barrier(deadline(t)); err != nil {
				t.Fatal(err)
			}
			from := len(seen.all())
			start := now(t)
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			end := now(t)
			if err := c.Barrier(deadline(t)); err != nil {
				t.Fatal(err)
			}
			stamped := seen.all()[from:]
			if !slices.ContainsFunc(stamped, func(p *event.Packet) bool {
				_, length := tcpHeader(p)
				return length == 1 && start <= p.Time && p.Time <= end
			}) {
				t.Errorf("none of %d segments is stamped between %v and %v", len(stamped), start, end)
			}
		}
		client.Close()
		server.Close()
	}
	if _, err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}
