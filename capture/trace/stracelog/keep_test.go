package stracelog_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/capture/trace/stracelog"
)

// repeated gives the same lines again and again, and notes the heap before it ends.
type repeated struct {
	lines string
	times int
	at    int // of lines, where the next Read begins
	heap  *uint64
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.times == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		*r.heap = m.HeapAlloc
		return 0, io.EOF
	}
	n := copy(p, r.lines[r.at:])
	if r.at += n; r.at == len(r.lines) {
		r.at, r.times = 0, r.times-1
	}
	return n, nil
}

// TestReadKeepsNothingOfFiles reads 22 MB about files in next to no memory, and the first
// and only use of a socket among them.
func TestReadKeepsNothingOfFiles(t *testing.T) {
	const file = "7 1700000000.000001 read(3</srv/a>, \"" + "some data of the file" + "\", 4096) = 21 <0.000001>\n" +
		"8 1700000000.000001 close(9<UNIX-STREAM:[1->2]>) = 0 <0.000001>\n" +
		"8 1700000000.000001 fcntl(9</srv/b>, F_GETFL) = 0 <0.000001>\n" +
		"8 1700000000.000001 poll([{fd=4<pipe:[1]>, events=POLLIN}], 1, -1) = 1 ([{fd=4, revents=POLLIN}]) <0.000001>\n"
	var begun, ended uint64
	logs := []stracelog.File{{Name: "log", Reader: io.MultiReader(
		&repeated{lines: file, times: 1, heap: &begun},
		&repeated{lines: file, times: 60_000, heap: &ended},
		strings.NewReader("7 1700000001.000000 close(3<TCP:[127.0.0.1:1->127.0.0.1:2]>) = 0 <0.000001>\n"))}}
	log, err := stracelog.Read(logs, stracelog.Options{})
	if err != nil || len(log.Calls) != 1 || log.Calls[0].Name != "close" {
		t.Fatalf("Read = %d calls, %v, want the one close", len(log.Calls), err)
	}
	if grown := int64(ended) - int64(begun); grown > 1<<20 {
		t.Errorf("reading %d lines grew the heap by %d bytes", log.Lines, grown)
	}
}

// TestReadForgetsReusedDescriptors closes at exit only what was still a socket: lines about other
// files are dropped, but not that they are what the descriptor has become.
func TestReadForgetsReusedDescriptors(t *testing.T) {
	const text = `7 1700000000.000001 read(3</srv/a>, "x", 1) = 1 <0.000001>
7 1700000000.000002 sendto(3<TCP:[127.0.0.1:1->127.0.0.1:2]>, "x", 1, 0, NULL, 0) = 1 <0.000001>
7 1700000000.000003 sendto(4<TCP:[127.0.0.1:3->127.0.0.1:2]>, "x", 1, 0, NULL, 0) = 1 <0.000001>
7 1700000000.000004 read(3</srv/a>, "x", 1) = 1 <0.000001>
7 1700000000.000005 read(3</srv/a>, "x", 1) = 1 <0.000001>
7 1700000000.000006 close(3</srv/a>) = 0 <0.000001>
7 1700000000.000007 close(3) = -1 EBADF (Bad file descriptor) <0.000001>
7 1700000000.000009 +++ exited with 0 +++
`
	log, err := stracelog.Read([]stracelog.File{{Name: "log", Reader: strings.NewReader(text)}}, stracelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `2023-11-14T22:13:20.000002000Z 1µs pid 7 tid 7: send/sendto(3, 1 bytes) = 1 local=127.0.0.1:1 remote=127.0.0.1:2 text="x"
2023-11-14T22:13:20.000003000Z 1µs pid 7 tid 7: send/sendto(4, 1 bytes) = 1 local=127.0.0.1:3 remote=127.0.0.1:2 text="x"
2023-11-14T22:13:20.000008000Z 1µs pid 7 tid 7: exit(4, 0) = 0 local=127.0.0.1:3 remote=127.0.0.1:2
lines 8, unparsed 0, folded 0
warning: 1 calls left out: the log does not say what their descriptors are (strace -yy)
`
	if diff := cmp.Diff(want, describe(log)); diff != "" {
		t.Errorf("calls differ (-want +got):\n%s", diff)
	}
}

// TestReadLimit ends at the call beyond the limit, and says where.
func TestReadLimit(t *testing.T) {
	const call = "7 1700000000.000001 close(3<TCP:[127.0.0.1:1->127.0.0.1:2]>) = 0 <0.000001>\n"
	for _, n := range []int{3, 4} {
		one := stracelog.File{Name: "log", Reader: strings.NewReader(strings.Repeat(call, n))}
		log, err := stracelog.Read([]stracelog.File{one}, stracelog.Options{Limit: 3})
		want := "<nil>"
		if n > 3 {
			want = "read strace log log: line 4: too many socket calls: at most 3"
		}
		if len(log.Calls) != 3 || fmt.Sprint(err) != want || errors.Is(err, stracelog.ErrTooMany) != (n > 3) {
			t.Errorf("Read of %d calls = %d, %v, want 3, %s", n, len(log.Calls), err, want)
		}
	}
}
