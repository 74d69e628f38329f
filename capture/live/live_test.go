//go:build linux

package live

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/loopback"
)

// open opens a capture or skips where the machine refuses.
func open(t *testing.T, opt Options) *Capture {
	t.Helper()
	c, err := Open(opt)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		if os.Getenv("CLOSECAP_NO_SKIP") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// listen returns a loopback listener and its port.
func listen(t *testing.T) (*net.TCPListener, uint16) {
	t.Helper()
	l := loopback.Listen(t)
	return l, loopback.Port(l)
}

// tcpFlags returns the flag byte of an IPv4 TCP segment in an Ethernet frame.
func tcpFlags(t *testing.T, p *event.Packet) event.Flags {
	t.Helper()
	if len(p.Data) < 54 || binary.BigEndian.Uint16(p.Data[12:]) != 0x0800 || p.Data[23] != 6 {
		t.Fatalf("frame %d is no IPv4 TCP segment: % x", p.Frame, p.Data[:min(len(p.Data), 60)])
	}
	return event.Flags(p.Data[47])
}

func now(t *testing.T) event.Time {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return event.Time(ts.Nano())
}

// TestWholeConnection captures a connection from its SYN to its last ACK, with stamps inside the
// calls that sent each segment.
func TestWholeConnection(t *testing.T) {
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}})
	var got []*event.Packet
	c.Start(func(p *event.Packet) { got = append(got, p) })
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	begin := now(t)
	client, server := loopback.Connect(t, l)
	if _, err := client.Write([]byte("Hello, world")); err != nil {
		t.Fatal(err)
	}
	client.CloseWrite()
	if _, err := io.ReadAll(server); err != nil {
		t.Fatal(err)
	}
	server.Close()
	client.Close()
	end := now(t)
	if err := c.Barrier(deadline(t)); err != nil {
		t.Fatal(err)
	}
	stats, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	var syn, fin, ns int
	for i, p := range got {
		if p.Frame != uint64(i+1) || p.LinkType != 1 || p.WireLen != len(p.Data) {
			t.Errorf("packet %d = frame %d, link type %d, %d of %d bytes", i, p.Frame, p.LinkType, len(p.Data), p.WireLen)
		}
		if p.Time < begin || p.Time > end {
			t.Errorf("frame %d stamped %v, want between %v and %v", p.Frame, p.Time, begin, end)
		}
		flags := tcpFlags(t, p)
		if flags.Has(event.SYN) {
			syn++
		}
		if flags.Has(event.FIN) {
			fin++
		}
		if p.Time%1000 != 0 {
			ns++
		}
	}
	if syn != 2 || fin != 2 || ns < len(got)/2 {
		t.Errorf("captured %d SYN, %d FIN, %d stamps finer than 1 µs of %d, want 2, 2, nearly all", syn, fin, ns, len(got))
	}
	if stats.Received != uint64(len(got)) || stats.Dropped != 0 {
		t.Errorf("Stop = %+v, want %d received and none dropped", stats, len(got))
	}
}

func BenchmarkBarrier(b *testing.B) {
	c, err := Open(Options{})
	if err != nil {
		b.Skip(err)
	}
	c.Start(func(*event.Packet) {})
	for b.Loop() {
		if err := c.Barrier(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := c.Stop(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkOpenStop(b *testing.B) {
	for b.Loop() {
		c, err := Open(Options{})
		if err != nil {
			b.Skip(err)
		}
		c.Start(func(*event.Packet) {})
		if _, err := c.Stop(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOpenFiles opens a capture with more and more descriptors: until it can, it says why it can't.
func TestOpenFiles(t *testing.T) {
	open(t, Options{}).Stop()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	for few := uint64(3); few < limit.Cur; few += 1 + few/16 {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: few, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		c, err := Open(Options{})
		if err == nil {
			if _, err = c.Stop(); err != nil || few == 3 {
				t.Errorf("Open with %d descriptors, then Stop = %v", few, err)
			}
			return
		}
		if !errors.Is(err, unix.EMFILE) {
			t.Fatalf("Open with %d descriptors = %v, want EMFILE", few, err)
		}
	}
}
