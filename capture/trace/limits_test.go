//go:build linux && (amd64 || arm64)

package trace_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestRing warns of io_uring, and goes on to tell of the calls that do not use it.
func TestRing(t *testing.T) {
	r := recordProgram(t, "ring")
	expectWarning(t, r, " uses io_uring: the calls that it makes through it are not shown")
	if sent := only(r.calls, "send"); len(sent) != 1 || sent[0].Ret != 2 {
		t.Errorf("send calls = %+v, want the one after io_uring_setup", sent)
	}
}

func ring() {
	p := connected()
	var params [120]byte // struct io_uring_params
	// Where io_uring is switched off this fails, and the warning comes all the same.
	unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	must1(unix.Write(p.client, []byte("hi")))
}

// x32 makes a socket call of the ABI that only amd64 has.
func x32() {
	const x32Socket = 1<<30 | unix.SYS_SOCKET
	unix.RawSyscall(x32Socket, unix.AF_INET, unix.SOCK_STREAM, 0)
}

// expectWarning fails the test unless the run has this warning only, about some actor.
func expectWarning(t *testing.T, r recording, want string) {
	t.Helper()
	if w := r.result.Warnings; len(w) != 1 || !strings.HasSuffix(w[0], want) {
		t.Errorf("warnings = %q, want one that ends with %q", w, want)
	}
}

// scopeEnv is what the program "forbidden" finds as kernel.yama.ptrace_scope.
const scopeEnv = "TRACE_TEST_SCOPE"

// TestRunForbidden says what to do where tracing is not allowed.
func TestRunForbidden(t *testing.T) {
	for scope, want := range map[string]string{
		"": "--cap-add SYS_PTRACE", "1": "--cap-add SYS_PTRACE", "2": "sudo env -u SUDO_UID", "3": "until the next boot",
	} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), programEnv+"=forbidden", scopeEnv+"="+scope)
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			skipUnable(t, err)
		}
		if got := string(out); err == nil || !strings.Contains(got, want) || !strings.Contains(got, "not permitted") {
			t.Errorf("ptrace_scope %q: the tracer says %q, %v, want %q", scope, got, err, want)
		}
	}
}

// forbidden traces where a seccomp filter refuses ptrace, as in many containers. What Yama would
// say lies over /proc/sys/kernel: not every kernel has it, and scope 3 cannot be taken back.
func forbidden() {
	const sysctls = "/proc/sys/kernel"
	must(unix.Mount("none", sysctls, "tmpfs", 0, ""))
	if scope := os.Getenv(scopeEnv); scope != "" {
		must(os.Mkdir(filepath.Join(sysctls, "yama"), 0o755))
		must(os.WriteFile(filepath.Join(sysctls, "yama/ptrace_scope"), []byte(scope+"\n"), 0o644))
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_PTRACE, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		must(e)
	}
	tracer()
}
