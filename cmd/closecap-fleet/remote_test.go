package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"
)

// What is at an address and not on this machine is read as it comes, or copied where files overlap, and
// records go there.
func TestRemote(t *testing.T) {
	dir, copies := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", copies)
	fs := memfs.New(t.Context())
	put := func(name, file string) {
		t.Helper()
		content, err := os.ReadFile(file)
		if err == nil {
			err = filesystem.Write(t.Context(), fs, name, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	addresses := map[string]string{} // of what is told, by the local file
	rotated := host(t, dir+"/a", 3, 200, 1)
	overlapping := append(host(t, dir+"/b", 2, 100, 2), host(t, dir+"/c", 2, 100, 3)...)
	for _, file := range rotated {
		addresses[file] = "memfs://captures/a/" + filepath.Base(file)
		put(addresses[file], file)
	}
	for i, file := range overlapping {
		addresses[file] = "memfs://captures/b/" + string(rune('0'+i)) + filepath.Base(file)
		put(addresses[file], file)
	}
	code, said := closecapFleet(t, "analyze", "--in", "memfs://captures/*/*", "--point-from", "captures/(.)/", "--out", "memfs://out", "--buckets", "2")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, said)
	}
	for point, files := range map[string][]string{"a": rotated, "b": overlapping} {
		var got strings.Builder
		names, err := fs.List(t.Context(), "memfs://out/point="+point+"/*.ndjson")
		if err != nil || len(names) != 2 {
			t.Fatalf("records of %s: %q, %v", point, names, err)
		}
		for _, name := range names {
			content, err := filesystem.Read(t.Context(), fs, name)
			if err != nil {
				t.Fatal(err)
			}
			got.Write(content)
		}
		want := strings.Join(single(t, point, files, false), "")
		for file, address := range addresses {
			want = strings.ReplaceAll(want, `"first_file":"`+file+`"`, `"first_file":"`+address+`"`)
		}
		same(t, point, sorted(want), sorted(got.String()))
	}
	code, said = closecapFleet(t, "analyze", "--in", "memfs://captures/a/*", "--out", "memfs://out")
	if code != exitFailed || !strings.Contains(said, "write memfs://out: it holds") {
		t.Errorf("a second job to the same address: exit code %d, %s", code, said)
	}
	if left, err := filepath.Glob(copies + "/*closecap-fleet*"); err != nil || len(left) > 0 {
		t.Errorf("copies left behind: %q, %v", left, err)
	}
}
