//go:build linux

package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"closecap/analyze/event"
	"closecap/capture/kernel"
)

// log collects packets for a test that looks at them while the capture runs.
type log struct {
	mu      sync.Mutex
	packets []*event.Packet
}

func (l *log) add(p *event.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packets = append(l.packets, p)
}

func (l *log) all() []*event.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packets[:len(l.packets):len(l.packets)]
}

// tcpHeader returns the packet from its TCP header on, and how many bytes of payload it carried
// on the wire.
func tcpHeader(p *event.Packet) (tcp []byte, length int) {
	ipHeader := int(p.Data[14]&15) * 4
	tcp = p.Data[14+ipHeader:]
	return tcp, int(binary.BigEndian.Uint16(p.Data[16:])) - ipHeader - int(tcp[12]>>4)*4
}

// payload returns how many bytes the packets carried to port after its SYN, each byte counted
// once: the kernel may repeat the last segment as a loss probe (RFC 8985).
func payload(packets []*event.Packet, port uint16) int {
	var got [1 << 17]bool
	var first uint32 // after the SYN
	n := 0
	for _, p := range packets {
		tcp, length := tcpHeader(p)
		if binary.BigEndian.Uint16(tcp[2:]) != port {
			continue
		}
		seq := binary.BigEndian.Uint32(tcp[4:])
		if event.Flags(tcp[13]).Has(event.SYN) {
			first = seq + 1
		}
		for i := range uint32(length) {
			if !got[seq-first+i] {
				got[seq-first+i] = true
				n++
			}
		}
	}
	return n
}

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
		client, server := pair(t, l)
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
	client, server := pair(t, l)
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
		client, server := pair(t, l)
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

// TestSnapLen cuts packets and still says how long they were.
func TestSnapLen(t *testing.T) {
	l, port := listen(t)
	c := open(t, Options{Ports: []uint16{port}, SnapLen: 100})
	var seen log
	c.Start(seen.add)
	client, server := pair(t, l)
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
	l6, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	defer l6.Close()
	port6 := uint16(l6.Addr().(*net.TCPAddr).Port)
	c := open(t, Options{Ports: append(ports, port6), Buffer: 4 << 20, SnapLen: 256})
	var seen log
	c.Start(seen.add)
	a, b := pair(t, other)
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

// inNamespace runs f on a thread in a network namespace of its own, after the ip commands.
func inNamespace(t *testing.T, f func(), commands ...string) {
	t.Helper()
	refused := make(chan error, 1)
	go func() {
		defer close(refused)
		runtime.LockOSThread() // the thread is not given back
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			refused <- err
			return
		}
		for _, command := range commands {
			if !runIP(t, command) {
				return
			}
		}
		f()
	}()
	if err := <-refused; errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func runIP(t *testing.T, command string) bool {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v\n%s", command, err, out)
	}
	return err == nil
}

// TestWithoutIPv6 needs no IPv6 for its barrier.
func TestWithoutIPv6(t *testing.T) {
	inNamespace(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		if _, err := Open(Options{}); err == nil {
			t.Error("Open = nil on a loopback that is down, want an error")
		}
		runIP(t, "link set lo up")
		c, err := Open(Options{Buffer: 4 << 20})
		if err != nil {
			t.Error(err)
			return
		}
		c.Start(func(*event.Packet) {})
		if err := c.Barrier(deadline(t)); err != nil {
			t.Error(err)
		}
		if _, err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestOtherInterface captures what leaves on an interface without markers.
func TestOtherInterface(t *testing.T) {
	inNamespace(t, func() {
		c, err := Open(Options{Interface: "v0", Ports: []uint16{81}, Buffer: 4 << 20})
		if err != nil {
			t.Error(err)
			return
		}
		var seen log
		c.Start(seen.add)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 9, 2}, Port: 81})
		if err != unix.EINPROGRESS {
			t.Errorf("connect = %v", err)
		}
		if err := c.Barrier(deadline(t)); err != nil {
			t.Error(err)
		}
		if got := seen.all(); len(got) != 1 || tcpFlags(t, got[0]) != event.SYN {
			t.Errorf("captured %d packets, want the SYN", len(got))
		}
		if _, err := c.Stop(); err != nil {
			t.Error(err)
		}
	}, "link add v0 type veth peer name v1", "link set v1 up", "link set v0 up",
		"addr add 10.9.9.1/24 dev v0", "neigh add 10.9.9.2 lladdr 02:00:00:00:00:01 dev v0")
}

func TestOpenErrors(t *testing.T) {
	open(t, Options{}).Stop()
	_, err := Open(Options{Interface: "nosuch0"})
	if !errors.Is(err, os.ErrNotExist) || kernel.Hint(err) == "" {
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
