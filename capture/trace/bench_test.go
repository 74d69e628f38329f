//go:build linux && (amd64 || arm64)

package trace_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/closecap/closecap/capture/trace"
)

// BenchmarkRun measures what tracing costs a program: alone, traced by this package, and by strace
// with the same calls, which writes to a file.
func BenchmarkRun(b *testing.B) {
	for _, program := range []string{"many-sends", "many-files"} {
		b.Run(program+"/alone", func(b *testing.B) {
			for b.Loop() {
				runBench(b, program, os.Args[0])
			}
		})
		b.Run(program+"/closecap", func(b *testing.B) {
			for b.Loop() {
				if _, err := trace.Run(b.Context(), programOptions(program, trace.Options{})); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(program+"/strace", func(b *testing.B) {
			for b.Loop() {
				runBench(b, program, "strace", "-f", "--seccomp-bpf", "-o", "/dev/null",
					"-e", "trace="+strings.Join(straceCalls, ","), os.Args[0])
			}
		})
	}
}

// straceCalls are the calls that stop the program here, where strace knows them.
var straceCalls = []string{
	"socket", "bind", "listen", "connect", "accept", "accept4", "write", "sendto", "writev", "pwritev2",
	"sendmsg", "sendmmsg", "sendfile", "read", "recvfrom", "readv", "preadv2", "recvmsg", "recvmmsg",
	"splice", "shutdown", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "setsockopt",
	"getsockopt", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl",
	"execve", "execveat", "clone", "clone3", "unshare", "io_uring_setup",
}

func runBench(b *testing.B, program string, args ...string) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), programEnv+"="+program)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", args, err, out)
	}
}
