//go:build linux

package kernel

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// TestHolders shares a socket with a child: only what the child holds is found.
func TestHolders(t *testing.T) {
	client, _ := pair(t, "tcp4", "127.0.0.1:0")
	file, err := client.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if got, err := Holders(st.Ino); err != nil || len(got) != 0 {
		t.Errorf("Holders = %v, %v before it is shared, want none", got, err)
	}
	child := as(os.Getuid(), "wait")
	child.ExtraFiles = []*os.File{nil, file}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	var ready string
	var pid int
	if _, err := fmt.Fscan(out, &ready, &pid); err != nil {
		t.Fatal(err)
	}
	want := event.Holder{PID: pid, FD: 4}
	if got, err := Holders(st.Ino); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("Holders = %v, %v, want %v", got, err, want)
	}
}
