//go:build linux

package live

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// childSockets starts a child and returns how many sockets it has. It fails where the child lacks
// the descriptor that was passed on.
func childSockets(passedOn int) (int, error) {
	out, err := exec.Command("ls", "-l", "/proc/self/fd").CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf(" %d -> ", passedOn)) {
		return 0, fmt.Errorf("list descriptors: %v, %d is missing in\n%s", err, passedOn, out)
	}
	return strings.Count(string(out), "socket:"), nil
}

// TestChildrenInheritNothing opens captures while children start all the time. None of them may
// get a descriptor that the capture opened; what this process was given is theirs too.
func TestChildrenInheritNothing(t *testing.T) {
	passedOn, err := unix.Dup(0) // without FD_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(passedOn)
	before, err := childSockets(passedOn)
	if err != nil {
		t.Fatal(err)
	}
	check := func() bool {
		n, err := childSockets(passedOn)
		if err != nil || n != before {
			t.Errorf("a child has %d sockets (%v), want %d as before the capture", n, err, before)
		}
		return !t.Failed()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-stopped }()
	go func() {
		defer close(stopped)
		for check() {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for range 20 {
		c := open(t, Options{})
		check()
		if _, err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
}
