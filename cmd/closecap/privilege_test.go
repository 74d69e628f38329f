//go:build linux

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// bySudo returns closecap as sudo starts it for nobody, in dir.
func bySudo(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip(os.ErrPermission)
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "closecap"
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "USER=root", "LOGNAME=root", "SUDO_UID=65534", "SUDO_GID=65534"}
	return cmd
}

// dirFor returns a directory of everybody's, with a directory and a file in it that only root
// may write, and a file that only root may read.
func dirFor(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "closecap-sudo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, mode := range map[string]fs.FileMode{"root/file": 0o644, "file": 0o644, "secret.close": 0o600} {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte("BEGIN KEY\n"), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSudoReadsAsCaller names a file that root alone may read to every command that reads one.
func TestSudoReadsAsCaller(t *testing.T) {
	dir := dirFor(t)
	for _, args := range []string{
		"run ./secret.close", "run --all ./secret.close", "compare ./secret.close",
		"analyze ./secret.close", "analyze ./secret.close ./file", "analyze --sample close --calls ./secret.close",
	} {
		out, err := bySudo(t, dir, strings.Fields(args)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "permission denied") || strings.Contains(string(out), "KEY") {
			t.Errorf("closecap %s: %v\n%s\nwant a refusal", args, err, out)
		}
	}
}

// TestSudoWritesAsCaller lets every flag that writes a file write where the caller may and may not.
func TestSudoWritesAsCaller(t *testing.T) {
	dir := dirFor(t)
	for _, args := range []string{
		"analyze --sample close --html", "run close --html", "run close --save", "compare close --html",
		"trace --html", "trace --save", "trace -o", "watch --for 10ms --save", "watch --for 10ms -o", "watch -i lo --for 10ms -o",
	} {
		words := strings.Fields(args)
		for _, path := range []string{"root/file", "root/new", "file", "new"} {
			all := append(append([]string{}, words...), path)
			if words[0] == "trace" {
				all = append(all, "--", "true")
			}
			out, err := bySudo(t, dir, all...).CombinedOutput()
			if may := path == "new"; (err == nil) != may || !may && !strings.Contains(string(out), "permission denied") {
				t.Errorf("closecap %s %s: %v\n%s\nwant success: %v", args, path, err, out, may)
			}
		}
		if info, err := os.Stat(filepath.Join(dir, "new")); err != nil || info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("closecap %s: the new file is %v, %v, want it to be nobody's", args, info, err)
		}
		os.Remove(filepath.Join(dir, "new"))
	}
	for _, path := range []string{"root/file", "file"} {
		if b, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(b) != "BEGIN KEY\n" {
			t.Errorf("%s now holds %q, %v", path, b, err)
		}
	}
}

// TestTraceInheritsNothing looks at what a traced program gets: of the caller everything, of
// closecap neither descriptors nor rights.
func TestTraceInheritsNothing(t *testing.T) {
	home := "/"
	if u, err := user.LookupId("65534"); err == nil {
		home = u.HomeDir
	}
	powerless := []string{"Uid:\t65534\t65534\t65534\t65534", "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000",
		"CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"}
	for name, tt := range map[string]struct {
		attr *syscall.SysProcAttr
		env  []string
		want []string
	}{
		"sudo": {nil, []string{"SUDO_UID=65534", "SUDO_GID=65534"}, append(powerless, "HOME="+home, "Groups:\t65534 ")},
		"root": {nil, nil, []string{"Uid:\t0\t0\t0\t0", "HOME=/root", "NoNewPrivs:\t0"}},
		"setcap": {&syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: []uintptr{unix.CAP_NET_RAW},
		}, nil, append(powerless, "HOME=/root")},
		"nobody": {&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, nil, []string{"HOME=/root"}},

		"sudo, bpf": {nil, []string{"SUDO_UID=65534", "SUDO_GID=65534"}, append(powerless, "HOME="+home, "Groups:\t65534 ")},
		// There it is root, of nothing outside.
		"root, private": {nil, nil, []string{"Uid:\t0\t0\t0\t0", "HOME=/root", "NoNewPrivs:\t0"}},
		"root, bpf":     {nil, nil, []string{"Uid:\t0\t0\t0\t0", "HOME=/root", "NoNewPrivs:\t0"}},
		"setcap, bpf": {&syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: []uintptr{unix.CAP_NET_RAW, unix.CAP_BPF, unix.CAP_PERFMON},
		}, nil, append(powerless, "HOME=/root")},
	} {
		evidence := []string{"--evidence", byPtrace}
		if strings.HasSuffix(name, byKernel) {
			openKernel(t) // skips where it is not allowed
			evidence[1] = byKernel
		}
		if strings.HasSuffix(name, "private") {
			evidence = []string{"--private"}
		}
		cmd := bySudo(t, "/", append(append([]string{"trace"}, evidence...), "-o", "/dev/null", "--",
			"sh", "-c", "cat <&3; ls -l /proc/self/fd; cat /proc/self/status; env; grep -h ^Cap.*: /proc/$PPID/task/*/status")...)
		cmd.SysProcAttr = tt.attr
		cmd.Env = append(cmd.Env[:4:4], tt.env...)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = []*os.File{r}
		_, _ = w.WriteString("passed on\n")
		w.Close()
		out, err := cmd.CombinedOutput()
		r.Close()
		if err != nil {
			skipForbidden(t, string(out))
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		got := string(out)
		if !strings.HasPrefix(got, "passed on\n") || strings.Contains(got, "socket:") || strings.Contains(got, "bpf") || strings.Contains(got, "CLOSECAP_PRIVATE_ASIDE") {
			t.Errorf("%s: the program got\n%s\nwant descriptor 3 and no socket", name, got)
		}
		for _, line := range tt.want {
			if !strings.Contains(got, "\n"+line+"\n") {
				t.Errorf("%s: %q is missing in\n%s", name, line, got)
			}
		}
	}
}

// TestCannotRun tells what can't be found from what can't be run, as a shell does.
func TestCannotRun(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]int{
		"no-such-program": exitNotFound, "./absent": exitNotFound, script: exitNotFound,
		"/etc/passwd": exitCannotRun, "/etc": exitCannotRun,
	} {
		cmd := exec.Command("/proc/self/exe", "trace", "-o", "/dev/null", "--", program)
		cmd.Args[0] = "closecap"
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("trace -- %s = nil, want an error", program)
			continue
		}
		skipForbidden(t, string(out))
		if code := cmd.ProcessState.ExitCode(); code != want || !strings.Contains(string(out), program) {
			t.Errorf("trace -- %s = %d, want %d\n%s", program, code, want, out)
		}
	}
}

// TestPrivilegesWithheld says at once when a program does not get what its file gives.
func TestPrivilegesWithheld(t *testing.T) {
	dir := dirFor(t)
	bySudo(t, dir) // skips
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	// struct vfs_cap_data of revision 2 (linux/capability.h): CAP_NET_RAW, permitted and effective.
	netRaw := []byte{1, 0, 0, 2, 4: 0, 5: 1 << (unix.CAP_NET_RAW - 8), 19: 0}
	for name, give := range map[string]func(path string) error{
		"set-uid": func(path string) error { return os.Chmod(path, 0o755|os.ModeSetuid) },
		"set-gid": func(path string) error { return os.Chmod(path, 0o755|os.ModeSetgid) },
		"setcap":  func(path string) error { return unix.Setxattr(path, "security.capability", netRaw, 0) },
		"plain":   func(string) error { return nil },
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, program, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := give(path); err != nil {
			t.Fatal(err)
		}
		for _, args := range []string{
			"trace -o /dev/null -- ./" + name, "trace -o /dev/null -- sh -c ./" + name,
			"trace --evidence bpf -o /dev/null -- ./" + name,
		} {
			for _, root := range []bool{false, true} {
				cmd := bySudo(t, dir, strings.Fields(args)...)
				if root {
					cmd.Env = cmd.Env[:4]
				}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("closecap %s: %v\n%s", args, err, out)
				}
				if said := strings.Contains(string(out), path+" runs without the privileges"); said != (!root && name != "plain") {
					t.Errorf("closecap %s, root %v: it says %q", args, root, out)
				}
			}
		}
	}
}
