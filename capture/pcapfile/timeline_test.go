package pcapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"

	"github.com/google/go-cmp/cmp"
)

// save writes files into a directory and returns their paths.
func save(t testing.TB, files ...[]byte) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i, b := range files {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// at makes a pcapng whose packets say their own microsecond.
func at(micros ...uint64) []byte {
	n := &ng{order: binary.LittleEndian}
	n.section()
	n.iface(1, 0)
	for _, us := range micros {
		n.packet(0, us, string(rune('0'+us)))
	}
	return n.b
}

type row struct {
	File      string
	Frame     uint64
	FileFrame uint64
	Interface uint32
	Data      string
}

func rows(r *Reader) (got []row, errs []error) {
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return got, errs
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p := &rec.Packet
		got = append(got, row{filepath.Base(rec.File), p.Frame, rec.FileFrame, p.Interface, string(p.Data)})
	}
}

func TestFilesAreOneTimeline(t *testing.T) {
	paths := save(t, at(5, 7), at(1, 2, 6, 4), at(2, 9))
	r, err := Open(append(paths, "-"), bytes.NewReader(at(3)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, errs := rows(r)
	if errs != nil {
		t.Fatal(errs)
	}
	want := []row{
		{"b", 1, 1, 1, "1"}, {"b", 2, 2, 1, "2"}, {"c", 3, 1, 2, "2"}, {"-", 4, 1, 0, "3"},
		{"a", 5, 1, 3, "5"}, {"b", 6, 3, 1, "6"}, {"b", 7, 4, 1, "4"}, {"a", 8, 2, 3, "7"}, {"c", 9, 2, 2, "9"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("timeline (-want +got):\n%s", d)
	}
	if read, total := r.Progress(); total == 0 || read < total {
		t.Errorf("Progress() = %d of %d at the end", read, total)
	}
}

// One damaged file of a set must not hide the others.
func TestDamagedFileAmongOthers(t *testing.T) {
	broken := at(2, 4)
	paths := save(t, at(1, 5), broken[:len(broken)-3], []byte("no capture"))
	r, err := Open(paths, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, errs := rows(r)
	var data []string
	for _, g := range got {
		data = append(data, g.Data)
	}
	if s := strings.Join(data, ""); s != "125" {
		t.Errorf("packets %q, want 125", s)
	}
	if len(errs) != 2 {
		t.Fatalf("errors %v, want one of b and one of c", errs)
	}
	for i, name := range []string{"c", "b"} {
		var fe *FileError
		if !errors.As(errs[i], &fe) || filepath.Base(fe.File) != name {
			t.Errorf("error %v, want one of file %s", errs[i], name)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open([]string{"/nowhere/at.all"}, nil, Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a missing file: %v, want fs.ErrNotExist", err)
	}
	for _, paths := range [][]string{{t.TempDir()}, {"-", "-"}} {
		if _, err := Open(paths, strings.NewReader(""), Options{}); err == nil {
			t.Errorf("Open(%q) is accepted", paths)
		}
	}
}

func TestKeepLeavesFramesCounted(t *testing.T) {
	r := NewReader(bytes.NewReader(at(1, 2, 3, 4)), "x", Options{
		Keep: func(p *event.Packet) bool { return p.Frame%2 == 0 },
	})
	got, _ := rows(r)
	want := []row{{"x", 2, 2, 0, "2"}, {"x", 4, 4, 0, "4"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
}
