//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

const connectEnv = "CLOSECAP_TEST_CONNECT"

// TestConnects is no test of its own: TestContainer starts it in a cgroup. It makes a connection
// and prints the client's port.
func TestConnects(t *testing.T) {
	if os.Getenv(connectEnv) == "" {
		return
	}
	c, s := connection(t)
	fmt.Printf("port %d\n", portOf(c))
	c.Close()
	s.Close()
}

// withCgroups runs f on a thread whose /sys/fs/cgroup is version 2's, however this system has
// mounted it.
func withCgroups(t *testing.T, f func(root string)) {
	t.Helper()
	const root = "/sys/fs/cgroup"
	done := make(chan error, 1)
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread is not given back
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = unix.Mount("cgroup2", root, "cgroup2", 0, "")
		}
		if err != nil {
			done <- err
			return
		}
		f(root)
	}()
	if err := <-done; errors.Is(err, os.ErrPermission) && os.Getenv("CLOSECAP_NO_SKIP") == "" {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// TestContainer watches one container's cgroup: by its id, in full and shortened, and by its path.
// Of a process in a cgroup below it everything is told, of one outside nothing.
func TestContainer(t *testing.T) {
	openEndings(t, Options{}) // skips where it is not allowed
	withCgroups(t, func(root string) {
		id := fmt.Sprintf("%064x", os.Getpid())
		dir := filepath.Join(root, "docker-"+id+".scope")
		inner := filepath.Join(dir, "worker")
		if err := os.MkdirAll(inner, 0o755); err != nil {
			t.Error(err)
			return
		}
		defer os.Remove(dir)
		defer os.Remove(inner)
		if _, err := Container(strings.Repeat("f", 64)); err == nil || !strings.Contains(err.Error(), "no cgroup has") {
			t.Errorf("a container that is not there: %v", err)
		}
		for name, find := range map[string]func() (uint64, error){
			"full id":  func() (uint64, error) { return Container(id) },
			"short id": func() (uint64, error) { return Container(id[52:]) },
			"path":     func() (uint64, error) { return Cgroup(filepath.Base(dir)) },
		} {
			cgroup, err := find()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			endings, err := Open(Options{Cgroup: cgroup})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			outside, server := connection(t)
			foreign := portOf(outside)
			outside.Close()
			server.Close()
			port := connectIn(t, inner)
			await(t, endings, name, func(k event.KernelEvent) bool {
				if k.Endpoint != nil && (k.Endpoint.Local.Port() == foreign || k.Endpoint.Remote.Port() == foreign) {
					t.Errorf("%s: told of a connection outside", name)
				}
				return ends(port)(k)
			})
			if err := endings.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// connectIn lets a process in the cgroup make a connection, and returns the client's port.
func connectIn(t *testing.T, cgroup string) (port uint16) {
	dir, err := os.Open(cgroup)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer dir.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestConnects$")
	cmd.Env = append(os.Environ(), connectEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	out, err := cmd.Output()
	if _, scanErr := fmt.Sscanf(string(out), "port %d", &port); err != nil || scanErr != nil {
		t.Errorf("connect in %s: %v, %v: %s", cgroup, err, scanErr, out)
	}
	return port
}
