//go:build amd64 || arm64

package follow

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// sends sends often, and says nothing.
func sends() {
	client, server := pair()
	small, large := make([]byte, 64), make([]byte, 64<<10)
	for i := range 50_000 {
		must(unix.Write(client, small))
		if i%256 == 255 {
			must(unix.Read(server, large))
		}
	}
}

// BenchmarkRun measures what following costs a program that sends, beside what stopping it does.
func BenchmarkRun(b *testing.B) {
	command := func() *exec.Cmd {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), programEnv+"=sends")
		return cmd
	}
	run := func(cmd *exec.Cmd) {
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 3 {
			b.Fatal(err)
		}
	}
	b.Run("sends/alone", func(b *testing.B) {
		for b.Loop() {
			run(command())
		}
	})
	b.Run("sends/bpf", func(b *testing.B) {
		calls := 0
		f, err := Open(Options{OnCall: func(event.Call) { calls++ }, OnSocket: func(trace.Socket) {}})
		if err != nil {
			b.Skip(err)
		}
		defer f.Close()
		must(f.FollowChildren())
		done, polled := make(chan bool), make(chan bool)
		go func() {
			defer close(polled)
			for {
				select {
				case <-done:
					return
				default:
					check(f.Poll(50 * time.Millisecond))
				}
			}
		}()
		for b.Loop() {
			run(command())
		}
		close(done)
		<-polled
		check(f.Poll(0))
		lost := f.source.Losses().Total()
		if told := uint64(calls) + lost; told < 50_000*uint64(b.N) {
			b.Errorf("%d calls are told or counted as lost, of %d runs", told, b.N)
		}
		b.ReportMetric(float64(lost)/float64(b.N), "lost/op")
	})
	b.Run("sends/ptrace", func(b *testing.B) {
		for b.Loop() {
			cmd := command()
			if _, err := trace.Run(b.Context(), trace.Options{Args: cmd.Args, Env: cmd.Env}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
