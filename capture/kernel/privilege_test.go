//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// dropped becomes the caller with many threads running, gives up what that left, and looks for a
// way back. It prints what is wrong; nothing means that all is well.
func dropped() int {
	release := occupyThreads(8)
	defer release()
	for range 2 {
		if err := BecomeCaller(); err != nil {
			fmt.Println("BecomeCaller:", err)
		}
	}
	ids := "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\nGroups:\t65534 \n"
	eachThread(ids + noCapability("Inh") + noCapability("Eff") + noCapability("Amb"))
	if !HasNetRaw() {
		fmt.Println("may not capture any more")
	}
	eachThread(noCapability("Eff"))
	if err := syscall.Setuid(0); err == nil {
		fmt.Println("became root again")
	}
	if f, err := os.Open("/etc/shadow"); err == nil {
		f.Close()
		fmt.Println("opened root's file")
	}
	for range 2 {
		if err := DropPrivileges(); err != nil {
			fmt.Println("DropPrivileges:", err)
		}
	}
	if HasNetRaw() || MayDrop() {
		fmt.Println("may capture, drop more:", HasNetRaw(), MayDrop())
	}
	eachThread(ids + noCapability("Inh") + noCapability("Prm") + noCapability("Eff") + noCapability("Amb") + "NoNewPrivs:\t1\n")
	stillWorks()
	return 0
}

func noCapability(set string) string { return "Cap" + set + ":\t0000000000000000\n" }

// eachThread prints which lines the status of a thread lacks.
func eachThread(lines string) {
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) < 8 {
		fmt.Println("threads:", len(tasks), err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			fmt.Println(err)
		}
		for line := range strings.Lines(lines) {
			if !strings.Contains(string(b), "\n"+line) {
				fmt.Printf("%s lacks %q\n", task, line)
			}
		}
	}
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

// TestDropPrivileges plays the situations of sudo and of a program with capabilities for real.
func TestDropPrivileges(t *testing.T) {
	if !isRoot() {
		t.Skip(os.ErrPermission)
	}
	setcap := as(nobody, "dropped")
	setcap.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN}
	setcap.SysProcAttr.Credential.Groups = []uint32{nobody}
	for name, cmd := range map[string]*exec.Cmd{
		"sudo":   as(0, "dropped", "SUDO_UID=65534", "SUDO_GID=65534"),
		"setcap": setcap,
	} {
		out, err := cmd.Output()
		if err != nil || len(out) != 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// showCaller becomes the caller and prints who that is.
func showCaller() int {
	if err := BecomeCaller(); err != nil {
		fmt.Println(err)
		return 1
	}
	groups, err := os.Getgroups()
	fmt.Println(os.Getuid(), os.Getgid(), groups, err)
	for _, name := range []string{"HOME", "USER", "LOGNAME", "SHELL", "MAIL", "SUDO_UID"} {
		fmt.Printf("%s=%s\n", name, os.Getenv(name))
	}
	return 0
}

// TestBecomeCaller follows what sudo says, and refuses what it cannot have said.
func TestBecomeCaller(t *testing.T) {
	if !isRoot() {
		t.Skip(os.ErrPermission)
	}
	u, err := user.LookupId("65534")
	if err != nil {
		t.Skip("no account nobody: ", err)
	}
	nobodys := "65534 65534 [65534] <nil>\nHOME=" + u.HomeDir + "\nUSER=nobody\nLOGNAME=nobody\nSHELL=" +
		shellOf("nobody") + "\nMAIL=/var/mail/nobody\nSUDO_UID=\n"
	roots := "HOME=/root\nUSER=root\nLOGNAME=root\nSHELL=/bin/bash\nMAIL=/var/mail/root\nSUDO_UID="
	const refused = "drop privileges: "
	for _, tt := range []struct{ env, want string }{
		{"", roots + "\n"},
		{"SUDO_UID=0 SUDO_GID=0 SUDO_USER=root", roots + "0\n"},
		{"SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody", nobodys},
		{"SUDO_UID=65534 SUDO_GID=65534", nobodys},
		{"SUDO_UID=4000000000 SUDO_GID=4294967294", "4000000000 4294967294 [4294967294] <nil>\nHOME=/\nUSER=4000000000\n"},
		{"SUDO_UID=-1 SUDO_GID=0", refused + `SUDO_UID is "-1": want a number`},
		{"SUDO_UID=+1 SUDO_GID=1", refused},
		{"SUDO_UID= SUDO_GID=0", refused + `SUDO_UID is "": want a number`},
		{"SUDO_UID=root SUDO_GID=0", refused},
		{"SUDO_UID=4294967295 SUDO_GID=65534", refused},
		{"SUDO_UID=65534 SUDO_GID=4294967295", refused},
		{"SUDO_UID=4295032830 SUDO_GID=65534", refused},
		{"SUDO_UID=65534", refused + `SUDO_GID is "": want a number`},
		{"SUDO_GID=65534", refused},
		{"SUDO_UID=0 SUDO_GID=65534", refused + "SUDO_UID is 0, but SUDO_GID is 65534"},
		{"SUDO_UID=65534 SUDO_GID=0", refused},
		{"SUDO_UID=0 SUDO_GID=0 SUDO_USER=nobody", refused},
		{"SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=root", refused + `SUDO_USER is "root", who is user 0, but`},
	} {
		cmd := as(0, "caller", strings.Fields(tt.env)...)
		cmd.Env = append(cmd.Env, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "MAIL=/var/mail/root")
		out, err := cmd.Output()
		if !strings.Contains(string(out), tt.want) || (err == nil) == strings.HasPrefix(tt.want, refused) {
			t.Errorf("%s: %v, %q, want %q", tt.env, err, out, tt.want)
		}
	}
}
