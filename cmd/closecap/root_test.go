package main

import (
	"fmt"
	"io/fs"
	"os"
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
		if code := run(t.Context(), args, streams{nil, &out, &msg}); code == exitDone {
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
