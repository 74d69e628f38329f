package pcapfile

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The pcapng test suite of github.com/hadrielk/pcapng-test-generator comes with gopacket: every
// block and option in both byte orders, each file read as tshark reads it.
func TestSuiteReadsAsInTshark(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/gopacket").Output()
	if err != nil {
		t.Fatal(err)
	}
	tool(t, "tshark", "-v")
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "pcapgo/tests/*/*.pcapng"))
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d files of the suite, error %v", len(paths), err)
	}
	for i, path := range paths {
		if i%2 == 0 == strings.Contains(path, "/be/") {
			continue // half of the files in each byte order
		}
		t.Run(filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)), func(t *testing.T) {
			t.Parallel()
			want, bad := shark(t, "-n", "-r", path, "-T", "fields", "-E", "aggregator=,",
				"-e", "frame.number", "-e", "frame.cap_len", "-e", "frame.len", "-e", "frame.time_epoch", "-e", "frame.comment")
			got, err := ours(t, path)
			if rowsOf(got) != rowsOf(want) || (err != nil) != bad {
				t.Errorf("read, error %v\n%stshark\n%s", err, got, want)
			}
		})
	}
}

// shark runs tshark, which may fail on what it reads.
func shark(t *testing.T, args ...string) (out string, failed bool) {
	t.Helper()
	b, err := exec.Command("tshark", args...).Output()
	return string(b), err != nil
}

// rowsOf takes tshark's warnings away, what it shows of custom blocks, and whether a time of 0
// is one.
func rowsOf(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if line[0] < '0' || line[0] > '9' {
			continue
		}
		f := strings.Split(line, "\t")
		if n := f[1]; f[3] == "" && (n == "24" || n == "60" || n == "36" || n == "32") {
			f = []string{f[0], "", "", "", "\n"}
		}
		if f[3] == "0.000000000" {
			f[3] = ""
		}
		b.WriteString(strings.Join(f, "\t"))
	}
	return b.String()
}

func ours(t *testing.T, path string) (string, error) {
	t.Helper()
	r, err := Open([]string{path}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b strings.Builder
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		p := &rec.Packet
		if rec.Journal {
			fmt.Fprintf(&b, "%d\t\t\t\t\n", p.Frame)
			continue
		}
		fmt.Fprintf(&b, "%d\t%d\t%d\t%d.%09d\t%s\n", p.Frame, len(p.Data), p.WireLen, p.Time/1e9, p.Time%1e9,
			strings.ReplaceAll(p.Comment, "\n", ","))
	}
}
