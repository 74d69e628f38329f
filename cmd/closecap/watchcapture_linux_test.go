package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/closecap/closecap/capture/live"
	"github.com/closecap/closecap/internal/loopback"
)

// capturing is a closecap watch -i that runs.
type capturing struct {
	*exec.Cmd
	out   *bufio.Scanner
	start time.Time
}

// startCapturing starts closecap watch on the loopback and waits until it captures.
func startCapturing(t *testing.T, args ...string) *capturing {
	t.Helper()
	if c, err := live.Open(live.Options{}); err == nil {
		c.Stop()
	} else if os.Getenv("CLOSECAP_NO_SKIP") == "" && (errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)) {
		t.Skip(err)
	} else {
		t.Fatal(err)
	}
	c := &capturing{Cmd: exec.Command("/proc/self/exe", append([]string{"watch", "-i", "lo", "--for", "50s"}, args...)...), start: time.Now()}
	c.Args[0] = "closecap"
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(stdout)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() }) // of one that the test gave up
	messages := bufio.NewReader(stderr)
	if line, err := messages.ReadString('\n'); !strings.Contains(line, "by packets alone") {
		t.Fatalf("closecap watch -i lo: %q, %v", line, err)
	}
	go io.Copy(io.Discard, messages)
	return c
}

// line returns the next line of the output.
func (c *capturing) line(t *testing.T) string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("no line of output: %v", c.out.Err())
	}
	return c.out.Text()
}

// rest returns the rest of the output.
func (c *capturing) rest(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for c.out.Scan() {
		fmt.Fprintln(&b, c.out.Text())
	}
	if err := c.out.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// closeBoth closes the client's end, and when the server's kernel has its FIN the other.
func closeBoth(t *testing.T, client, server *net.TCPConn) {
	t.Helper()
	client.Close()
	if n, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read %d bytes, %v, want the end", n, err)
	}
	server.Close()
}

// TestCapturingShows: a connection is shown when it has ended, while the capture goes on and its
// TIME_WAIT lasts.
func TestCapturingShows(t *testing.T) {
	client, server, port := loopback.Pair(t)
	older := fmt.Sprint("127.0.0.1:", client.LocalAddr().(*net.TCPAddr).Port)
	fresh, other, second := loopback.Pair(t)
	fresh.Close()
	other.Close()
	w := startCapturing(t, "--host", "127.0.0.1")
	closeBoth(t, client, server)
	client, server, third := loopback.Pair(t)
	start := time.Now()
	closeBoth(t, client, server)
	refused, err := net.Dial("tcp4", fmt.Sprint("127.0.0.1:", port)) // nobody listens any more
	if err == nil {
		refused.Close()
		t.Fatal("a connection that nobody listens for was accepted")
	}
	client, server, fourth := loopback.Pair(t)
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	client.Close()

	want := map[string]string{ // by server's port
		older:                                   "graceful  who closed first is not known", // nor how long it lasted, nor who is the client
		fmt.Sprint(" → 127.0.0.1:", third):      "closed first: the client  TIME_WAIT: client until ",
		fmt.Sprint("127.0.0.1:", port, " ← "):   "  refused",
		fmt.Sprint("127.0.0.1:", fourth, " ← "): ": RST of the server",
	}
	var lines []string
	for len(want) > 0 {
		if !w.out.Scan() {
			t.Fatalf("not shown: %q\nof %s", slices.Sorted(maps.Keys(want)), strings.Join(lines, "\n"))
		}
		line := w.out.Text() // other programs' connections among them
		lines = append(lines, line)
		for ends, how := range want {
			if strings.Contains(line, ends) {
				if delete(want, ends); !strings.Contains(line, how) {
					t.Errorf("line %q, want %q", line, how)
				}
			}
		}
		if strings.Contains(line, fmt.Sprint(":", second)) {
			t.Errorf("shown, though it had ended before: %s", line)
		}
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v, want a second, no TIME_WAIT", took)
	}
	// What it may have is dropped, root's own capabilities too.
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.Process.Pid))
	if err != nil || !bytes.Contains(status, []byte("CapPrm:\t0000000000000000")) {
		t.Errorf("while it captures: %v\n%s\nwant no capability", err, status)
	}
}

// TestCapturingEnds: with Ctrl-C what has ended is shown at once, and what has not is not.
func TestCapturingEnds(t *testing.T) {
	w := startCapturing(t)
	open, peer, openPort := loopback.Pair(t)
	defer open.Close()
	defer peer.Close()
	client, server, port := loopback.Pair(t)
	closeBoth(t, client, server)
	if err := w.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for w.out.Scan() {
		fmt.Fprintln(&out, w.out.Text())
	}
	if err := w.Wait(); err != nil {
		t.Errorf("closecap watch: %v", err)
	}
	if text := out.String(); !strings.Contains(text, fmt.Sprint("127.0.0.1:", port, "  graceful, ")) || !strings.Contains(text, " ended in ") {
		t.Errorf("output:\n%s\nwant the connection and the summary", text)
	}
	if strings.Contains(out.String(), fmt.Sprint(":", openPort)) {
		t.Errorf("output:\n%s\nwant nothing of the open connection", out.String())
	}
}

// TestCapturingFormats: one connection in each format, picked by port, and then it ends.
func TestCapturingFormats(t *testing.T) {
	for format, want := range map[string]string{
		"csv":    ",graceful,client,observed,",
		"ndjson": `"ending":"graceful","closer":"client","closer_confidence":"observed"`,
	} {
		t.Run(format, func(t *testing.T) {
			l := loopback.Listen(t)
			port := loopback.Port(l)
			w := startCapturing(t, "--format", format, "--count", "1", "--port", fmt.Sprint(port))
			if format == "csv" {
				w.line(t)
			}
			client, server := loopback.Connect(t, l)
			closeBoth(t, client, server)
			if line := w.line(t); !strings.Contains(line, want) || !strings.Contains(line, fmt.Sprint(":", port)) || strings.Contains(line, "tasks") {
				t.Errorf("line %s, want %s", line, want)
			}
			if w.out.Scan() {
				t.Errorf("more output: %s", w.out.Text())
			}
			if err := w.Wait(); err != nil || time.Since(w.start) > 40*time.Second {
				t.Errorf("closecap watch: %v after %v, want an end with the first connection", err, time.Since(w.start))
			}
		})
	}
}

// TestCapturingWords: why a connection ended is told in each format in the words of its server, whatever the port, and
// with --no-payload in none. Most of an answer that is longer than what is captured of a packet is not needed for it.
func TestCapturingWords(t *testing.T) {
	const full = "-ERR max number of clients reached"
	cut := "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + strings.Repeat("x", 30000)
	for _, tt := range []struct{ format, ask, answer, want string }{
		{"table", "*1\r\n$4\r\nPING\r\n", full + "\r\n", "  why: the server ended it: " + full + ", then closed"},
		{"csv", "*1\r\n$4\r\nPING\r\n", full + "\r\n", ",observed,,'" + full},
		{"ndjson", "*1\r\n$4\r\nPING\r\n", full + "\r\n", `"reason_kind":"goodbye","said":"` + full + `"`},
		{"table", "GET / HTTP/1.1\r\n\r\n", cut, "  why: the server closed in the middle of its own message: HTTP/1.1 200 OK, cut: 30000 of the 50000 bytes"},
	} {
		for _, args := range [][]string{nil, {"--no-payload"}} {
			t.Run(fmt.Sprint(tt.format, args), func(t *testing.T) {
				l := loopback.Listen(t)
				w := startCapturing(t, append(args, "--format", tt.format, "--count", "1", "--port", fmt.Sprint(loopback.Port(l)))...)
				if tt.format == "csv" {
					w.line(t)
				}
				client, server := loopback.Connect(t, l)
				fmt.Fprint(client, tt.ask)
				if _, err := io.ReadFull(server, make([]byte, len(tt.ask))); err != nil {
					t.Fatal(err)
				}
				go fmt.Fprint(server, tt.answer)
				if _, err := io.ReadFull(client, make([]byte, len(tt.answer))); err != nil {
					t.Fatal(err)
				}
				closeBoth(t, server, client)
				told := args == nil
				line := w.line(t)
				if said := line + w.rest(t); strings.Contains(line, tt.want) != told || strings.Contains(said, full) && !told {
					t.Errorf("%s\ntells %q: %v, want %v", said, tt.want, !told, told)
				}
			})
		}
	}
}

// TestCapturingRefused: without the right it says what is missing, and what helps.
func TestCapturingRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip(os.ErrPermission)
	}
	cmd := exec.Command("setpriv", "--reuid", fmt.Sprint(nobody), "--clear-groups", build(t), "watch", "-i", "lo")
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitFailed || !bytes.Contains(out, []byte("hint: capturing needs CAP_NET_RAW: use sudo, or setcap")) {
		t.Errorf("closecap watch -i lo: %v\n%s\nwant exit status 1 and what helps", err, out)
	}
}

// What the capture lost is said once, and summed up.
func TestCapturingLosses(t *testing.T) {
	var out, msg bytes.Buffer
	w := newWatching(&watchFlags{iface: "lo", format: "table"}, streams{out: &out, err: &msg})
	for _, n := range []uint64{0, 3, 3, 5} {
		w.sayLosses(packetLosses(n))
	}
	if err := w.finish(time.Second); err != nil {
		t.Fatal(err)
	}
	const want = "closecap: warning: 3 packets were lost just now: endings of this time may be missing or wrong\n" +
		"closecap: warning: 2 packets were lost just now: endings of this time may be missing or wrong\n" +
		"closecap: warning: 5 packets were lost\n"
	if msg.String() != want {
		t.Errorf("messages:\n%swant\n%s", msg.String(), want)
	}
	var scraped bytes.Buffer
	w.writeMetrics(&scraped)
	if !strings.Contains(scraped.String(), `closecap_lost_events_total{reason="capture"} 5`) {
		t.Errorf("metrics:\n%s\nwant 5 lost", scraped.String())
	}
}
