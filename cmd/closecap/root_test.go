package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
)

// TestMessagesDriveNoTerminal names a file as an attacker would.
func TestMessagesDriveNoTerminal(t *testing.T) {
	for _, args := range [][]string{
		{"analyze", "\x1b[2Jno\r.pcap"},
		{"analyze", "--host", "\x1b[2J", "x.pcap"},
		{"analyze", "--calls", "\x1b[2J", "--sample", "close"},
		{"analyze", "--\x1b[2J"},
	} {
		var out, msg strings.Builder
		if code := run(t.Context(), args, streams{out: &out, err: &msg}); code == exitDone {
			t.Errorf("run(%q) = %d, want a failure", args, code)
		}
		if s := msg.String(); !strings.HasPrefix(s, "closecap: ") || strings.ContainsAny(s, "\x1b\r") {
			t.Errorf("run(%q) says %q, want it harmless", args, s)
		}
	}
}

// TestReaderLeft tells `closecap … | head` from a pipe of ours that broke.
func TestReaderLeft(t *testing.T) {
	for path, words := range map[string]string{
		os.Stdout.Name(): "",
		"save.pcapng":    "closecap: write: write save.pcapng: " + syscall.EPIPE.Error() + "\n",
	} {
		var msg strings.Builder
		err := fmt.Errorf("write: %w", &fs.PathError{Op: "write", Path: path, Err: syscall.EPIPE})
		if code := exitCode(err, &msg); code != exitFailed || msg.String() != words {
			t.Errorf("a broken %s: exit %d and %q, want %d and %q", path, code, msg.String(), exitFailed, words)
		}
	}
}

func TestBuiltVersion(t *testing.T) {
	for noted, want := range map[string]string{"v1.2.3": "1.2.3", "(devel)": "devel", "": "devel"} {
		info := &debug.BuildInfo{Main: debug.Module{Version: noted}}
		if got := builtVersion(info, true); got != want {
			t.Errorf("builtVersion(%q) = %q, want %q", noted, got, want)
		}
	}
	if got := builtVersion(nil, false); got != "devel" {
		t.Errorf("builtVersion without build information = %q, want devel", got)
	}
}

// TestLinkedVersion builds the program as make does.
func TestLinkedVersion(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "closecap")
	build := exec.Command("go", "build", "-buildvcs=false", "-pgo=off", "-tags", "nopcap", "-ldflags", "-X main.linked=1.2.3-4-gabcdef", "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.Command(bin, "--version").Output()
	if want := "closecap 1.2.3-4-gabcdef\n"; err != nil || string(out) != want {
		t.Errorf("closecap --version = %q, %v, want %q", out, err, want)
	}
}
