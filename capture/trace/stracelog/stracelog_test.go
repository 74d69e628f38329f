package stracelog_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace/stracelog"
)

var update = flag.Bool("update", false, "rewrite the expected calls; read the diff before you commit it")

// TestReadFiles reads logs that strace wrote and compares the calls with those beside them.
func TestReadFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/*.log")
	if err != nil || len(names) == 0 {
		t.Fatalf("no logs in testdata: %v", err)
	}
	perProcess, _ := filepath.Glob("testdata/*.ff.*")
	if len(perProcess) == 0 {
		t.Fatal("no -ff logs in testdata")
	}
	for _, name := range append(names, "testdata/fork.ff") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			log, err := stracelog.ReadFiles([]string{name}, options)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(name, ".log") + ".calls"
			got := describe(log)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("calls differ (-want +got):\n%s", diff)
			}
			checkLog(t, log)
		})
	}
}

// options date the logs that have none: they were made on this day.
var options = stracelog.Options{
	Near: event.Time(time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC).UnixNano()), Zone: time.UTC,
}

// describe writes a log in full, one call a line.
func describe(log *stracelog.Log) string {
	var b strings.Builder
	for _, c := range log.Calls {
		result := fmt.Sprint(c.Ret)
		if c.Errno != "" {
			result = c.Errno
		}
		took := "?"
		if c.End != 0 {
			took = c.End.Sub(c.Start).String()
		}
		name := c.Name
		if c.Syscall != "" {
			name += "/" + c.Syscall
		}
		fmt.Fprintf(&b, "%v %s %s tid %d: %s(%d, %s) = %s", c.Start, took, c.Actor, c.TID, name, c.FD, c.Args, result)
		for _, part := range []struct {
			name string
			show bool
			what any
		}{
			{"local", c.Local.IsValid(), c.Local}, {"remote", c.Remote.IsValid(), c.Remote},
			{"accepted", c.Accepted != 0, c.Accepted}, {"text", c.Text != "", fmt.Sprintf("%q", c.Text)},
			{"note", c.Note != "", c.Note}, {"peek", c.Peek, true},
		} {
			if part.show {
				fmt.Fprintf(&b, " %s=%v", part.name, part.what)
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "lines %d, unparsed %d, folded %d\n", log.Lines, log.Unparsed, log.Folded)
	for _, u := range log.Examples {
		fmt.Fprintf(&b, "%s: %s: %q\n", u.At, u.Why, u.Text)
	}
	for _, w := range log.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

// checkLog asserts what holds for every log.
func checkLog(t *testing.T, log *stracelog.Log) {
	t.Helper()
	if log.Unparsed > log.Lines || len(log.Examples) > log.Unparsed || (log.Unparsed > 0) != (len(log.Examples) > 0) {
		t.Errorf("%d of %d lines unparsed, %d examples", log.Unparsed, log.Lines, len(log.Examples))
	}
	if !slices.IsSortedFunc(log.Calls, func(a, b *event.Call) int { return int(min(max(a.Start-b.Start, -1), 1)) }) {
		t.Error("calls are not in order of Start")
	}
	for i, c := range log.Calls {
		if c.Name == "" || c.Actor == "" || c.End != 0 && c.End < c.Start || c.RecvQ != -1 {
			t.Errorf("call %d = %+v", i, c)
		}
	}
}

// TestReadHalves puts calls together that strace printed in two parts, and keeps the one that
// never returned.
func TestReadHalves(t *testing.T) {
	const text = `7 1700000000.000001 recvfrom(3<TCP:[127.0.0.1:1->127.0.0.1:2]>,  <unfinished ...>
8 1700000000.000002 recvfrom(4<TCP:[127.0.0.1:2->127.0.0.1:1]>,  <unfinished ...>
7 1700000000.000005 <... recvfrom resumed>"a<b>\")", 10, 0, NULL, NULL) = 5 <0.000004>
9 1700000000.000006 <... recvfrom resumed>"x", 1, 0, NULL, NULL) = 1 <0.000004>
7 1700000000.000007 ???( <unfinished ...>
7 1700000000.000007 <... ??? resumed>) = ?
8 1700000000.000007 +++ killed by SIGSEGV (core dumped) +++
`
	log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}}, stracelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `2023-11-14T22:13:20.000001000Z 4µs pid 7 tid 7: recv/recvfrom(3, 10 bytes) = 5 local=127.0.0.1:1 remote=127.0.0.1:2 text="a<b>\")"
2023-11-14T22:13:20.000002000Z ? pid 8 tid 8: recv/recvfrom(4, 0 bytes) = -1 local=127.0.0.1:2 remote=127.0.0.1:1 note=did not return: SIGSEGV ended its thread
2023-11-14T22:13:20.000002000Z 5µs pid 8 tid 8: kill(4, SIGSEGV) = 0 local=127.0.0.1:2 remote=127.0.0.1:1
lines 7, unparsed 1, folded 0
log:4: resumed, but never begun: "9 1700000000.000006 <... recvfrom resumed>\"x\", 1, 0, NULL, NULL) = 1 <0.000004>"
`
	if diff := cmp.Diff(want, describe(log)); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
}

// TestReadCutOff tells which signal ended the wait of a close that lingers, or its thread.
func TestReadCutOff(t *testing.T) {
	const closing = " close(3<TCP:[127.0.0.1:1->127.0.0.1:2]>) = "
	const text = "7 1700000000.000000" + closing + "0 <0.500000>\n" +
		"8 1700000000.400000 close(5</etc/hosts>) = 0 <0.000001>\n" +
		"7 1700000000.500100 --- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---\n" +
		"7 1700000001.000000" + closing + "0 <0.000010>\n" +
		"7 1700000002.000000 getpid() = 7 <0.000001>\n" +
		"7 1700000002.500000 --- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---\n" +
		"7 1700000003.000000" + closing + "?\n" +
		"7 1700000004.000000 +++ killed by SIGKILL +++\n"
	log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}}, stracelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range log.Calls {
		got = append(got, fmt.Sprintf("%s %v %q %q", c.Name, c.Abandoned.Sub(c.Start), c.Signal, c.Note))
	}
	never := -time.Duration(log.Calls[0].Start)
	want := []string{
		fmt.Sprintf(`close %v "SIGALRM" ""`, never), fmt.Sprintf(`close %v "" ""`, never-time.Second),
		`close 1s "SIGKILL" "did not return: SIGKILL ended its thread"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
}

// TestReadConnect takes the end of a connect from its thread's next line: strace looked the
// socket up between the line's time and the call, up to a limit.
func TestReadConnect(t *testing.T) {
	const connect = " connect(3<TCP:[9]>, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"10.0.0.1\")}, 16) = -1 EINPROGRESS (Operation now in progress) <0.000010>\n"
	const text = "7 1700000000.000000" + connect +
		"8 1700000000.000100 close(4<TCP:[1]>) = 0 <0.000001>\n" +
		"7 1700000000.000300 epoll_wait(4, [], 1, 0) = 0 <0.000001>\n" +
		"7 1700000001.000000 close(3<TCP:[9]>) = 0 <0.000001>\n" +
		"7 1700000002.000000" + connect +
		"7 1700000003.000000 +++ exited with 0 +++\n"
	log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}}, stracelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Duration
	for _, c := range log.Calls {
		if c.Name == "connect" {
			got = append(got, c.End.Sub(c.Start))
		}
	}
	want := []time.Duration{300 * time.Microsecond, 100*time.Millisecond + 10*time.Microsecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connects took (-want +got):\n%s", diff)
	}
}

// TestReadAccept takes the end of an accept from its thread's next line, up to a limit: the SYN that it waited for
// is later than its own line says.
func TestReadAccept(t *testing.T) {
	const accept = " accept4(3<TCP:[127.0.0.1:80]>, NULL, NULL, 0) = 4<TCP:[127.0.0.1:80->127.0.0.1:9]> <1.000000>\n"
	const text = "7 1700000000.000000" + accept +
		"7 1700000001.000300 close(4<TCP:[127.0.0.1:80->127.0.0.1:9]>) = 0 <0.000001>\n" +
		"7 1700000002.000000" + accept +
		"7 1700000004.000000 +++ exited with 0 +++\n"
	log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}}, stracelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Duration
	for _, c := range log.Calls {
		if c.Name == "accept" {
			got = append(got, c.End.Sub(c.Start))
		}
	}
	want := []time.Duration{time.Second + 300*time.Microsecond, time.Second + 10*time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accepts took (-want +got):\n%s", diff)
	}
}

// TestReadOtherTimes refuses times that cannot stand beside packets, and skips what else strace
// may put before a call.
func TestReadOtherTimes(t *testing.T) {
	const call = "close(3<TCP:[127.0.0.1:1->127.0.0.1:2]>) = 0 <0.000001>"
	for _, tt := range []struct{ line, why string }{
		{"7 1700000000.000001 " + call, ""},
		{"7 1700000000.000001 [   3] [00007fd27c0b7ad7] " + call, ""},
		{"7 1700000000.000001 [   3] [????????????????] " + call, ""},
		{"7 1700000000 " + call, "only whole seconds, too coarse beside packets (strace -ttt)"},
		{"7 12:00:00 " + call, "only whole seconds, too coarse beside packets (strace -ttt)"},
		{"7      0.000123 " + call, "a time since the line before, no date (strace -ttt)"},
	} {
		log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(tt.line + "\n")}},
			stracelog.Options{Near: event.Time(1700000000e9)})
		if err != nil {
			t.Fatal(err)
		}
		why := ""
		if len(log.Examples) > 0 {
			why = log.Examples[0].Why
		}
		if why != tt.why || (len(log.Calls) == 1) != (why == "") {
			t.Errorf("%q: %d calls, unparsed for %q, want %q", tt.line, len(log.Calls), why, tt.why)
		}
	}
}

// TestReadMidnight follows a log without dates over midnight.
func TestReadMidnight(t *testing.T) {
	const text = "7 23:59:59.999999999 close(3<TCP:[127.0.0.1:1->127.0.0.1:2]>) = 0 <0.000001>\n" +
		"7 00:00:00.000001 close(4<TCP:[127.0.0.1:2->127.0.0.1:1]>) = 0 <0.000001>\n"
	near := time.Date(2026, 3, 2, 0, 0, 5, 0, time.UTC)
	log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}},
		stracelog.Options{Near: event.Time(near.UnixNano()), Zone: time.UTC})
	if err != nil || len(log.Calls) != 2 {
		t.Fatalf("Read = %d calls, %v, want 2", len(log.Calls), err)
	}
	for i, want := range []string{"2026-03-01T23:59:59.999999999Z", "2026-03-02T00:00:00.000001000Z"} {
		if got := log.Calls[i].Start.String(); got != want {
			t.Errorf("call %d starts at %s, want %s", i, got, want)
		}
	}
	log, err = stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}}, stracelog.Options{})
	if err != nil || len(log.Calls) != 0 || log.Unparsed != 2 {
		t.Errorf("Read without a day = %d calls, %d unparsed, %v, want 0, 2", len(log.Calls), log.Unparsed, err)
	}
}

// TestReadFilesMissing names the log that is not there.
func TestReadFilesMissing(t *testing.T) {
	_, err := stracelog.ReadFiles([]string{"testdata/none"}, stracelog.Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadFiles = %v, want %v", err, os.ErrNotExist)
	}
}

// FuzzRead reads anything without panic, and accounts for every line.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob("testdata/*.log")
	if err != nil || len(names) == 0 {
		f.Fatalf("no logs in testdata: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		for line := range bytes.Lines(b) {
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		log, err := stracelog.Read([]stracelog.File{{Name: "log.7", Reader: bytes.NewReader(b)}}, options)
		if err != nil {
			t.Fatal(err)
		}
		checkLog(t, log)
	})
}
