package pcapfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// Rotated files have interfaces each: how many there are in all is no fault of one of them.
func TestInterfacesAreCountedByFile(t *testing.T) {
	n := &ng{order: binary.LittleEndian}
	n.section()
	for range maxInterfaces/2 + 1 {
		n.iface(1, 0)
	}
	n.packet(maxInterfaces/2, 5, "5")
	r, err := Open(save(t, n.b, n.b, n.b), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, errs := rows(r)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for i, p := range got {
		if want := uint32((i+1)*(maxInterfaces/2+1) - 1); p.Interface != want {
			t.Errorf("packet %d is of interface %d, want %d", i+1, p.Interface, want)
		}
	}
}

// Of files that were read, and of those that were not yet, a few bytes are kept.
func TestManyFilesTakeLittleMemory(t *testing.T) {
	const files = 4000
	r, err := Open(slices.Repeat(save(t, at(1)), files), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for frame := range files {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if frame == files/2 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > 32<<20 {
				t.Errorf("%d MB in use while the files are read, want less than 32", m.HeapAlloc>>20)
			}
		}
	}
}

// overlapping makes files whose packets alternate, each larger than a buffer.
func overlapping(t *testing.T, files, packets int) (all [][]byte) {
	t.Helper()
	for i := range files {
		n := &ng{order: binary.LittleEndian}
		n.section()
		n.iface(1, 0)
		for j := range packets {
			n.packet(0, uint64(j*files+i), fmt.Sprintf("%d.%s", j*files+i, strings.Repeat("x", 2000)))
		}
		all = append(all, n.b)
	}
	return all
}

func TestOverlappingFilesShareDescriptors(t *testing.T) {
	const files, packets = 9, 200
	all := overlapping(t, files, packets)
	for i := range 3 { // some are compressed: what is kept then is the decompressor
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(all[i])
		z.Close()
		all[i] = b.Bytes()
	}
	r, err := Open(save(t, all...), nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.handles.most = 2
	for want := range files * packets {
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(string(rec.Packet.Data), "."); got != fmt.Sprint(want) {
			t.Fatalf("frame %d is packet %s, want %d", rec.Packet.Frame, got, want)
		}
		if n := len(r.handles.open); n > 2 {
			t.Fatalf("%d files are open at frame %d, want 2 at most", n, rec.Packet.Frame)
		}
	}
	if rec, err := r.Next(); err == nil {
		t.Errorf("packet %d after the last", rec.Packet.Frame)
	}
	if n := len(r.handles.open); n > 0 {
		t.Errorf("%d files are open at the end", n)
	}
}

// Whoever rotates files may put another where one was that is still being read.
func TestFileReplacedWhileItWaits(t *testing.T) {
	paths := save(t, overlapping(t, 2, 400)...)
	r, err := Open(paths, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.handles.most = 1
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil { // now the second has the descriptor
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, at(1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, paths[0]); err != nil {
		t.Fatal(err)
	}
	got, errs := rows(r)
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), paths[0]) || !strings.Contains(errs[0].Error(), "taken its name") {
		t.Errorf("errors %v, want one that %s is another file now", errs, paths[0])
	}
	if last := got[len(got)-1]; last.FileFrame != 400 || last.File != filepath.Base(paths[1]) {
		t.Errorf("read up to frame %d of %s, want all 400 of the other file", last.FileFrame, last.File)
	}
}
