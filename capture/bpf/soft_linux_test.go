package bpf

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// reject answers connections to ports 81 and 82 as firewalls do.
const reject = `table inet t { chain i { type filter hook input priority 0;
	tcp dport 81 reject with icmpx type host-unreachable; tcp dport 82 reject with icmpx type admin-prohibited; }; }`

// TestSoftError: an ICMP error that comes while connect still holds the socket does not end it. The kernel knows of it,
// also where the program has asked and so cleared it; of IPv6 (ipv6_icmp_error) only where it has not.
func TestSoftError(t *testing.T) {
	s := openEndings(t, Options{})
	nft, err := exec.LookPath("nft")
	if err != nil && os.Getenv("CLOSECAP_NO_SKIP") == "" {
		t.Skip(err)
	}
	local4, local6 := [4]byte{127, 0, 0, 1}, [16]byte{15: 1}
	tests := []struct {
		to   unix.Sockaddr
		ask  bool
		soft string
		icmp *event.ICMPError
	}{
		{&unix.SockaddrInet4{Port: 81, Addr: local4}, false, "EHOSTUNREACH", &event.ICMPError{Type: 3, Code: 1, Errno: "EHOSTUNREACH"}},
		{&unix.SockaddrInet4{Port: 81, Addr: local4}, true, "", &event.ICMPError{Type: 3, Code: 1, Errno: "EHOSTUNREACH"}},
		{&unix.SockaddrInet4{Port: 82, Addr: local4}, true, "", &event.ICMPError{Type: 3, Code: 13, Errno: "EHOSTUNREACH"}},
		{&unix.SockaddrInet6{Port: 81, Addr: local6}, false, "EHOSTUNREACH", nil},
		{&unix.SockaddrInet6{Port: 82, Addr: local6}, true, "", nil},
	}
	offMainThread(func() { // with a network of its own, which ends with the thread
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		for _, args := range [][]string{{"ip", "link", "set", "lo", "up"}, {nft, "-f", "-"}} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Stdin = strings.NewReader(reject)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", args, err, out)
				return
			}
		}
		for _, tt := range tests {
			abandon(t, tt.to, tt.ask)
		}
	})
	if t.Failed() {
		return
	}
	var ended []*event.Endpoint
	await(t, s, "the clients' ends", func(k event.KernelEvent) bool {
		if e := k.Endpoint; e != nil && (e.Remote.Port() == 81 || e.Remote.Port() == 82) {
			ended = append(ended, e)
		}
		return len(ended) == len(tests)
	})
	for i, tt := range tests {
		if e := ended[i]; e.SoftErrno != tt.soft || e.Errno != "" || !cmp.Equal(e.ICMP, tt.icmp) {
			t.Errorf("%d: %q, %q, ICMP %+v, want %q, none, %+v", i, e.SoftErrno, e.Errno, e.ICMP, tt.soft, tt.icmp)
		}
	}
}

// abandon begins to connect, and closes at once; with ask it looks before what became of it.
func abandon(t *testing.T, to unix.Sockaddr, ask bool) {
	family := unix.AF_INET
	if _, is6 := to.(*unix.SockaddrInet6); is6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, to); !errors.Is(err, unix.EINPROGRESS) {
		t.Errorf("connect = %v, want that it goes on", err)
	}
	if !ask {
		return
	}
	if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || got == 0 {
		t.Errorf("SO_ERROR = %d, %v, want the ICMP error's", got, err)
	}
}
