//go:build linux && (amd64 || arm64)

package trace_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
	"github.com/closecap/closecap/capture/trace/stracelog"
)

// TestStrace runs programs under strace and under this package: call by call they must say the
// same.
func TestStrace(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		skipUnable(t, errors.Join(err, errors.ErrUnsupported))
	}
	for _, program := range []string{"close-unread", "data", "nonblocking", "polls", "refused", "kill"} {
		t.Run(program, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "strace.log")
			cmd := exec.Command(strace, "-f", "-ttt", "-T", "-yy", "-s256", "-o", log, os.Args[0])
			cmd.Env = append(os.Environ(), programEnv+"="+program)
			out, err := cmd.CombinedOutput()
			if state := cmd.ProcessState; state == nil || state.ExitCode() > 0 {
				t.Fatalf("strace: %v\n%s", err, out)
			}
			want, err := stracelog.ReadFiles([]string{log}, stracelog.Options{AllCalls: true})
			if err != nil {
				t.Fatal(err)
			}
			if want.Unparsed > 0 {
				t.Errorf("%d lines of strace's were not understood: %+v", want.Unparsed, want.Examples)
			}
			got := record(t, programOptions(program, trace.Options{AllCalls: true}))
			// strace's lines of epoll_wait name no socket, so its reader leaves them out.
			traced := slices.DeleteFunc(told(got.calls), func(line string) bool { return strings.Contains(line, " epoll_") })
			if diff := cmp.Diff(told(want.Calls), traced); diff != "" {
				t.Errorf("calls differ (-strace +trace):\n%s", diff)
			}
		})
	}
}

var port = regexp.MustCompile(`127\.0\.0\.1:[1-9]\d*`)

// told is the story of calls and what they carried, without the ports that differ from run to run.
func told(calls []*event.Call) []string {
	lines := story(calls)
	for i, c := range calls {
		lines[i] = port.ReplaceAllString(lines[i], "127.0.0.1:*") + " " + c.Syscall + " " + c.Text
	}
	return lines
}
