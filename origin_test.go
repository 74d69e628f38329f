package closecap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// Of several files each connection says where it begins: the packet there is its first. Of one file none does.
func TestFirstFile(t *testing.T) {
	var b bytes.Buffer
	if _, err := gen.Write(&b, gen.Options{Connections: 300, Open: 40}); err != nil {
		t.Fatal(err)
	}
	const headerSize, recordSize, files = 24, 16, 7
	capture := b.Bytes()
	var starts []int
	for at := headerSize; at < len(capture); at += recordSize + int(binary.LittleEndian.Uint32(capture[at+8:])) {
		starts = append(starts, at)
	}
	starts = append(starts, len(capture))
	dir := t.TempDir()
	var names []string
	held := map[string][][]byte{}
	each := len(starts) / files
	for i := range files {
		from, to := i*each, (i+1)*each
		if i == files-1 {
			to = len(starts) - 1
		}
		name := filepath.Join(dir, fmt.Sprintf("%d.pcap", i))
		content := bytes.Clone(capture[:headerSize])
		for j := from; j < to; j++ {
			held[name] = append(held[name], capture[starts[j]:starts[j+1]])
			content = append(content, capture[starts[j]:starts[j+1]]...)
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	first := func(paths []string) (all int) {
		r, err := pcapfile.Open(paths, nil, pcapfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range closecap.New(r, closecap.Options{}).Connections(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if c.FirstFile == "" {
				continue
			}
			all++
			want := capture[starts[c.FirstFrame-1]:starts[c.FirstFrame]]
			if got := held[c.FirstFile][c.FirstFileFrame-1]; !bytes.Equal(got, want) {
				t.Errorf("connection %d: frame %d of %s is not frame %d", c.ID, c.FirstFileFrame, c.FirstFile, c.FirstFrame)
			}
		}
		return all
	}
	if n := first(names); n != 300 {
		t.Errorf("of %d files %d connections say where they begin, want 300", files, n)
	}
	if n := first(names[:1]); n != 0 {
		t.Errorf("of one file %d connections say it, want none", n)
	}
}
