//go:build linux && (amd64 || arm64)

package trace_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/trace"
)

// programEnv makes the test binary one of the programs that the tests trace.
const programEnv = "TRACE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	trace.LauncherMain()
	if name := os.Getenv(programEnv); name != "" {
		programs[name]()
		os.Exit(0)
	}
	// No signals of Go's scheduler in the programs: a call that one interrupts is made again.
	os.Setenv("GODEBUG", "asyncpreemptoff=1")
	os.Exit(m.Run())
}

// recording is what one traced run gave.
type recording struct {
	calls  []*event.Call
	result trace.Result
}

// record traces a program and fails the test when that is not possible here.
func record(t *testing.T, opts trace.Options) recording {
	t.Helper()
	diag, err := kernel.OpenDiag()
	skipUnable(t, err)
	defer diag.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var r recording
	opts.OnCall = func(c event.Call) { r.calls = append(r.calls, &c) }
	opts.Sample = diag.Sample
	r.result, err = trace.Run(ctx, opts)
	skipUnable(t, err)
	checkCalls(t, r.calls)
	return r
}

// recordProgram traces one of the programs of this test binary.
func recordProgram(t *testing.T, name string) recording {
	t.Helper()
	return record(t, programOptions(name, trace.Options{}))
}

// programOptions completes options for one of the programs of this test binary.
func programOptions(name string, opts trace.Options) trace.Options {
	opts.Args = []string{os.Args[0]}
	opts.Env = append(os.Environ(), programEnv+"="+name)
	return opts
}

func skipUnable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	unable := errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported)
	if unable && os.Getenv("CLOSECAP_NO_SKIP") != "1" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// checkCalls asserts what holds for the calls of every run.
func checkCalls(t *testing.T, calls []*event.Call) {
	t.Helper()
	var last event.Time
	for i, c := range calls {
		switch {
		case c.Actor == "" || c.PID == 0 || c.TID == 0 || c.Name == "":
			t.Errorf("call %d: %+v lacks who or what", i, c)
		case c.End != 0 && (c.Start == 0 || c.End < c.Start):
			t.Errorf("call %d: %s from %v to %v", i, c.Name, c.Start, c.End)
		case c.End != 0 && c.End < last:
			t.Errorf("call %d: %s ended before the call delivered before it", i, c.Name)
		case (c.Ret == -1) != (c.Errno != "") && c.End != 0:
			t.Errorf("call %d: %s = %d with errno %q", i, c.Name, c.Ret, c.Errno)
		}
		last = max(last, c.End)
	}
}

// after returns the story of the calls after the first accept, which all programs have in common.
func after(calls []*event.Call) []string {
	for i, c := range calls {
		if c.Name == "accept" {
			return story(calls)[i+1:]
		}
	}
	return nil
}

// only returns the calls of one name.
func only(calls []*event.Call, name string) []*event.Call {
	return slices.DeleteFunc(slices.Clone(calls), func(c *event.Call) bool { return c.Name != name })
}

// expect fails the test unless the calls after the accept are these.
func expect(t *testing.T, r recording, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, after(r.calls)); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
}

// story writes calls as "name(fd, args) = result", for comparison. Descriptors count from the
// first one that a call made: Go's runtime takes a few before.
func story(calls []*event.Call) []string {
	var lines []string
	for _, c := range calls {
		result := fmt.Sprint(c.Ret)
		switch {
		case c.Errno != "":
			result = c.Errno
		case c.Name == "socket" || c.Name == "accept" || c.Name == "dup":
			result = fmt.Sprintf("fd %d", int(c.Ret)-calls[0].FD)
		}
		lines = append(lines, fmt.Sprintf("%s(%d, %s) = %s", c.Name, c.FD-calls[0].FD, c.Args, result))
	}
	return lines
}
