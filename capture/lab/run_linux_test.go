package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab/script"
)

// opened begins a script in which client and server are connected.
const opened = "server listen\nclient connect\nserver accept\n"

func TestMain(m *testing.M) {
	ActorMain()
	if err := kernel.RaiseLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// skip ends a test for lack of a right, unless nothing may be skipped.
func skip(t *testing.T, err error) {
	t.Helper()
	denied := errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)
	if !denied || os.Getenv("CLOSECAP_NO_SKIP") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// TestPrivately runs this file's tests once more in a private namespace, where nothing needs
// a privilege and drop and sysctl work.
func TestPrivately(t *testing.T) {
	if kernel.InPrivate() {
		t.Skip("is private already")
	}
	var out bytes.Buffer
	args := []string{"-test.run=^(TestScenario|TestScript|TestRun)", "-test.v=true"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	exit, err := kernel.ReexecPrivate(kernel.PrivateOptions{Args: args, Stdout: &out, Stderr: &out})
	if err != nil {
		skip(t, err)
	}
	if exit != 0 {
		t.Fatalf("in the private namespace: exit %d\n%s", exit, out.String())
	}
	if n := strings.Count(out.String(), "--- PASS: TestScenarios/"); n < 2*len(script.Builtin()) {
		t.Errorf("%d scenarios passed in the private namespace, want %d\n%s", n, 2*len(script.Builtin()), out.String())
	}
}

func run(t *testing.T, s *script.Script, opt Options) *event.Recording {
	t.Helper()
	opt.Private = kernel.InPrivate()
	rec, err := Run(t.Context(), s, opt)
	if errors.Is(err, os.ErrPermission) {
		skip(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func parse(t *testing.T, src string) *script.Script {
	t.Helper()
	s, err := script.Parse("test.close", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScenarios(t *testing.T) {
	for _, s := range script.Builtin() {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/v6=%v", s.Name, v6), func(t *testing.T) {
				if s.NeedsPrivate && !kernel.InPrivate() {
					t.Skip("runs in a private namespace only: see TestPrivately")
				}
				checkRecording(t, run(t, s, Options{IPv6: v6}))
			})
		}
	}
}

// checkRecording holds a recording against what the script says of calls and kernel states,
// and against what is true of every recording.
func checkRecording(t *testing.T, rec *event.Recording) {
	t.Helper()
	if rec.Run.Dropped != 0 || len(rec.Packets) != len(rec.Segments) || len(rec.Segments) == 0 {
		t.Errorf("%d packets, %d segments, %d dropped", len(rec.Packets), len(rec.Segments), rec.Run.Dropped)
	}
	rows := make(map[int]bool)
	for _, c := range rec.Calls {
		rows[c.ID] = true
		if got := outcome(c); c.Want != "" && got != c.Want {
			t.Errorf("%s: %s %s = %s, want %s", c.At, c.Actor, c.Name, got, c.Want)
		}
		if c.End < c.Start || c.Start == 0 {
			t.Errorf("%s: %s %s lasts from %v to %v", c.At, c.Actor, c.Name, c.Start, c.End)
		}
	}
	checkGone(t, rec)
	for _, s := range rec.Segments {
		rows[int(s.Frame)] = true
	}
	if len(rows) != len(rec.Calls)+len(rec.Segments) || !rows[1] || !rows[len(rows)] {
		t.Errorf("%d rows for %d calls and %d segments", len(rows), len(rec.Calls), len(rec.Segments))
	}
	for _, e := range rec.Expectations {
		if e.Subject == "state" {
			if got := stateAt(rec, e); got != e.Args[1] {
				t.Errorf("%s: %s: got %s", e.At, e.Text, got)
			}
		}
	}
	if t.Failed() {
		dump(t, rec)
	}
}

func outcome(c *event.Call) string {
	switch {
	case c.End == 0:
		return "pending"
	case c.Errno != "":
		return c.Errno
	case strings.HasPrefix(c.Want, `"`):
		return strconv.Quote(c.Text)
	case c.Name == "recv" && c.Ret == 0:
		return "EOF"
	}
	return strconv.FormatInt(c.Ret, 10)
}

// stateAt returns the newest state of a side up to the expectation's call.
func stateAt(rec *event.Recording, e event.Expectation) string {
	syn := rec.Segments[0]
	local, remote := syn.Src, syn.Dst
	if e.Args[0] == "server" {
		local, remote = remote, local
	}
	state := ""
	for _, c := range rec.Calls {
		for _, s := range c.Samples {
			if c.ID <= e.After && s.Local == local && s.Remote == remote {
				state = s.State.String()
			}
		}
	}
	return state
}

func dump(t *testing.T, rec *event.Recording) {
	t.Helper()
	for _, c := range rec.Calls {
		t.Logf("%d %v %s %s(%d, %s) = %d %s %q", c.ID, c.Start, c.Actor, c.Name, c.FD, c.Args, c.Ret, c.Errno, c.Text)
		for _, s := range c.Samples {
			t.Logf("   %v %s %s %s %v", s.Time, s.Local, s.State, s.Timer, time.Duration(s.Left))
		}
	}
	for _, s := range rec.Segments {
		t.Logf("%d %v %s > %s %s seq %d ack %d len %d", s.Frame, s.Time, s.Src, s.Dst, s.Flags, s.Seq, s.Ack, s.Len)
	}
}

// TestScriptLanguage runs what no built-in scenario uses yet.
func TestScriptLanguage(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil || len(files) == 0 {
		t.Fatalf("read testdata: %d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			src, err := os.ReadFile("testdata/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			s, err := script.Parse(f.Name(), src)
			if err != nil {
				t.Fatal(err)
			}
			if s.NeedsPrivate && !kernel.InPrivate() {
				t.Skip("runs in a private namespace only: see TestPrivately")
			}
			checkRecording(t, run(t, s, Options{}))
		})
	}
}

func TestRunEndsAtTheDeadline(t *testing.T) {
	s := parse(t, opened+"server recv\nclient close\n")
	rec, err := Run(t.Context(), s, Options{Private: kernel.InPrivate(), Timeout: time.Second})
	if errors.Is(err, os.ErrPermission) {
		skip(t, err)
	}
	// How far it came in a second is the machine's affair.
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "the run was ended after 1s") {
		t.Errorf("Run() = %v, want test.close:…: the run was ended after 1s", err)
	}
	checkGone(t, rec)
}

// TestRunTimeoutLeavesOutTheStart gives the run less time than starting two processes takes: it
// must come to the script all the same.
func TestRunTimeoutLeavesOutTheStart(t *testing.T) {
	s := parse(t, "wait 10s\n")
	_, err := Run(t.Context(), s, Options{Private: kernel.InPrivate(), Timeout: time.Millisecond})
	if errors.Is(err, os.ErrPermission) {
		skip(t, err)
	}
	if want := "test.close:1: wait 10s: the run was ended after 1ms"; err == nil || err.Error() != want {
		t.Errorf("Run() = %v, want %s", err, want)
	}
}

// TestRunEndsWhenAStateWasMissed does not wait until the deadline for a state that an end has
// left behind.
func TestRunEndsWhenAStateWasMissed(t *testing.T) {
	s := parse(t, opened+"client shutdown WR\nuntil client FIN_WAIT2\nuntil client FIN_WAIT1\n")
	rec, err := Run(t.Context(), s, Options{Private: kernel.InPrivate(), Timeout: time.Minute})
	if errors.Is(err, os.ErrPermission) {
		skip(t, err)
	}
	want := "test.close:6: until FIN_WAIT1: client is in FIN_WAIT2: what it waits for does not come any more"
	if err == nil || err.Error() != want || !errors.Is(err, errMissed) {
		t.Errorf("Run() = %v, want %s", err, want)
	}
	if len(rec.Calls) != 5 {
		t.Errorf("%d calls recorded, want those of one try, 5", len(rec.Calls))
	}
	checkGone(t, rec)
}

func TestMissed(t *testing.T) {
	for _, tt := range []struct {
		now, goal event.TCPState
		want      bool
	}{
		{event.Established, event.Closing, false},
		{event.FinWait1, event.Closing, false},
		{event.FinWait2, event.Closing, true},
		{event.TimeWait, event.Closing, true},
		{event.Closing, event.Closing, false},
		{event.FinWait1, event.CloseWait, true},
		{event.Closed, event.TimeWait, true},
		{event.TimeWait, event.Closed, false},
		{event.TimeWait, event.Established, false}, // a new connection may take the port pair
		{event.Closed, event.Listen, false},
	} {
		if got := missed([]event.Sample{{State: tt.goal}, {State: tt.now}}, tt.goal); got != tt.want {
			t.Errorf("missed(%v, %v) = %v, want %v", tt.now, tt.goal, got, tt.want)
		}
	}
}

func TestTimersDueTogether(t *testing.T) {
	at := func(retransmits int, left ...time.Duration) (all []event.Sample) {
		for _, l := range left {
			all = append(all, event.Sample{Timer: "retransmit", Retransmits: retransmits, Left: int64(l)})
		}
		return all
	}
	const near, far = 100 * time.Millisecond, 3 * time.Second
	for _, tt := range []struct {
		all        []event.Sample
		due, apart bool
	}{
		{at(1, near, near, near), true, false},
		{at(1, near, near+4e6, near), false, false},
		{at(6, far, far+32e6, far), false, true},
		{at(6, far, far, far-4e6), false, false}, // a tick came between the samples
		{at(6, 1e6, 1e6, 1e6), false, false},     // together, but too soon: the next time
	} {
		if due, apart := allDue(tt.all, leastMargin), stayApart(tt.all); due != tt.due || apart != tt.apart {
			t.Errorf("%v: due %v, apart %v, want %v, %v", tt.all, due, apart, tt.due, tt.apart)
		}
	}
}

func TestRunEndsWhenCancelled(t *testing.T) {
	s := parse(t, opened+"server recv\nclient close\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rec, err := Run(ctx, s, Options{Private: kernel.InPrivate(), Progress: func(line string) {
		if line == "server recv" {
			cancel()
		}
	}})
	if errors.Is(err, os.ErrPermission) {
		skip(t, err)
	}
	want := "test.close:4: server recv had not returned: context canceled"
	if err == nil || err.Error() != want || !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v, want %s", err, want)
	}
	checkCut(t, rec)
}

// checkCut checks a recording that ended inside the server's recv.
func checkCut(t *testing.T, rec *event.Recording) {
	t.Helper()
	i := slices.IndexFunc(rec.Calls, func(c *event.Call) bool { return c.Name == "recv" })
	if i != len(rec.Calls)-1 || rec.Calls[i].End != 0 || len(rec.Segments) != 3 {
		t.Errorf("%d calls, recv is %d, %d segments; want recv last, without end, after 3 segments", len(rec.Calls), i, len(rec.Segments))
		dump(t, rec)
	}
	checkGone(t, rec)
}

// checkGone checks that no actor is left.
func checkGone(t *testing.T, rec *event.Recording) {
	t.Helper()
	for _, c := range rec.Calls {
		if c.Actor != "" && unix.Kill(c.PID, 0) != unix.ESRCH {
			t.Errorf("%s: process %d still runs", c.Actor, c.PID)
		}
	}
}

func TestRunSaysThatThePortIsInUse(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	s := parse(t, opened)
	_, err = Run(t.Context(), s, Options{Private: kernel.InPrivate(), Port: uint16(port)})
	want := fmt.Sprintf("listen on 127.0.0.1:%d: address already in use", port)
	if err == nil || err.Error() != want || hint.Of(err) == "" {
		t.Errorf("Run() = %v (hint %q), want %s", err, hint.Of(err), want)
	}
}

func TestRunEndsAtACallThatMustNotFail(t *testing.T) {
	s := parse(t, "client connect\nclient send \"x\"\n")
	_, err := Run(t.Context(), s, Options{Private: kernel.InPrivate()})
	if errors.Is(err, os.ErrPermission) {
		skip(t, err)
	}
	if want := "test.close:1: client connect: connection refused"; err == nil || err.Error() != want {
		t.Errorf("Run() = %v, want %s", err, want)
	}
}

func TestRunRefusesDropOnTheHost(t *testing.T) {
	s := parse(t, opened+"drop client FIN\n")
	_, err := Run(t.Context(), s, Options{})
	if err == nil || hint.Of(err) == "" {
		t.Errorf("Run() = %v, want an error with a hint", err)
	}
}

func TestScenarioDescriptorsBeginAtThree(t *testing.T) {
	rec := run(t, parse(t, opened), Options{})
	for i, want := range []int{3, 3, 3} {
		if got := rec.Calls[i].FD; got != want {
			t.Errorf("%s %s has descriptor %d, want %d", rec.Calls[i].Actor, rec.Calls[i].Name, got, want)
		}
	}
}

// TestActorsHaveTheirOwnGroup keeps Ctrl-C from them: it is for the director, who ends them when nothing is
// recorded any more.
func TestActorsHaveTheirOwnGroup(t *testing.T) {
	p, err := startProcess("client")
	if err != nil {
		t.Fatal(err)
	}
	defer p.end()
	if group, err := unix.Getpgid(p.pid); err != nil || group != p.pid {
		t.Errorf("process group = %d, %v, want its own, %d", group, err, p.pid)
	}
}
