package lab

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/lab/script"
)

// The vocabulary is parsed on every system and carried out on Linux: each word must stand in
// both tables.
func TestEveryWordIsCarriedOut(t *testing.T) {
	for _, v := range script.Verbs {
		if syscallTable[v.Name] == nil && specialRuns[v.Name] == nil {
			t.Errorf("no system call for %s", v.Name)
		}
	}
	for _, d := range script.Directives {
		if directiveRuns[d.Name] == nil {
			t.Errorf("nothing carries out %s", d.Name)
		}
	}
	for name := range script.OptionKinds {
		if optionNumbers[name] == [2]uintptr{} {
			t.Errorf("no number for %s", name)
		}
	}
	for _, names := range [][]string{script.MsgFlags, script.PollEvents} {
		for _, name := range names {
			if flagNumbers[name] == 0 {
				t.Errorf("no number for %s", name)
			}
		}
	}
	for _, name := range script.ErrnoNames {
		if errnoNumber(name) == 0 {
			t.Errorf("the kernel has no %s", name)
		}
	}
}

func errnoNumber(name string) int {
	for n := 1; n < 200; n++ {
		if errnoName(n) == name {
			return n
		}
	}
	return 0
}

// A port that is taken wants another help than one that is not allowed.
func TestPortHint(t *testing.T) {
	for err, want := range map[error]string{unix.EADDRINUSE: "free port", unix.EACCES: "--private"} {
		if got := hint.Of(portInUse("127.0.0.1:80", err)); !strings.Contains(got, want) {
			t.Errorf("hint of %v = %q, want %q in it", err, got, want)
		}
	}
}
