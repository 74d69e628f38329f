package main

import (
	"os"
	"os/exec"
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
