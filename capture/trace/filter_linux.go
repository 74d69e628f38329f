//go:build amd64 || arm64

package trace

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the filter says with a stop (SECCOMP_RET_DATA).
const (
	stopNative  = 1 // a call of the table
	stopForeign = 2 // a socket call of the other ABI: 32-bit, or x32
)

// Offsets in struct seccomp_data (linux/seccomp.h); args are 64-bit, little-endian.
const (
	dataNr   = 0
	dataArch = 4
	dataArg1 = 16 + 8
)

// installFilter makes the calls of the table stop this thread, and all that it becomes or
// starts. It sets no_new_privs only where the kernel asks for it (no CAP_SYS_ADMIN).
func installFilter() error {
	prog := filter(tracedNumbers())
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	install := func() unix.Errno {
		// SPEC_ALLOW: the filter is no sandbox, so the program need not pay for
		// speculation being switched off on older kernels.
		_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
			unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&fprog)))
		return e
	}
	e := install()
	if e == unix.EACCES {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		e = install()
	}
	if e != 0 {
		return e
	}
	return nil
}

// filter returns the BPF program that stops at the given calls and lets all others pass. fcntl
// stops only to duplicate: it is frequent, and nothing else that it does matters here.
func filter(numbers []uint32) []unix.SockFilter {
	b := &bpf{}
	b.load(dataArch)
	b.jumpUnless(nativeArch, "foreign")
	b.load(dataNr)
	b.jumpIf(uint32(unix.SYS_FCNTL), "fcntl")
	for _, nr := range numbers {
		b.jumpIf(nr, "native")
	}
	for _, nr := range x32Numbers {
		b.jumpIf(nr, "alien")
	}
	b.ret(unix.SECCOMP_RET_ALLOW)
	b.label("foreign")
	b.load(dataNr)
	for _, nr := range foreignNumbers {
		b.jumpIf(nr, "alien")
	}
	b.ret(unix.SECCOMP_RET_ALLOW)
	b.label("fcntl")
	b.load(dataArg1)
	b.jumpIf(unix.F_DUPFD, "native")
	b.jumpIf(unix.F_DUPFD_CLOEXEC, "native")
	b.ret(unix.SECCOMP_RET_ALLOW)
	b.label("native")
	b.ret(unix.SECCOMP_RET_TRACE | stopNative)
	b.label("alien")
	b.ret(unix.SECCOMP_RET_TRACE | stopForeign)
	return b.assemble()
}

// bpf assembles a forward-jumping classic BPF program with labels.
type bpf struct {
	prog   []unix.SockFilter
	jumps  []jump
	labels map[string]int
}

type jump struct {
	at     int
	to     string
	unless bool
}

func (b *bpf) load(offset uint32) {
	b.prog = append(b.prog, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

func (b *bpf) ret(k uint32) {
	b.prog = append(b.prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k})
}

func (b *bpf) jumpIf(k uint32, to string)     { b.branch(k, jump{to: to}) }
func (b *bpf) jumpUnless(k uint32, to string) { b.branch(k, jump{to: to, unless: true}) }

func (b *bpf) branch(k uint32, j jump) {
	j.at = len(b.prog)
	b.jumps = append(b.jumps, j)
	b.prog = append(b.prog, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k})
}

func (b *bpf) label(name string) {
	if b.labels == nil {
		b.labels = map[string]int{}
	}
	b.labels[name] = len(b.prog)
}

// assemble fills in the jumps. A distance beyond 255 cannot be written in one, and panics: the
// program is a constant of this package, and its test assembles it.
func (b *bpf) assemble() []unix.SockFilter {
	prog := slices.Clone(b.prog)
	for _, j := range b.jumps {
		d := b.labels[j.to] - j.at - 1
		if d < 0 || d > 255 {
			panic("trace: jump to " + j.to + " does not fit")
		}
		if j.unless {
			prog[j.at].Jf = uint8(d)
		} else {
			prog[j.at].Jt = uint8(d)
		}
	}
	return prog
}
