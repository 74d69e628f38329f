//go:build linux

package live

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/internal/loopback"
)

// burn keeps every CPU busy with other processes until the test ends.
func burn(t *testing.T) {
	for range runtime.NumCPU() {
		cmd := exec.Command("sh", "-c", "while :; do :; done")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	}
}

func ends(c *net.TCPConn) (local, remote netip.AddrPort) {
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

func sample(t *testing.T, d *kernel.Diag, local, remote netip.AddrPort) event.Sample {
	t.Helper()
	s, err := d.Sample(local, remote)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openDiag(t *testing.T) *kernel.Diag {
	t.Helper()
	d, err := kernel.OpenDiag()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestBarrierSettlesStates samples right after barriers: the kernels have digested what the
// capture saw, and the capture saw what they have digested.
func TestBarrierSettlesStates(t *testing.T) {
	t.Run("idle", testSettle)
	t.Run("busy", func(t *testing.T) {
		burn(t)
		testSettle(t)
	})
}

func testSettle(t *testing.T) {
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}, Buffer: 4 << 20, SnapLen: 256})
	var seen log
	c.Start(seen.add)
	defer c.Stop()
	d := openDiag(t)
	barrier := func() []*event.Packet {
		t.Helper()
		before := len(seen.all())
		if err := c.Barrier(deadline(t)); err != nil {
			t.Fatal(err)
		}
		return seen.all()[before:]
	}
	barrier()
	for range 50 {
		client, server := loopback.Connect(t, l)
		local, remote := ends(client)
		barrier()

		before := len(seen.all())
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		barrier()
		got := seen.all()[before:]
		if len(got) == 0 || !tcpFlags(t, got[0]).Has(event.FIN) {
			t.Fatalf("captured %d packets of a shutdown, want the FIN first", len(got))
		}
		cs, ss := sample(t, d, local, remote), sample(t, d, remote, local)
		acked := len(got) == 2
		if cs.State == event.FinWait2 && !acked { // the delayed ACK left between barrier and sample
			barrier()
			acked = len(seen.all()[before:]) == 2
		}
		if acked != (cs.State == event.FinWait2) || ss.State != event.CloseWait {
			t.Fatalf("after shutdown, ACK captured %v: client %v, server %v", acked, cs.State, ss.State)
		}

		if _, err := server.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		barrier()
		if cs := sample(t, d, local, remote); cs.RecvQ != 4 {
			t.Fatalf("client has %d bytes to read after the barrier, want 4", cs.RecvQ)
		}
		client.SetLinger(0)
		client.Close()
		barrier()
		if ss := sample(t, d, remote, local); ss.State != event.Closed {
			t.Fatalf("after a reset: server %v, want CLOSED", ss.State)
		}
		server.Close()
		if got := barrier(); len(got) != 0 {
			t.Fatalf("captured %d packets of closing a reset socket, want none", len(got))
		}
	}
}

// TestBarrierCountsBytes: what the capture holds right after a barrier is what the peer's kernel
// has. It stays within the first window, so that nothing is sent twice or refused.
func TestBarrierCountsBytes(t *testing.T) {
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}, SnapLen: 128})
	var seen log
	c.Start(seen.add)
	defer c.Stop()
	d := openDiag(t)
	const writes, size = 20, 2000
	for range 20 {
		if err := c.Barrier(deadline(t)); err != nil {
			t.Fatal(err)
		}
		from := len(seen.all())
		client, server := loopback.Connect(t, l)
		local, remote := ends(client)
		for range writes {
			if _, err := client.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Barrier(deadline(t)); err != nil {
			t.Fatal(err)
		}
		held := sample(t, d, remote, local).RecvQ
		sent := payload(seen.all()[from:], port)
		if sent != writes*size || held != sent {
			t.Errorf("captured %d bytes, server holds %d, want %d both", sent, held, writes*size)
		}
		client.SetLinger(0)
		client.Close()
		server.Close()
	}
}

func TestOpenErrors(t *testing.T) {
	open(t, Options{}).Stop()
	_, err := Open(Options{Interface: "nosuch0"})
	if !errors.Is(err, os.ErrNotExist) || hint.Of(err) == "" {
		t.Errorf("Open(nosuch0) = %v, want it not to exist, with a hint", err)
	}
}

func TestBarrierEnds(t *testing.T) {
	c := open(t, Options{Buffer: 4 << 20})
	if err := c.Barrier(deadline(t)); err == nil {
		t.Error("Barrier before Start = nil, want an error")
	}
	c.Start(func(*event.Packet) {})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Barrier(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Barrier = %v, want done or canceled", err)
	}
	if _, err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := c.Barrier(deadline(t)); !errors.Is(err, errEnded) {
		t.Errorf("Barrier after Stop = %v, want %v", err, errEnded)
	}
}
