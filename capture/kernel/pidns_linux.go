package kernel

import "golang.org/x/sys/unix"

// initialPIDNS is the inode of the first process namespace (PROC_PID_INIT_INO, linux/proc_ns.h).
const initialPIDNS = 0xEFFFFFFC

// InPIDNamespace reports whether this process is in a process namespace that is not the machine's first, as in most
// containers. BPF tells processes by their numbers in the first one.
func InPIDNamespace() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &st) == nil && st.Ino != initialPIDNS
}
