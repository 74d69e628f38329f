package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/internal/loopback"
)

// talker is a running program that has a connection with itself and does as it is told: it says a word
// ("late" by default) and closes both ends.
const talker = `
import socket, sys
l = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(l.getsockname()); s, _ = l.accept()
c.sendall(b"early"); s.recv(9)
way = socket.socket(socket.AF_UNIX); way.connect(sys.argv[1])
way.sendall(b"%d\n" % c.getsockname()[1])
way.recv(1)
c.sendall(b"late"); s.recv(9); c.close(); s.recv(9); s.close()
c = socket.create_connection(l.getsockname()); s, _ = l.accept()
c.sendall(b"new"); s.close(); c.recv(9)
`

// TestTracePid follows a program that runs already: a connection of before, one that it makes, and
// nobody else's.
func TestTracePid(t *testing.T) {
	bin := build(t)
	openKernel(t) // skips where it is not allowed
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "way"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	program := exec.Command(python, "-c", talker, l.Addr().String())
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	defer program.Wait()
	way, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer way.Close()
	var port int
	if _, err := fmt.Fscan(way, &port); err != nil {
		t.Fatal(err)
	}

	saved := filepath.Join(dir, "t.pcapng")
	follow := exec.Command(bin, "trace", "-p", fmt.Sprint(program.Process.Pid), "-i", "lo", "--format", "json", "--save", saved)
	var out bytes.Buffer
	follow.Stdout = &out
	msg, err := follow.StderrPipe()
	if err == nil {
		err = follow.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(msg)
	if line, err := said.ReadString('\n'); err != nil || line != "closecap: following 1 process; Ctrl-C ends it\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	privileges, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", follow.Process.Pid))
	for _, line := range []string{"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"} {
		if err != nil || !strings.Contains(string(privileges), line) {
			t.Errorf("%v; while it follows its status has no %q", err, line)
		}
	}
	stranger(t)
	if _, err := way.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	rest, _ := said.ReadString(0)
	if err := follow.Wait(); err != nil || rest != "" {
		t.Fatalf("closecap trace -p: %v\n%s", err, rest)
	}

	var r analyze.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Connections) != 2 || len(r.Warnings) > 0 {
		t.Fatalf("%d connections, warnings %q, want the program's two and no warning\n%s", len(r.Connections), r.Warnings, out.String())
	}
	older, newer := r.Connections[0], r.Connections[1]
	if p := int(older.Client.Port()); !older.Guessed || p != port && int(older.Server.Port()) != port || older.Ending != analyze.Graceful {
		t.Errorf("the older one: %v to %v, %s, guessed %v", older.Client, older.Server, older.Ending, older.Guessed)
	}
	if newer.Guessed || newer.Closer != analyze.Server || newer.Reset == nil && newer.Ending == analyze.WasReset {
		t.Errorf("the newer one: closed by %s, %s, guessed %v", newer.Closer, newer.Ending, newer.Guessed)
	}
	roots := map[string]int{}
	for _, c := range r.Connections {
		if len(c.Warnings) > 0 {
			t.Errorf("connection %d: %q", c.ID, c.Warnings)
		}
		for _, s := range c.Segments {
			if s.Root.Kind != analyze.RootCall || s.Root.Call == 0 {
				continue
			}
			if s.Root.Confidence != analyze.InKernel {
				t.Errorf("connection %d, frame %d: the root %+v is not by the kernel's word", c.ID, s.Frame, s.Root)
			}
			for _, call := range r.Calls {
				if call.ID == s.Root.Call {
					roots[string(s.Kind)+" "+call.Name]++
				}
			}
		}
	}
	for _, want := range []string{"data send", "fin close", "syn connect"} {
		if roots[want] == 0 {
			t.Errorf("no segment has its root as %q: %v", want, roots)
		}
	}
	again, err := exec.Command(bin, "analyze", "--format", "json", saved).Output()
	if err != nil || !bytes.Equal(again, out.Bytes()) {
		t.Errorf("analyze of what it saved is another: %v", err)
	}
}

// stranger is a connection that is not the program's.
func stranger(t *testing.T) {
	t.Helper()
	c, s, _ := loopback.Pair(t)
	c.Close()
	s.Close()
}

// ways is a program whose child ends connections by SO_LINGER 0, by shutdown, by its exit, and is refused.
const ways = `
import os, socket, struct
l = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.connect(l.getsockname()); c.sendall(b"hello"); c.recv(9); c.close()
    c = socket.create_connection(l.getsockname()); c.sendall(b"bye"); c.shutdown(socket.SHUT_WR); c.recv(9); c.recv(9); c.close()
    c = socket.create_connection(l.getsockname()); c.sendall(b"x"); c.recv(9)
    os._exit(0)
for i in range(3):
    s, _ = l.accept(); s.recv(9); s.sendall(b"answer")
    try: s.recv(9)
    except OSError: pass
    s.close()
os.wait()
try: socket.create_connection(("127.0.0.1", 1))
except OSError: pass
`

// TestTraceByKernel has both kinds of evidence tell the same of the same program.
func TestTraceByKernel(t *testing.T) {
	bin := build(t)
	openKernel(t) // skips where it is not allowed
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	var verdicts [2]string
	for i, evidence := range []string{byPtrace, byKernel} {
		out := filepath.Join(t.TempDir(), "out.json")
		cmd := exec.Command(bin, "trace", "--evidence", evidence, "-i", "lo", "--format", "json", "-o", out, "--", python, "-c", ways)
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("closecap trace --evidence %s: %v\n%s", evidence, err, text)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		var r analyze.Result
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Connections {
			verdicts[i] += fmt.Sprintln(c.Ending, c.Closer, c.Confidence, c.Bytes, c.Lost)
			if evidence == byKernel && len(c.Warnings) > 0 { // ptrace samples a state when the peer may have gone on
				t.Errorf("connection %d: %q", c.ID, c.Warnings)
			}
			if c.Reset != nil {
				verdicts[i] += fmt.Sprintln(c.Reset.By, c.Reset.Cause, c.Reset.Lost) // bpf has the kernel's word
			}
		}
		for _, c := range r.Calls {
			if c.Name == "shutdown" || c.Name == "connect" {
				verdicts[i] += fmt.Sprintln(c.Name, c.Errno, len(c.Caused))
			}
		}
	}
	if verdicts[0] != verdicts[1] || verdicts[0] == "" {
		t.Errorf("ptrace says\n%sthe kernel\n%s", verdicts[0], verdicts[1])
	}
}
