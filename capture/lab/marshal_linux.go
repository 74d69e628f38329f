package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/capture/lab/script"
)

// optionNumbers are the level and number of each option of script.OptionKinds.
var optionNumbers = map[string][2]uintptr{
	"SO_LINGER":         {unix.SOL_SOCKET, unix.SO_LINGER},
	"SO_ERROR":          {unix.SOL_SOCKET, unix.SO_ERROR},
	"SO_RCVTIMEO":       {unix.SOL_SOCKET, unix.SO_RCVTIMEO},
	"SO_SNDTIMEO":       {unix.SOL_SOCKET, unix.SO_SNDTIMEO},
	"SO_REUSEADDR":      {unix.SOL_SOCKET, unix.SO_REUSEADDR},
	"SO_REUSEPORT":      {unix.SOL_SOCKET, unix.SO_REUSEPORT},
	"SO_KEEPALIVE":      {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	"SO_RCVBUF":         {unix.SOL_SOCKET, unix.SO_RCVBUF},
	"SO_SNDBUF":         {unix.SOL_SOCKET, unix.SO_SNDBUF},
	"SO_RCVLOWAT":       {unix.SOL_SOCKET, unix.SO_RCVLOWAT},
	"SO_OOBINLINE":      {unix.SOL_SOCKET, unix.SO_OOBINLINE},
	"TCP_NODELAY":       {unix.IPPROTO_TCP, unix.TCP_NODELAY},
	"TCP_CORK":          {unix.IPPROTO_TCP, unix.TCP_CORK},
	"TCP_QUICKACK":      {unix.IPPROTO_TCP, unix.TCP_QUICKACK},
	"TCP_MAXSEG":        {unix.IPPROTO_TCP, unix.TCP_MAXSEG},
	"TCP_KEEPIDLE":      {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	"TCP_KEEPINTVL":     {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	"TCP_KEEPCNT":       {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	"TCP_SYNCNT":        {unix.IPPROTO_TCP, unix.TCP_SYNCNT},
	"TCP_LINGER2":       {unix.IPPROTO_TCP, unix.TCP_LINGER2},
	"TCP_DEFER_ACCEPT":  {unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT},
	"TCP_WINDOW_CLAMP":  {unix.IPPROTO_TCP, unix.TCP_WINDOW_CLAMP},
	"TCP_USER_TIMEOUT":  {unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	"TCP_FASTOPEN":      {unix.IPPROTO_TCP, unix.TCP_FASTOPEN},
	"TCP_NOTSENT_LOWAT": {unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT},
}

func family(v6 bool) uintptr {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// rawSockaddr returns the kernel's form of an address; "" is AF_UNSPEC.
func rawSockaddr(s string) []byte {
	addr, err := netip.ParseAddrPort(s)
	if err != nil {
		return make([]byte, unix.SizeofSockaddrInet4)
	}
	var sa []byte
	ip := addr.Addr().AsSlice()
	if addr.Addr().Is4() {
		sa = make([]byte, unix.SizeofSockaddrInet4)
		binary.NativeEndian.PutUint16(sa, unix.AF_INET)
		copy(sa[4:], ip)
	} else {
		sa = make([]byte, unix.SizeofSockaddrInet6)
		binary.NativeEndian.PutUint16(sa, unix.AF_INET6)
		copy(sa[8:], ip)
	}
	binary.BigEndian.PutUint16(sa[2:], addr.Port())
	return sa
}

// optionValue returns the kernel's form of an option's value.
func optionValue(o *script.Op) []byte {
	switch script.OptionKinds[o.Option] {
	case script.LingerOption:
		l := unix.Linger{Onoff: 1, Linger: int32(o.Value)}
		if o.Value == script.LingerOff {
			l = unix.Linger{}
		}
		return bytes.Clone((*[unix.SizeofLinger]byte)(unsafe.Pointer(&l))[:])
	case script.TimeOption:
		t := unix.NsecToTimeval(o.Value)
		return bytes.Clone((*[unsafe.Sizeof(t)]byte)(unsafe.Pointer(&t))[:])
	}
	v := int32(o.Value)
	return bytes.Clone((*[4]byte)(unsafe.Pointer(&v))[:])
}

func formatOption(name string, value int32) string {
	if script.OptionKinds[name] == script.ErrorOption && value != 0 {
		return errnoName(int(value))
	}
	return strconv.Itoa(int(value))
}

// errnoName returns an errno's name; "" for 0.
func errnoName(errno int) string {
	if errno == 0 {
		return ""
	}
	if name := unix.ErrnoName(unix.Errno(errno)); name != "" {
		return name
	}
	return "errno " + strconv.Itoa(errno)
}
