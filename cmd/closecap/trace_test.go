//go:build linux

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/kernel"
)

// conversation is a traced program that says its port, and when told from which local port, talks to
// itself from there. It ends when told again.
const conversation = `
import socket, sys
way = socket.socket(socket.AF_UNIX); way.connect(sys.argv[1])
l = socket.create_server(("127.0.0.1", 0), backlog=4096)
way.sendall(b"%d\n" % l.getsockname()[1])
c = socket.socket()
c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
lines = way.makefile()
c.bind(("127.0.0.1", int(lines.readline())))
c.connect(l.getsockname())
s, _ = l.accept()
c.sendall(b"hello"); s.recv(9); c.close(); s.recv(9); s.close()
lines.readline()
`

// tracing is a traced conversation on the host's loopback.
type tracing struct {
	way  net.Conn   // to the program
	port int        // that it listens on
	done chan error // what run returns
	out  string
}

func startTracing(t *testing.T, f traceFlags, errs io.Writer) *tracing {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	if !kernel.HasNetRaw() {
		t.Skip(os.ErrPermission)
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "way"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tr := &tracing{out: filepath.Join(t.TempDir(), "out.json"), done: make(chan error, 1)}
	f.evidence = cmp.Or(f.evidence, byAuto)
	f.format, f.color, f.outFile, f.interfaces = "json", "never", tr.out, []string{"lo"}
	go func() {
		tr.done <- f.run(t.Context(), []string{python, "-c", conversation, l.Addr().String()}, streams{err: errs})
	}()
	if tr.way, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.way.Close() })
	if _, err := fmt.Fscan(tr.way, &tr.port); err != nil {
		t.Fatal(err)
	}
	return tr
}

// say tells the program to go on, from a local port.
func (tr *tracing) say(t *testing.T, port int) {
	t.Helper()
	if _, err := fmt.Fprintln(tr.way, port); err != nil {
		t.Fatal(err)
	}
}

// result is the report, once the program has ended.
func (tr *tracing) result(t *testing.T) *analyze.Result {
	t.Helper()
	if err := <-tr.done; err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(tr.out)
	if err != nil {
		t.Fatal(err)
	}
	var r analyze.Result
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// TestTraceScope has this process, which is not traced, use the program's local port as well: towards
// another server, and towards the program's own one it comes from another port.
func TestTraceScope(t *testing.T) {
	for _, evidence := range []string{byPtrace, byKernel} {
		t.Run(evidence, func(t *testing.T) {
			if evidence == byKernel {
				openKernel(t) // skips where it is not allowed
			}
			traceScope(t, evidence)
		})
	}
}

func traceScope(t *testing.T, evidence string) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tr := startTracing(t, traceFlags{buffer: traceBuffer, evidence: evidence}, io.Discard)
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)},
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		},
	}
	foreign, err := dialer.Dial("tcp", other.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	shared := foreign.LocalAddr().(*net.TCPAddr).AddrPort()
	tr.say(t, int(shared.Port()))
	tr.say(t, 0)
	foreign.Close()
	r := tr.result(t)
	if len(r.Connections) != 1 {
		t.Fatalf("%d connections, want the program's one", len(r.Connections))
	}
	c := r.Connections[0]
	if c.Client != shared || int(c.Server.Port()) != tr.port {
		t.Errorf("connection %v to %v, want %v to port %d", c.Client, c.Server, shared, tr.port)
	}
	if c.Segments[0].Kind != analyze.KindSyn || c.Ending != analyze.Graceful || c.Confidence != analyze.Observed || len(r.Warnings) > 0 {
		t.Errorf("first %v, %v, %v, warnings %q; want a whole connection, observed", c.Segments[0].Kind, c.Ending, c.Confidence, r.Warnings)
	}
}

// stuck is a standard error that nobody reads from the first line with a word on.
type stuck struct {
	word    string
	reached chan struct{}
	until   chan struct{}
}

func (s stuck) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(s.word)) {
		s.reached <- struct{}{}
		<-s.until
	}
	return len(b), nil
}

// TestTraceDropped has the capture lose packets: it has next to no room, nobody reads it because
// nobody reads standard error, and others connect to the program meanwhile.
func TestTraceDropped(t *testing.T) {
	const strangers = 500
	errs := stuck{"accept(", make(chan struct{}, 1), make(chan struct{})}
	tr := startTracing(t, traceFlags{buffer: 64 << 10, live: true}, errs)
	tr.say(t, 0)
	<-errs.reached
	for range strangers {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", tr.port))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	close(errs.until)
	tr.say(t, 0)
	r := tr.result(t)
	if r.Capture.Dropped == 0 || len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "the capture lost") {
		t.Fatalf("dropped %d, warnings %q, want some and a warning", r.Capture.Dropped, r.Warnings)
	}
	lacking := strangers + 1 - len(r.Connections) // of which nothing was captured
	for _, c := range r.Connections {
		if c.Confidence != analyze.Observed {
			lacking++
		}
		const opened, ended = 1 | 2 | 4, 16 | 32 // Wireshark's bits: SYN, SYN,ACK, ACK; FIN, RST
		if bits := c.Compat.Completeness; c.Confidence == analyze.Observed && (bits&opened != opened || bits&ended == 0) {
			t.Errorf("connection %d: %v is observed, though packets of it are missing (completeness %d)", c.ID, c.Ending, bits)
		}
	}
	if n := len(r.Connections); n == 0 || lacking == 0 {
		t.Errorf("%d connections, all observed, though %d packets were lost", n, r.Capture.Dropped)
	}
}
