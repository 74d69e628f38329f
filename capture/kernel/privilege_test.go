//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// dropped drops privileges with many threads running and looks for a way back. It prints what
// is wrong; nothing means that all is well.
func dropped() int {
	release := occupyThreads(8)
	defer release()
	open := HasNetRaw()
	for range 2 {
		if err := DropPrivileges(); err != nil {
			fmt.Println("DropPrivileges:", err)
		}
	}
	if !open || HasNetRaw() {
		fmt.Println("may capture before, after:", open, HasNetRaw())
	}
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) < 8 {
		fmt.Println("threads:", len(tasks), err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			fmt.Println(err)
		}
		for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534",
			"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"} {
			if !strings.Contains(string(b), want+"\n") {
				fmt.Printf("%s lacks %q\n", task, want)
			}
		}
	}
	if err := syscall.Setuid(0); err == nil {
		fmt.Println("became root again")
	}
	if groups, err := os.Getgroups(); err != nil || len(groups) != 1 || groups[0] != nobody {
		fmt.Println("groups:", groups, err)
	}
	stillWorks()
	return 0
}

// stillWorks uses what a run needs after it dropped its privileges.
func stillWorks() {
	d, err := OpenDiag()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	anyone := netip.MustParseAddrPort("127.0.0.1:9")
	if _, err := d.Sample(anyone, anyone); err != nil {
		fmt.Println(err)
	}
	if _, err := ReadCounters(); err != nil {
		fmt.Println(err)
	}
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), roleEnv+"=wait")
	out, err := child.StdoutPipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := child.Start(); err != nil {
		fmt.Println("start actor:", err)
		return
	}
	var ready string
	var pid int
	if _, err := fmt.Fscan(out, &ready, &pid); err != nil {
		fmt.Println("actor:", err)
	}
	if _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err != nil {
		fmt.Println("look into actor:", err)
	}
	if err := child.Process.Signal(unix.SIGTERM); err != nil {
		fmt.Println(err)
	}
	_ = child.Wait()
}

// occupyThreads keeps n threads alive until the returned function is called.
func occupyThreads(n int) (release func()) {
	var up, down sync.WaitGroup
	end := make(chan struct{})
	for range n {
		up.Add(1)
		down.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			up.Done()
			<-end
		})
	}
	up.Wait()
	return func() { close(end); down.Wait() }
}

// TestDropPrivileges is sudo's situation, played for real.
func TestDropPrivileges(t *testing.T) {
	if !isRoot() {
		t.Skip(os.ErrPermission)
	}
	out, err := as(0, "dropped", "SUDO_UID=65534", "SUDO_GID=65534").Output()
	if err != nil || len(out) != 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestKeepPrivileges: no sudo, or sudo by root, changes nothing.
func TestKeepPrivileges(t *testing.T) {
	for _, uid := range []string{"", "0", "-1", "root"} {
		t.Setenv("SUDO_UID", uid)
		t.Setenv("SUDO_GID", "0")
		before := os.Geteuid()
		if err := DropPrivileges(); err != nil || os.Geteuid() != before {
			t.Errorf("SUDO_UID=%q: DropPrivileges = %v, now user %d, want %d", uid, err, os.Geteuid(), before)
		}
	}
}
