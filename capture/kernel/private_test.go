//go:build linux

package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
)

// roleEnv makes the test program play a part of a test instead of running the tests.
const roleEnv = "CLOSECAP_TEST_ROLE"

var roles = map[string]func() int{
	"report":    report,
	"reexec":    reexec,
	"wait":      waitForSignal,
	"dropped":   dropped,
	"powerless": powerless,
	"caller":    showCaller,
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	os.Exit(roles[role]())
}

// reexec runs the rest of its arguments' roles in a private namespace.
func reexec() int {
	if err := BecomeCaller(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	code, err := ReexecPrivate(PrivateOptions{
		Env:   []string{roleEnv + "=" + os.Getenv("CLOSECAP_TEST_INNER")},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err, "| hint:", hint.Of(err))
		if errors.Is(err, os.ErrPermission) {
			return 77
		}
	}
	return code
}

// situation is what a process in the private namespace finds.
type situation struct {
	Private, NetRaw bool
	UID             int
	Up, Sysctl, Tmp string
	ActiveOpens     int64
	After           int64 // ActiveOpens when one connection was made
	Args            []string
}

func report() int {
	s := situation{Private: InPrivate(), NetRaw: HasNetRaw(), UID: os.Getuid(), Args: os.Args[1:]}
	if err := RaiseLoopback(); err != nil {
		s.Up = err.Error()
	}
	if err := SetSysctl("tcp_fin_timeout", "7"); err != nil {
		s.Sysctl = err.Error()
	}
	before, err := ReadCounters()
	if err != nil {
		s.Up = err.Error()
	}
	s.ActiveOpens = before["ActiveOpens"]
	if l, err := net.Listen("tcp4", "127.0.0.1:0"); err == nil {
		if c, err := net.Dial("tcp4", l.Addr().String()); err == nil {
			c.Close()
		}
		l.Close()
	}
	after, err := ReadCounters()
	if err != nil {
		s.Up = err.Error()
	}
	s.After = after.Since(before)["ActiveOpens"]
	if dir := os.Getenv("CLOSECAP_TEST_DIR"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "written"), nil, 0o600); err != nil {
			s.Tmp = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		return 1
	}
	return 3
}

// waitForSignal prints a line when it is ready and exits with the number of the signal it gets.
func waitForSignal() int {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGINT, unix.SIGTERM, unix.SIGUSR1)
	fmt.Println("ready", os.Getpid())
	return int((<-c).(unix.Signal))
}

// as returns a command that plays role as uid.
func as(uid int, role string, env ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "an argument")
	cmd.Env = append(append(os.Environ(), roleEnv+"="+role), env...)
	cmd.Stderr = os.Stderr
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd
}

// skipRefused skips where the machine makes no namespaces for this user.
func skipRefused(t *testing.T, err error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 77 {
		if os.Getenv("CLOSECAP_NO_SKIP") == "1" {
			t.Fatal("the machine refuses user namespaces")
		}
		t.Skip("the machine refuses user namespaces")
	}
}

func isRoot() bool { return os.Getuid() == 0 }

const nobody = 65534

// TestReexecPrivate makes the namespace as every kind of user and looks at it from inside.
func TestReexecPrivate(t *testing.T) {
	tests := []struct {
		name  string
		uid   int
		env   []string
		owner uint32 // of the file written inside
	}{
		{"self", os.Getuid(), nil, uint32(os.Getuid())},
		{"sudo", 0, []string{"SUDO_UID=65534", "SUDO_GID=65534"}, nobody},
		{"unprivileged", nobody, nil, nobody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.uid != os.Getuid() && !isRoot() {
				t.Skip(os.ErrPermission)
			}
			dir, err := os.MkdirTemp("", "closecap")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			cmd := as(tt.uid, "reexec", append(tt.env, "CLOSECAP_TEST_INNER=report", "CLOSECAP_TEST_DIR="+dir)...)
			out, err := cmd.Output()
			skipRefused(t, err)
			if code := cmd.ProcessState.ExitCode(); code != 3 {
				t.Fatalf("exit = %d, %v, want the inside's 3; output %q", code, err, out)
			}
			var got situation
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("output %q: %v", out, err)
			}
			if !got.Private || !got.NetRaw || got.UID != 0 || got.Up != "" || got.Sysctl != "" || got.Tmp != "" {
				t.Errorf("inside = %+v, want private, capturing, root, no errors", got)
			}
			if got.ActiveOpens != 0 || got.After != 1 {
				t.Errorf("ActiveOpens = %d, then %d more, want 0 and 1: counters of its own", got.ActiveOpens, got.After)
			}
			if len(got.Args) != 1 || got.Args[0] != "an argument" {
				t.Errorf("arguments = %q, want this process's own", got.Args)
			}
			st, err := os.Stat(filepath.Join(dir, "written"))
			if err != nil {
				t.Fatal(err)
			}
			if owner := st.Sys().(*syscall.Stat_t).Uid; owner != tt.owner {
				t.Errorf("file belongs to %d, want %d", owner, tt.owner)
			}
		})
	}
}

// TestPrivateCannotBeClaimed sets the variable by hand: on the machine's own network that opens
// nothing.
func TestPrivateCannotBeClaimed(t *testing.T) {
	t.Setenv(privateEnv, "net:[1]")
	if mine, owner, err := userNamespaces(); err != nil || mine == owner && mine != initialUserNS {
		t.Skipf("this process has a network namespace of its own (%d, %d, %v)", mine, owner, err)
	}
	if InPrivate() {
		t.Error("InPrivate = true on the machine's own network")
	}
	if err := SetSysctl("tcp_fin_timeout", "60"); !errors.Is(err, os.ErrPermission) || hint.Of(err) == "" {
		t.Errorf("SetSysctl = %v, hint %q, want a refusal with a hint", err, hint.Of(err))
	}
}

// TestSysctlNames tries to leave net.ipv4.
func TestSysctlNames(t *testing.T) {
	for _, name := range []string{"", "../core/somaxconn", "..", "conf/all/forwarding"} {
		if err := SetSysctl(name, "1"); err == nil {
			t.Errorf("SetSysctl(%q) = nil, want an error", name)
		}
	}
}

// startWaiting starts a private process that waits, and returns its pid as this process sees it.
func startWaiting(t *testing.T) (outer *exec.Cmd, inner int) {
	t.Helper()
	outer = as(os.Getuid(), "reexec", "CLOSECAP_TEST_INNER=wait")
	outer.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
	stdout, err := outer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := outer.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	n, err := stdout.Read(line)
	if err != nil {
		err := outer.Wait()
		skipRefused(t, err)
		t.Fatalf("private process did not start: %v", err)
	}
	if _, err := fmt.Sscanf(string(line[:n]), "ready %d", &inner); err != nil {
		t.Fatalf("%q: %v", line[:n], err)
	}
	t.Cleanup(func() {
		// The pipe's other end closes when every process that held it is gone.
		if rest, err := io.ReadAll(stdout); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("rest of output %q: %v", rest, err)
		}
	})
	return outer, inner
}

func TestSignalsReachThePrivateProcess(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGUSR1} {
		outer, _ := startWaiting(t)
		if err := outer.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = outer.Wait()
		if code := outer.ProcessState.ExitCode(); code != int(sig) {
			t.Errorf("%v: exit = %d, want %d", sig, code, int(sig))
		}
	}
}

// TestPrivateProcessDiesWithItsParent kills the outer process without warning.
func TestPrivateProcessDiesWithItsParent(t *testing.T) {
	outer, inner := startWaiting(t)
	pidfd, err := unix.PidfdOpen(inner, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := outer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	err = retry(func() error { _, err := unix.Poll(fds, 10_000); return err })
	if err != nil || fds[0].Revents == 0 {
		t.Errorf("private process %d lives on after its parent (%v)", inner, err)
	}
	_ = outer.Wait()
}

func TestKilledPrivateProcess(t *testing.T) {
	outer, inner := startWaiting(t)
	if err := unix.Kill(inner, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = outer.Wait()
	if code := outer.ProcessState.ExitCode(); code != 128+int(unix.SIGKILL) {
		t.Errorf("exit = %d, want %d", code, 128+int(unix.SIGKILL))
	}
}

// TestRefusal makes the machine refuse in a namespace of the test's own, where the limit is 0.
func TestRefusal(t *testing.T) {
	if !isRoot() {
		t.Skip(os.ErrPermission)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c",
		`echo 0 > /proc/sys/user/max_user_namespaces && exec "$0"`, self)
	cmd.Env = append(os.Environ(), roleEnv+"=reexec", "CLOSECAP_TEST_INNER=report")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if _, err := cmd.Output(); err == nil {
		t.Fatal("a namespace was made against the limit")
	}
	for _, want := range []string{"make private network namespace: ", "max_user_namespaces", "hint: "} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr = %q, want %q in it", stderr.String(), want)
		}
	}
}
