//go:build linux

package live

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/loopback"
)

// TestBurst sends thousands of segments, and every one is there from the first to the last.
func TestBurst(t *testing.T) {
	t.Run("idle", testBurst)
	t.Run("busy", func(t *testing.T) {
		burn(t)
		testBurst(t)
	})
}

func testBurst(t *testing.T) {
	const segments = 5000
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}, SnapLen: 128})
	var seen log
	c.Start(seen.add)
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	client, server := loopback.Connect(t, l)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := server.Read(buf); err != nil {
				return
			}
		}
	})
	for range segments {
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	client.CloseWrite()
	wg.Wait()
	server.Close()
	client.Close()
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	stats, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	got := seen.all()
	bytes, fin := payload(got, port), 0
	for _, p := range got {
		if tcpFlags(t, p).Has(event.FIN) {
			fin++
		}
	}
	if !tcpFlags(t, got[0]).Has(event.SYN) || fin != 2 || bytes != segments || stats.Dropped != 0 {
		t.Errorf("captured %d packets with %d bytes and %d FIN, first %v, %d dropped, want %d bytes, 2 FIN, a SYN first, none",
			len(got), bytes, fin, tcpFlags(t, got[0]), stats.Dropped, segments)
	}
}

// TestSnapLen cuts packets and still says how long they were.
func TestSnapLen(t *testing.T) {
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}, SnapLen: 100})
	var seen log
	c.Start(seen.add)
	client, server := loopback.Connect(t, l)
	defer client.Close()
	defer server.Close()
	if _, err := client.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
		t.Fatal(err)
	}
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	long := 0
	for _, p := range seen.all() {
		if len(p.Data) > 100 {
			t.Errorf("frame %d holds %d bytes, want at most 100", p.Frame, len(p.Data))
		}
		if p.WireLen > 1000 {
			long++
		}
	}
	if long != 1 {
		t.Errorf("%d packets over 1000 bytes on the wire, want 1", long)
	}
}

// TestOtherPorts lets in nothing but the ports, on both IP versions.
func TestOtherPorts(t *testing.T) {
	other, _ := listen(t)
	var ports []uint16
	for range 3 {
		_, p := listen(t)
		ports = append(ports, p)
	}
	l6 := listen6(t, other)
	port6 := loopback.Port(l6)
	c := open(t, Options{Ports: append(ports, port6), Buffer: 4 << 20, SnapLen: 256})
	var seen log
	c.Start(seen.add)
	a, b := loopback.Connect(t, other)
	a.Close()
	b.Close()
	c6, err := net.Dial("tcp6", l6.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c6.Close()
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(seen.all()) == 0 {
		t.Error("captured nothing of the IPv6 connection")
	}
	for _, p := range seen.all() {
		if binary.BigEndian.Uint16(p.Data[12:]) != 0x86dd || p.Data[20] != unix.IPPROTO_TCP {
			t.Errorf("frame %d is no IPv6 TCP: % x", p.Frame, p.Data[:60])
		}
	}
}
