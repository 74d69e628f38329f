package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/sockets"
	"github.com/closecap/closecap/internal/loopback"
)

// amongSockets returns what a command says in a network namespace with sockets in every state.
func amongSockets(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "insockets"
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		skipForbidden(t, msg.String())
		t.Fatalf("insockets %q: %v\n%s", args, err, msg.String())
	}
	return out.Bytes()
}

// TestPsAgainstSS holds every socket that ps shows to what ss says of it.
func TestPsAgainstSS(t *testing.T) {
	out := bytes.NewReader(amongSockets(t, "--", build(t), "ps", "--all", "--format", "json", ";;", "ss", "-tanpeH"))
	var l sockets.Listing
	d := json.NewDecoder(out)
	if err := d.Decode(&l); err != nil {
		t.Fatal(err)
	}
	type said struct {
		State   string
		RecvQ   int
		SendQ   int
		Holders string
	}
	ours, ss := map[string]said{}, map[string]said{}
	troubles, waits := map[sockets.Trouble]int{}, 0
	for _, r := range l.Sockets {
		troubles[r.Trouble] += r.Count
		s := said{r.State.String(), r.Unread, r.Unacked, holderList(r.Holders)}
		switch r.State {
		case event.TimeWait:
			waits += r.Count
			continue
		case event.Listen:
			s.RecvQ, s.SendQ = r.Waiting, r.Backlog
			ours[r.Local.String()+" 0.0.0.0:*"] = s
			continue
		case event.CloseWait, event.LastAck, event.Closing: // ss counts the FINs
			if !r.EndRead {
				s.RecvQ++
			}
		}
		if r.State != event.CloseWait && r.State != event.FinWait2 && r.State != event.Established {
			s.SendQ++
		}
		ours[r.Local.String()+" "+r.Remote.String()] = s
	}
	for lines := bufio.NewScanner(io.MultiReader(d.Buffered(), out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 5 {
			continue
		}
		state, ok := map[string]string{"ESTAB": "ESTABLISHED", "FIN-WAIT-1": "FIN_WAIT1", "FIN-WAIT-2": "FIN_WAIT2"}[f[0]]
		if !ok {
			state = strings.ReplaceAll(f[0], "-", "_")
		}
		if state == "TIME_WAIT" {
			waits--
			continue
		}
		s := said{State: state, Holders: ssHolders(lines.Text())}
		if _, err := fmt.Sscan(f[1]+" "+f[2], &s.RecvQ, &s.SendQ); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		ss[f[3]+" "+f[4]] = s
	}
	if d := cmp.Diff(ss, ours); d != "" || len(ss) < 20 || waits != 0 {
		t.Errorf("%d sockets, TIME_WAIT %+d; ss -, ps +\n%s", len(ss), waits, d)
	}
	want := map[sockets.Trouble]int{
		sockets.AcceptQueueFull: 1, sockets.NotClosed: 2, sockets.NotAccepted: 1, sockets.PeerNotClosed: 2, sockets.OrphanWaits: 2,
		sockets.InTimeWait: 8,
	}
	for trouble, n := range want {
		if troubles[trouble] != n {
			t.Errorf("%d sockets in trouble %s, want %d", troubles[trouble], trouble, n)
		}
	}
	// Whether a FIN was sent again yet, and whether a closed window is probed yet, is a matter of time.
	if n := troubles[sockets.NotAcknowledged] + troubles[sockets.Closing] + troubles[sockets.WindowClosed]; n < 5 {
		t.Errorf("%d whose peers say nothing or take nothing, want 5 or more: %v", n, troubles)
	}
	if l.Counters["ListenOverflows"] == 0 {
		t.Errorf("counters = %v, want an overflow", l.Counters)
	}
}

func holderList(hs []event.SocketHolder) string {
	var all []string
	for _, h := range hs {
		all = append(all, fmt.Sprintf("%s %d %d", h.Comm, h.PID, h.FD))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

var ssUser = regexp.MustCompile(`\("([^"]*)",pid=(\d+),fd=(\d+)\)`)

func ssHolders(line string) string {
	var all []string
	for _, m := range ssUser.FindAllStringSubmatch(line, -1) {
		all = append(all, m[1]+" "+m[2]+" "+m[3])
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// TestPsGivesUp watches orphans until their kernel forgets them, and holds it to what ps foretold.
func TestPsGivesUp(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "tcp_orphan_retries=3", "--",
		build(t), "ps", "--watch", "100ms", "--state", "fin-wait-1,last-ack", "--format", "ndjson")
	cmd.Args[0] = "insockets"
	var msg bytes.Buffer
	cmd.Stderr = &msg
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); out.Close(); _ = cmd.Wait() }()
	type line struct {
		Time event.Time `json:"time"`
		sockets.Socket
	}
	last := map[event.TCPState]line{} // of the orphans
	foretold := func(l line) sockets.End {
		return l.Ends[slices.IndexFunc(l.Ends, func(e sockets.End) bool { return e.By == sockets.ByRetries })]
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if l.Orphan && l.Timer == "retransmit" {
			last[l.State] = l
			// 0.2 s doubled 3 times make 3 s; from the first retransmission on, the timer fires after
			// 0.4, 1.2, 2.8 and 6 s.
			if e := foretold(l); e.LeftNS > 0 && l.Resent+e.Retries != 4 {
				t.Errorf("%v: sent again %d times, %d left, want 4 together", l.State, l.Resent, e.Retries)
			}
		}
		// The other FIN_WAIT1 is not an orphan, and outlives the test.
		overdue := func(s event.TCPState) bool {
			o, seen := last[s]
			return seen && l.Time.Sub(o.Time) > time.Duration(foretold(o).LeftNS)+2*time.Second
		}
		if overdue(event.FinWait1) && overdue(event.LastAck) {
			break
		}
	}
	if len(last) != 2 {
		skipForbidden(t, msg.String())
		t.Fatalf("%d orphans, want one in FIN_WAIT1 and one in LAST_ACK\n%s", len(last), msg.String())
	}
	for state, l := range last {
		if e := foretold(l); l.Resent != 4 || e.LeftNS > sec(4) {
			t.Errorf("last seen in %v: sent again %d times, %+v, want it gone after 4, when the timer fires", state, l.Resent, e)
		}
	}
}

func sec(n int64) int64 { return n * int64(time.Second) }

// closeWait makes a connection whose peer has closed, and returns the port.
func closeWait(t *testing.T) (port string) {
	t.Helper()
	c, s, number := loopback.Pair(t)
	t.Cleanup(func() { s.Close() })
	c.Close()
	if n, _ := s.Read(make([]byte, 1)); n != 0 {
		t.Fatal("data without a writer")
	}
	return fmt.Sprint(number)
}

// TestPsPrivilege shows another user's holder to root, to sudo's caller, and not to nobody.
func TestPsPrivilege(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip(os.ErrPermission)
	}
	port := closeWait(t)
	bin := build(t)
	as := func(env []string, cred *syscall.Credential, args ...string) (out, msg string) {
		cmd := exec.Command(bin, append([]string{"ps", "--port", port}, args...)...)
		cmd.Dir, cmd.Env = "/", append([]string{"PATH=" + os.Getenv("PATH"), "COLUMNS=160"}, env...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
		var o, m bytes.Buffer
		cmd.Stdout, cmd.Stderr = &o, &m
		if err := cmd.Run(); err != nil {
			t.Errorf("closecap ps: %v\n%s", err, m.String())
		}
		return o.String(), m.String()
	}
	self := fmt.Sprintf("[%d]", os.Getpid())
	for name, env := range map[string][]string{"root": nil, "sudo": {"SUDO_UID=65534", "SUDO_GID=65534"}} {
		if out, _ := as(env, nil); !strings.Contains(out, self) || strings.Contains(out, "not allowed") {
			t.Errorf("%s: %s\nwant holder %s", name, out, self)
		}
	}
	out, _ := as(nil, &syscall.Credential{Uid: nobody, Gid: nobody})
	if strings.Contains(out, self) || strings.Count(out, "holders of 1 socket: not allowed (sudo shows those of other users)") != 1 {
		t.Errorf("nobody: %s\nwant it said once that the holder could not be seen", out)
	}
}

// TestPsKeepsLittle looks at the rights of one that goes on watching.
func TestPsKeepsLittle(t *testing.T) {
	for name, env := range map[string][]string{"root": nil, "sudo": {"SUDO_UID=65534", "SUDO_GID=65534"}} {
		cmd := bySudo(t, "/", "ps", "--watch", "100ms", "--format", "csv")
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err != nil {
			t.Fatal(err)
		}
		// 0x80004: CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
		for _, want := range []string{"CapPrm:\t0000000000080004", "CapInh:\t0000000000000000", "NoNewPrivs:\t1"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s: want %q in\n%s", name, want, status)
			}
		}
	}
}

// TestPsHostileName gives the holder a name that would drive a terminal.
func TestPsHostileName(t *testing.T) {
	before, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile("/proc/self/comm", bytes.TrimSpace(before), 0) })
	if err := os.WriteFile("/proc/self/comm", []byte("a\x1b[2J\x7f\u202eb\nc"), 0); err != nil {
		t.Fatal(err)
	}
	port, bin := closeWait(t), build(t)
	for _, format := range []string{"table", "json", "ndjson", "csv"} {
		out, err := exec.Command(bin, "ps", "--port", port, "--format", format).Output()
		if err != nil || !bytes.Contains(out, []byte("[2J")) || bytes.ContainsAny(out, "\x1b\x7f\u202e") {
			t.Errorf("--format %s: %v\n%q\nwant the name escaped", format, err, out)
		}
	}
}
