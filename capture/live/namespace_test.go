//go:build linux

package live

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// inNamespace runs f on a thread in a network namespace of its own, after the ip commands.
func inNamespace(t *testing.T, f func(), commands ...string) {
	t.Helper()
	refused := make(chan error, 1)
	go func() {
		defer close(refused)
		runtime.LockOSThread() // the thread is not given back
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			refused <- err
			return
		}
		for _, command := range commands {
			if !runIP(t, command) {
				return
			}
		}
		f()
	}()
	if err := <-refused; errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func runIP(t *testing.T, command string) bool {
	out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v\n%s", command, err, out)
	}
	return err == nil
}

// TestWithoutIPv6 needs no IPv6 for its barrier.
func TestWithoutIPv6(t *testing.T) {
	inNamespace(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		if _, err := Open(Options{}); err == nil {
			t.Error("Open = nil on a loopback that is down, want an error")
		}
		runIP(t, "link set lo up")
		c, err := Open(Options{Buffer: 4 << 20})
		if err != nil {
			t.Error(err)
			return
		}
		c.Start(func(*event.Packet) {})
		if err := c.Barrier(deadline(t)); err != nil {
			t.Error(err)
		}
		if _, err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestOtherInterface captures what leaves on an interface without markers.
func TestOtherInterface(t *testing.T) {
	inNamespace(t, func() {
		c, err := Open(Options{Interface: "v0", Ports: []uint16{81}, Buffer: 4 << 20})
		if err != nil {
			t.Error(err)
			return
		}
		var seen log
		c.Start(seen.add)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 9, 2}, Port: 81})
		if err != unix.EINPROGRESS {
			t.Errorf("connect = %v", err)
		}
		if err := c.Barrier(deadline(t)); err != nil {
			t.Error(err)
		}
		if got := seen.all(); len(got) != 1 || tcpFlags(t, got[0]) != event.SYN {
			t.Errorf("captured %d packets, want the SYN", len(got))
		}
		if _, err := c.Stop(); err != nil {
			t.Error(err)
		}
	}, "link add v0 type veth peer name v1", "link set v1 up", "link set v0 up",
		"addr add 10.9.9.1/24 dev v0", "neigh add 10.9.9.2 lladdr 02:00:00:00:00:01 dev v0")
}
