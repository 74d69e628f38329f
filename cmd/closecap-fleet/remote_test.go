package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/memfs"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// What is at an address and not on this machine is read as it comes, or copied where files overlap, and
// records go there.
func TestRemote(t *testing.T) {
	t.Run("memfs", func(t *testing.T) { testRemote(t, "memfs://") })
	t.Run("s3", func(t *testing.T) {
		server := httptest.NewServer(gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true), gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
		t.Cleanup(server.Close)
		for name, value := range map[string]string{
			"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
			"AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		} {
			t.Setenv(name, value)
		}
		testRemote(t, "s3://")
	})
}

func testRemote(t *testing.T, scheme string) {
	dir, copies := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", copies)
	fs, err := filesystem.New(t.Context(), scheme)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
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
		addresses[file] = scheme + "captures/a/" + filepath.Base(file)
		put(addresses[file], file)
	}
	for i, file := range overlapping {
		addresses[file] = scheme + "captures/b/" + string(rune('0'+i)) + filepath.Base(file)
		put(addresses[file], file)
	}
	code, said := closecapFleet(t, "analyze", "--in", scheme+"captures/*/*", "--point-from", "captures/(.)/", "--out", scheme+"out/today", "--buckets", "2")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, said)
	}
	for point, files := range map[string][]string{"a": rotated, "b": overlapping} {
		var got strings.Builder
		names, err := fs.List(t.Context(), scheme+"out/today/point="+point+"/*.ndjson")
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
	code, said = closecapFleet(t, "analyze", "--in", scheme+"captures/a/*", "--out", scheme+"out/today")
	if code != exitFailed || !strings.Contains(said, "write "+scheme+"out/today: it holds") {
		t.Errorf("a second job to the same address: exit code %d, %s", code, said)
	}
	if left, err := filepath.Glob(copies + "/*closecap-fleet*"); err != nil || len(left) > 0 {
		t.Errorf("copies left behind: %q, %v", left, err)
	}
}
