package bpf

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/loopback"
)

// openEndings opens the real thing, and skips only where the system does not allow it.
func openEndings(t testing.TB, opt Options) *Endings {
	t.Helper()
	s, err := Open(opt)
	if err != nil {
		if os.Getenv("CLOSECAP_NO_SKIP") == "" && (errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func connection(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	client, server, _ = loopback.Pair(t)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// await polls until ok accepts an event.
func await(t testing.TB, s *Endings, what string, ok func(event.KernelEvent) bool) event.KernelEvent {
	t.Helper()
	var found event.KernelEvent
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if err := s.Poll(10*time.Millisecond, func(k event.KernelEvent) {
			if ok(k) {
				found = k
			}
		}); err != nil {
			t.Fatal(err)
		}
		if found != (event.KernelEvent{}) {
			return found
		}
	}
	t.Fatalf("no event came: %s", what)
	return found
}

func portOf(c *net.TCPConn) uint16 { return c.LocalAddr().(*net.TCPAddr).AddrPort().Port() }

func ends(port uint16) func(event.KernelEvent) bool {
	return func(k event.KernelEvent) bool { return k.Endpoint != nil && k.Endpoint.Local.Port() == port }
}

func TestCloseWithUnreadData(t *testing.T) {
	s := openEndings(t, Options{})
	client, server := connection(t)
	if _, err := server.Write([]byte("unread data!")); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	before := event.Time(time.Now().UnixNano())
	client.Close()
	after := event.Time(time.Now().UnixNano())
	port := portOf(client)
	var end *event.Endpoint
	reset := await(t, s, "the client's RST", func(k event.KernelEvent) bool {
		if ends(port)(k) {
			end = k.Endpoint
		}
		return k.Reset != nil && k.Reset.Local.Port() == port
	}).Reset
	if end == nil {
		t.Fatal("the RST came without the end of its socket")
	}
	if end.Unread != 7 || end.Received != 12 || !end.Born || !end.Connected || end.Last() != event.Established {
		t.Errorf("client's end = %+v, want 7 of 12 bytes unread", end)
	}
	// The clock that the kernel stamps with is read once a poll.
	const slack = event.Time(5 * time.Millisecond)
	if end.Stop() < before-slack || end.Stop() > after+slack {
		t.Errorf("it ended at %v, want from %v to %v", end.Stop(), before, after)
	}
	if end.End == nil || !end.End.Owner || end.End.PID != os.Getpid() || end.End.Call != "close" {
		t.Errorf("ended by %+v, want this process in close", end.End)
	}
	if reset.Offender != nil || reset.Socket != end.Socket || reset.Task == nil || !reset.Task.Owner {
		t.Errorf("reset = %+v, want an active one of socket %d", reset, end.Socket)
	}
	if reset.Reason != "TCP_ABORT_ON_CLOSE" && len(s.Lacks()) == 0 {
		t.Errorf("reason = %q, want TCP_ABORT_ON_CLOSE", reset.Reason)
	}
}

// TestFinOfShutdown: a close after shutdown sends no FIN, also while the first one waits to be acknowledged.
func TestFinOfShutdown(t *testing.T) {
	s := openEndings(t, Options{})
	client, server := connection(t)
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(name string, set func(fd int) error) {
		t.Helper()
		var failed error
		if err := raw.Control(func(fd uintptr) { failed = set(int(fd)) }); err != nil || failed != nil {
			t.Fatalf("%s: %v, %v", name, err, failed)
		}
	}
	none := []unix.SockFilter{{Code: unix.BPF_RET}} // lets nothing in
	option("attach filter", func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none[0]})
	})
	client.CloseWrite()
	client.Close()
	option("detach filter", func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) })
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read = %v, want the FIN that is sent again", err)
	}
	server.Close()
	end := await(t, s, "the client's end", ends(portOf(client))).Endpoint
	if end.Fin == nil || end.Fin.Call != "shutdown" || end.Fin.How != unix.SHUT_WR {
		t.Errorf("FIN by %+v, want shutdown", end.Fin)
	}
	var states []event.TCPState
	for _, step := range end.Steps {
		states = append(states, step.State)
	}
	if want := []event.TCPState{event.SynSent, event.Established, event.FinWait1, event.FinWait2, event.Closed}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

// TestLinksStay: a link that only the collector knows is closed, and its events end without an error.
func TestLinksStay(t *testing.T) {
	s := openEndings(t, Options{})
	for range 3 {
		runtime.GC()
		client, server := connection(t)
		client.Close()
		server.Close()
		await(t, s, "a connection's end after garbage collection", ends(portOf(client)))
	}
}

func TestFilters(t *testing.T) {
	self, err := Netns("self")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		opt  func(port uint16) Options
		seen bool
	}{
		"port":       {func(port uint16) Options { return Options{Port: port} }, true},
		"other port": {func(uint16) Options { return Options{Port: 1} }, false},
		"netns":      {func(uint16) Options { return Options{Netns: self} }, true},
		"no netns":   {func(uint16) Options { return Options{Netns: 1} }, false},
		"no cgroup":  {func(uint16) Options { return Options{Cgroup: 1 << 60} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := connection(t)
			port := portOf(client)
			all, s := openEndings(t, Options{}), openEndings(t, tt.opt(port))
			client.Close()
			server.Close()
			await(t, all, "the end that nothing filters", ends(port))
			seen := false
			if err := s.Poll(0, func(k event.KernelEvent) { seen = seen || ends(port)(k) }); err != nil {
				t.Fatal(err)
			}
			if seen != tt.seen {
				t.Errorf("seen = %v, want %v", seen, tt.seen)
			}
		})
	}
}

func TestHolders(t *testing.T) {
	s := openEndings(t, Options{})
	client, server := connection(t)
	if err := client.CloseWrite(); err != nil { // a change, so that the socket has a cookie
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read = %v, want EOF", err)
	}
	holders, err := s.Holders()
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, tasks := range holders {
		for _, h := range tasks {
			if h.PID == os.Getpid() {
				own++
			}
		}
	}
	if own < 2 {
		t.Errorf("Holders = %v, want this process with both ends", holders)
	}
}

// loaded returns which of programs the kernel has. Those of other processes come and go meanwhile.
func loaded(programs []ebpf.ProgramID) []ebpf.ProgramID {
	var found []ebpf.ProgramID
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		if slices.Contains(programs, id) {
			found = append(found, id)
		}
	}
	return found
}

// TestNothingIsLeft: what Open loads goes with Close. That it goes with kill -9 is the kernel's
// doing: nothing is pinned.
func TestNothingIsLeft(t *testing.T) {
	s, err := Open(Options{})
	if err != nil {
		t.Skip(err)
	}
	var own []ebpf.ProgramID
	for name, p := range s.programs.Programs {
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, ok := info.ID()
		if !ok {
			t.Fatalf("%s has no number", name)
		}
		own = append(own, id)
	}
	if got := loaded(own); len(own) == 0 || len(got) != len(own) {
		t.Errorf("programs %v loaded, want %v", got, own)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); len(loaded(own)) > 0; {
		if time.Now().After(end) {
			t.Fatalf("programs %v are left, want none", loaded(own))
		}
		runtime.Gosched()
	}
}

// TestObjectIsRebuilt holds the committed object to its source, where the compiler is the same.
func TestObjectIsRebuilt(t *testing.T) {
	out, err := exec.Command("./build", "--check").CombinedOutput()
	if err != nil {
		t.Errorf("build --check: %v\n%s", err, out)
	} else if len(out) > 0 {
		t.Skipf("%s", out)
	}
}

func TestTooOld(t *testing.T) {
	for release, want := range map[string]bool{
		"5.14.21": true, "4.19.0": true, "5.15.0-generic": false, "6.1.0": false, "7.0": false, "odd": false,
	} {
		if got := tooOld(release); got != want {
			t.Errorf("tooOld(%q) = %v, want %v", release, got, want)
		}
	}
}

// BenchmarkConnections measures what watching costs a short connection, both ends: cpu-ns/op is that of the
// calls, of the programs inside them, and of the reader.
func BenchmarkConnections(b *testing.B) {
	b.Run("alone", shortConnections)
	b.Run("watched", func(b *testing.B) {
		s := openEndings(b, Options{})
		done, polled := make(chan bool), make(chan bool)
		go func() {
			defer close(polled)
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := s.Poll(50*time.Millisecond, func(event.KernelEvent) {}); err != nil {
					b.Error(err)
					return
				}
			}
		}()
		shortConnections(b)
		close(done)
		<-polled
	})
}

func shortConnections(b *testing.B) {
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			b.Fatal(err)
		}
		return fd
	}
	l := socket()
	defer unix.Close(l)
	err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 5))
	at, nameErr := unix.Getsockname(l)
	if err := errors.Join(err, nameErr); err != nil {
		b.Fatal(err)
	}
	start := cpu(b)
	for b.Loop() {
		c := socket()
		// No TIME_WAIT, or the ports run out.
		err := errors.Join(unix.SetsockoptLinger(c, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), unix.Connect(c, at))
		s, _, acceptErr := unix.Accept(l)
		if err := errors.Join(err, acceptErr, unix.Close(c), unix.Close(s)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N), "cpu-ns/op")
}

// cpu returns what this process has used.
func cpu(b *testing.B) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
