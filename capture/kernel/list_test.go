//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// find returns the listed socket with these addresses.
func find(t *testing.T, d *Diag, local, remote netip.AddrPort) event.Socket {
	t.Helper()
	all, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FindHolders(all); err != nil {
		t.Fatal(err)
	}
	var found []event.Socket
	for _, s := range all {
		if s.Local == local && s.Remote == remote {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d sockets from %v to %v, want 1", len(found), local, remote)
	}
	return found[0]
}

// TestList follows a close through the list: queues, holders, and how long ago things were.
func TestList(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			d := openDiag(t)
			client, server := pair(t, network, address)
			file, err := server.File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			local, remote := ends(server)
			began := clock()
			if _, err := client.Write([]byte("Hello, world")); err != nil {
				t.Fatal(err)
			}
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			await(t, d, local, remote, event.CloseWait)
			closed := clock()
			time.Sleep(60 * time.Millisecond) // an age needs time
			s := find(t, d, local, remote)
			if s.State != event.CloseWait || s.RecvQ != 12 || s.EndRead || s.Orphan || s.UID != uint32(os.Getuid()) || s.Cookie == 0 {
				t.Errorf("List = %+v, want CLOSE_WAIT with 12 bytes unread", s)
			}
			if s.Info == nil || s.Info.RTO < int64(10*time.Millisecond) {
				t.Fatalf("tcp_info = %+v", s.Info)
			}
			// Jiffies are coarse: up to 10 ms either way.
			for name, ago := range map[string]int64{"data": s.Info.LastReceived, "FIN": s.Info.LastACK} {
				least, most := s.Time.Sub(closed), s.Time.Sub(began)
				if got := time.Duration(ago); got < least-20*time.Millisecond || got > most+20*time.Millisecond {
					t.Errorf("%s came %s ago, want between %s and %s", name, got, least, most)
				}
			}
			self := event.SocketHolder{PID: os.Getpid(), FD: int(file.Fd()), Comm: commOf(os.Getpid())}
			if len(s.Holders) != 2 || !slices.Contains(s.Holders, self) || self.Comm == "" {
				t.Errorf("holders = %+v, want two of this process, %+v among them", s.Holders, self)
			}
			buf := make([]byte, 64)
			for {
				if n, _ := server.Read(buf); n == 0 {
					break
				}
			}
			if s := find(t, d, local, remote); s.RecvQ != 0 || !s.EndRead {
				t.Errorf("after reading to the end: %+v", s)
			}
			client.Close()
			if s := find(t, d, remote, local); s.State != event.FinWait2 || !s.Orphan || s.Inode != 0 || len(s.Holders) != 0 || s.Info != nil {
				t.Errorf("closed client = %+v, want an orphan in FIN_WAIT2", s)
			}
		})
	}
}

// TestListListener tells the connections that wait from the backlog.
func TestListListener(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	any := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(fd, any); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 7); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(client)
	if err := unix.Connect(client, sa); err != nil {
		t.Fatal(err)
	}
	local := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*unix.SockaddrInet4).Port))
	s := find(t, openDiag(t), local, netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	if s.State != event.Listen || s.Waiting != 1 || s.Backlog != 7 || s.RecvQ != 0 || s.SendQ != 0 || s.Info != nil {
		t.Errorf("List = %+v, want a listener with 1 of 7 waiting", s)
	}
}

// TestParseSocketDamaged refuses attributes that do not fit.
func TestParseSocketDamaged(t *testing.T) {
	whole := make([]byte, 72)
	whole[0] = unix.AF_INET
	for name, tail := range map[string][]byte{"short": {3, 0, 2, 0}, "long": {200, 0, 2, 0}} {
		if _, err := parseSocket(append(whole[:72:72], tail...)); err == nil {
			t.Errorf("%s attribute: no error", name)
		}
	}
	tail := binary.NativeEndian.AppendUint16(nil, 12)
	tail = append(binary.NativeEndian.AppendUint16(tail, diagInfo), make([]byte, 8)...)
	if s, err := parseSocket(append(whole[:72:72], tail...)); err != nil || s.Info != nil {
		t.Errorf("tcp_info of 8 bytes: %+v, %v, want none", s.Info, err)
	}
	if _, err := parseSocket(whole[:71]); err == nil {
		t.Error("short answer: no error")
	}
}

// A dump that the kernel could not begin ends with the reason, as where it has no tcp_diag.
func TestDoneError(t *testing.T) {
	for errno, want := range map[int32]error{0: nil, 12: nil, -2: unix.ENOENT} {
		body := binary.NativeEndian.AppendUint32(nil, uint32(errno))
		if got := doneError(body); !errors.Is(got, want) {
			t.Errorf("doneError(%d) = %v, want %v", errno, got, want)
		}
	}
	if got := doneError(nil); got != nil {
		t.Errorf("doneError of nothing = %v", got)
	}
}
