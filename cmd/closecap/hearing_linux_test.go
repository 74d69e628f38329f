package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/internal/loopback"
)

// TestKernelsWord: run and trace have the kernel's reason, the recording holds it, and analyze says of that what they said.
func TestKernelsWord(t *testing.T) {
	bin := build(t)
	openKernel(t).Close() // skips where it is not allowed
	const reason = "the kernel's reason is TCP_ABORT_ON_CLOSE"
	program := []string{"--", bin, "run", "close-unread", "--evidence", "calls", "--format", "csv"}
	for _, tt := range []struct {
		args []string
		want bool
	}{
		{[]string{"run", "close-unread"}, true},
		{[]string{"run", "close-unread", "--evidence", "bpf"}, true},
		{[]string{"run", "close-unread", "--evidence", "calls"}, false},
		{[]string{"run", "--private", "--evidence", "bpf", "close-unread"}, true},
		{[]string{"run", "--private", "close-unread"}, true},
		{append([]string{"trace"}, program...), true},
		{append([]string{"trace", "--private"}, program...), true},
		{append([]string{"trace", "--evidence", "bpf"}, program...), true},
		{append([]string{"trace", "--evidence", "ptrace"}, program...), false},
	} {
		t.Run(strings.Join(tt.args[:min(len(tt.args), 4)], " "), func(t *testing.T) {
			dir := t.TempDir()
			saved, shown := filepath.Join(dir, "s.pcapng"), filepath.Join(dir, "s.json")
			flags := []string{"--save", saved, "--format", "json"}
			if tt.args[0] == "trace" {
				flags = append(flags, "-o", shown)
			}
			var msg bytes.Buffer
			cmd := exec.Command(bin, append(append(tt.args[:1:1], flags...), tt.args[1:]...)...)
			cmd.Stderr, cmd.Dir = &msg, "/"
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, msg.String())
			}
			if tt.args[0] == "trace" {
				if out, err = os.ReadFile(shown); err != nil {
					t.Fatal(err)
				}
			}
			if bytes.Contains(out, []byte(reason)) != tt.want || bytes.Contains(out, []byte(`"confidence": "kernel",`+"\n")) && !tt.want {
				t.Errorf("want %q: %v\n%s", reason, tt.want, out)
			}
			again, err := exec.Command(bin, "analyze", "--format", "json", saved).Output()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(out), string(again)); d != "" {
				t.Errorf("%s -, analyze of what it saved +\n%s", tt.args[0], d)
			}
		})
	}
}

// TestHolderOfAnother: who has a socket is known of processes, too, that the traced program's user may not look into.
func TestHolderOfAnother(t *testing.T) {
	openKernel(t).Close() // skips where it is not allowed
	client, server, _ := loopback.Pair(t)
	defer server.Close()
	passed, err := client.File()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	client.Close()
	for evidence, want := range map[string]string{
		byAuto:   fmt.Sprintf("no FIN: closecap.test[%d] still holds this socket as fd %d", os.Getpid(), passed.Fd()),
		byPtrace: "still open, though no process was found that holds it",
	} {
		cmd := bySudo(t, "/", "trace", "--evidence", evidence, "--", "sh", "-c", "exec 3>&-")
		cmd.ExtraFiles = []*os.File{passed}
		out, err := cmd.CombinedOutput()
		skipForbidden(t, string(out))
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(out)), " "), want) {
			t.Errorf("closecap trace --evidence %s: %v\n%s\nwant %q", evidence, err, out, want)
		}
	}
}

// TestKernelsWordRefused: auto does without it, bpf says what is missing, in a private namespace as outside of one.
func TestKernelsWordRefused(t *testing.T) {
	bin := build(t)
	const cure = "use sudo, or setcap cap_bpf,cap_perfmon+ep"
	for _, tt := range []struct{ name, caps, evidence, said, shown string }{
		{"auto", "+net_raw", "auto", "", ""},
		{"bpf", "+net_raw", "bpf", cure, ""},
		{"private, auto", "-all", "auto", "", "private namespace"},
		{"private, bpf", "-all", "bpf", cure, ""},
		{"private, with the rights", "-all,+bpf,+perfmon", "bpf", "", "TCP_ABORT_ON_CLOSE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if os.Getuid() != 0 {
				t.Skip(os.ErrPermission)
			}
			if strings.Contains(tt.caps, "bpf") {
				openKernel(t).Close() // skips where it is not allowed
			}
			nobodys := []string{"--reuid", fmt.Sprint(nobody), "--clear-groups", "--inh-caps", tt.caps, "--ambient-caps", tt.caps}
			cmd := exec.Command("setpriv", append(nobodys, bin, "run", "close-unread", "--evidence", tt.evidence)...)
			cmd.Dir = "/"
			out, err := cmd.CombinedOutput()
			skipForbidden(t, string(out))
			if (err == nil) != (tt.said == "") || !bytes.Contains(out, []byte(tt.said)) || !bytes.Contains(out, []byte(tt.shown)) {
				t.Errorf("closecap run --evidence %s: %v\n%s\nwant %q, %q", tt.evidence, err, out, tt.said, tt.shown)
			}
		})
	}
}

// TestKernelsWordActivated: sockets that a service manager passed on are for one process number, which the program
// that is started does not have.
func TestKernelsWordActivated(t *testing.T) {
	bin := build(t)
	openKernel(t).Close() // skips where it is not allowed
	for pid, want := range map[string]bool{"$$": true, "1": false} {
		out, err := exec.Command("sh", "-c", "LISTEN_PID="+pid+` exec "$0" trace --evidence bpf -o /dev/null -- true`, bin).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("true will not take the sockets")) != want {
			t.Errorf("LISTEN_PID=%s: %v\n%s\nwant a warning: %v", pid, err, out, want)
		}
	}
}
