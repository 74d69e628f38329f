package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSecondInterrupt lets a report wait for a reader that does not read: whoever asks twice need not.
func TestSecondInterrupt(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(build(t), "analyze", "--format", "html", "../../pcaps/shutdown-wr.pcapng")
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	defer cmd.Process.Kill()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.After(30 * time.Second)
	for full := 0; full < size/2; { // then the page does not fit any more
		select {
		case err := <-ended:
			t.Fatalf("ended before it was interrupted: %v", err)
		case <-deadline:
			t.Fatalf("%d bytes of a page, and no more", full)
		case <-time.After(10 * time.Millisecond):
		}
		if full, err = unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ); err != nil {
			t.Fatal(err)
		}
	}
	for {
		cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("ended with %v, want by the signal", err)
			}
			return
		case <-deadline:
			t.Fatal("goes on after several signals")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TestInterruptedPipe shows what had come of a recording, and of a capture that may have calls, when it is interrupted.
func TestInterruptedPipe(t *testing.T) {
	recording, err := os.ReadFile("../../pcaps/shutdown-wr.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var out, said strings.Builder
	cmd := exec.Command(build(t), "analyze", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, &out, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	for _, part := range [][]byte{recording, {6, 0, 0, 0}} { // who reads on has decoded what came before
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		for left := 1; left > 0; time.Sleep(10 * time.Millisecond) {
			if left, err = unix.IoctlGetInt(int(w.Fd()), unix.TIOCINQ); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(out.String(), "graceful: the client closed first") || said.String() != "closecap: interrupted\n" {
		t.Errorf("exit code %d, %s, said %q, want 130 and the verdict", code, out.String(), said.String())
	}
}

// TestInterruptedTrace interrupts what it traces. The program ends at once; a child of its own that ignores
// the signal, as a shell's do in the background, is not waited for any longer, and the report comes.
func TestInterruptedTrace(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		interrupts   int
	}{
		{"a child holds on", `sh -c 'trap "" INT; echo ready; exec sleep 100' & wait`, 1},
		{"the program holds on", `trap "" INT; echo ready; sleep 100`, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(build(t), "trace", "--private", "-o", "/dev/null", "--", "sh", "-c", tt.script)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var msg strings.Builder
			cmd.Stderr = &msg
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			watchdog := time.AfterFunc(time.Minute, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
			defer watchdog.Stop()
			if n, err := out.Read(make([]byte, 6)); n == 0 {
				cmd.Wait()
				skipForbidden(t, msg.String())
				t.Fatalf("the program did not begin: %v\n%s", err, msg.String())
			}
			for i := range tt.interrupts {
				time.Sleep(time.Duration(i) * 2 * together) // a person's second one comes later
				syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitSignal+int(syscall.SIGINT) || !strings.Contains(msg.String(), "interrupted: this is what was seen until then") {
				t.Errorf("exit %d, want 130:\n%s", code, msg.String())
			}
		})
	}
}

// TestSignalIsTheExitCode ends a run that would wait for long.
func TestSignalIsTheExitCode(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		cmd := exec.Command(build(t), "analyze", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var msg strings.Builder
		cmd.Stderr = &msg
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It reads what comes, so it is on its way when this is taken: a pipe has room for 64 KiB.
		in.Write(append([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0}, make([]byte, 16*8192)...))
		cmd.Process.Signal(signal)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%v: exit %d, want %d:\n%s", signal, code, want, msg.String())
		}
	}
}
