package pcapfile

import (
	"encoding/binary"
	"io"
	"path/filepath"
	"testing"
)

// Every frame is found in the file that it was read from, whatever the files do in between.
func TestOrigin(t *testing.T) {
	broken := at(3, 8)
	paths := save(t, at(5, 7), at(1, 2, 6, 4), at(2, 9), broken[:len(broken)-7], at(10, 11, 12))
	r, err := Open(paths, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Files() != len(paths) {
		t.Errorf("Files() = %d, want %d", r.Files(), len(paths))
	}
	type place struct {
		file string
		at   uint64
	}
	var want []place
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			want = append(want, place{rec.File, rec.FileFrame})
		}
	}
	if len(want) != 12 {
		t.Fatalf("%d frames, want 12", len(want))
	}
	for i, w := range want {
		if file, n := r.Origin(uint64(i) + 1); file != w.file || n != w.at {
			t.Errorf("Origin(%d) = %s, %d, want %s, %d", i+1, filepath.Base(file), n, filepath.Base(w.file), w.at)
		}
	}
	if spans := r.Spans(); len(spans) != 8 {
		t.Errorf("%d spans, want 8: %v", len(spans), spans)
	}
}

// Files that take turns with each packet take no more memory than maxSpans, and what is said then is right or nothing.
func TestOriginsAreBounded(t *testing.T) {
	const each = maxSpans*3/4 + 5
	var files [2]*ng
	for i := range files {
		files[i] = &ng{order: binary.LittleEndian}
		files[i].section()
		files[i].iface(1, 0)
		for n := range each {
			files[i].packet(0, uint64(2*n+i+1), "x")
		}
	}
	paths := save(t, files[0].b, files[1].b)
	r, err := Open(paths, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frames := uint64(0)
	for _, err := r.Next(); err != io.EOF; _, err = r.Next() {
		if err != nil {
			t.Fatal(err)
		}
		frames++
	}
	if n := len(r.Spans()); n > maxSpans || n < maxSpans/2 {
		t.Errorf("%d spans, want %d to %d", n, maxSpans/2, maxSpans)
	}
	if file, n := r.Origin(1); file != "" || n != 0 {
		t.Errorf("Origin(1) = %s, %d, want nothing", file, n)
	}
	if file, n := r.Origin(frames); file != paths[1] || n != each {
		t.Errorf("Origin(%d) = %s, %d, want %s, %d", frames, file, n, paths[1], each)
	}
}
