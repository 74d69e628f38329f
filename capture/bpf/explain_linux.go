package bpf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
)

// oldest is the first kernel that has all that the programs call.
const oldestMajor, oldestMinor = 5, 15

// explain names the cause of a refusal and what helps.
func explain(err error) error {
	wrap := func(cause error, help string) error {
		return hint.With(fmt.Errorf("watch the kernel: %w", cause), help)
	}
	var verifier *ebpf.VerifierError
	// The library takes a refusal for a kernel that cannot, so what this process may is asked too.
	refused := errors.Is(err, os.ErrPermission) || !mayLoad() || inUserNamespace()
	switch {
	case tooOld(kernel.Release()):
		return wrap(fmt.Errorf("kernel %s: %w", kernel.Release(), errors.ErrUnsupported),
			fmt.Sprintf("closecap watch needs Linux %d.%d; closecap trace and analyze work without", oldestMajor, oldestMinor))
	// The library looks in other places, too, and takes it for a kernel without.
	case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, ebpf.ErrNotSupported)) && !exists("/sys/kernel/btf/vmlinux"):
		return wrap(fmt.Errorf("/sys/kernel/btf/vmlinux is missing: %w", errors.ErrUnsupported),
			"the kernel must have been built with CONFIG_DEBUG_INFO_BTF, and /sys be mounted")
	case refused && inUserNamespace():
		return wrap(os.ErrPermission, "in a user namespace nobody may load BPF programs, root neither: run closecap outside of it")
	case refused && lockedDown():
		return wrap(os.ErrPermission, "the kernel is locked down for confidentiality (/sys/kernel/security/lockdown), which forbids BPF to read its memory")
	case refused:
		return wrap(os.ErrPermission, "use sudo, or setcap cap_bpf,cap_perfmon+ep on the program")
	case errors.As(err, &verifier):
		return wrap(fmt.Errorf("the kernel's verifier refuses a program: %w", err), "")
	}
	return wrap(err, "")
}

// mayLoad reports whether this thread has the capabilities that loading needs.
func mayLoad() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return true // then the kernel's own answer has to do
	}
	has := func(c int) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	return has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func tooOld(release string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return false
	}
	return major < oldestMajor || major == oldestMajor && minor < oldestMinor
}

// initialUserNS is the inode of the first user namespace (PROC_USER_INIT_INO, linux/proc_ns.h).
const initialUserNS = 0xEFFFFFFD

func inUserNamespace() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino != initialUserNS
}

func lockedDown() bool {
	b, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(b), "[confidentiality]")
}
