package kernel

import "golang.org/x/sys/unix"

// Release returns the running kernel's release, "6.18.44".
func Release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
