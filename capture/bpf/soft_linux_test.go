package bpf

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// reject answers connections to port 81 as a firewall does.
const reject = `table inet t { chain i { type filter hook input priority 0; tcp dport 81 reject with icmpx type host-unreachable; }; }`

// TestSoftError: an ICMP error that comes while connect still holds the socket does not end it. The kernel knows of it.
func TestSoftError(t *testing.T) {
	s := openEndings(t, Options{Port: 81})
	nft, err := exec.LookPath("nft")
	if err != nil && os.Getenv("CLOSECAP_NO_SKIP") == "" {
		t.Skip(err)
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
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: 81, Addr: [4]byte{127, 0, 0, 1}}); !errors.Is(err, unix.EINPROGRESS) {
			t.Errorf("connect = %v, want that it goes on", err)
		}
		unix.Close(fd)
	})
	if t.Failed() {
		return
	}
	e := await(t, s, "the client's end", func(k event.KernelEvent) bool { return k.Endpoint != nil }).Endpoint
	if e.Last() != event.SynSent || e.SoftErrno != "EHOSTUNREACH" || e.Errno != "" {
		t.Errorf("its end = %+v, want EHOSTUNREACH, not given to anybody", e)
	}
}
