package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/capture/pcapfile/gen"
)

// host writes a generated capture as files that tcpdump might have rotated, and returns their names.
func host(t *testing.T, dir string, files, connections int, seed uint64) (names []string) {
	t.Helper()
	var b bytes.Buffer
	if _, err := gen.Write(&b, gen.Options{Connections: connections, Open: connections / 5, Seed: seed}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	capture := b.Bytes()
	ends := recordEnds(capture)
	from := headerSize
	for i := range files {
		to := ends[(i+1)*len(ends)/files-1]
		name := fmt.Sprintf("%s/%04d.pcap", dir, i)
		content := slices.Concat(capture[:headerSize], capture[from:to])
		switch i % 3 {
		case 1:
			name += ".gz"
			content = packed(t, content, func(w *bytes.Buffer) writeCloser { return gzip.NewWriter(w) })
		case 2:
			name += ".zst"
			content = packed(t, content, func(w *bytes.Buffer) writeCloser { z, _ := zstd.NewWriter(w); return z })
		}
		if err := os.WriteFile(name, content, 0o666); err != nil {
			t.Fatal(err)
		}
		names, from = append(names, name), to
	}
	return names
}

const headerSize, recordSize = 24, 16

// recordEnds says where the records of a pcap file end.
func recordEnds(capture []byte) (ends []int) {
	for at := headerSize; at < len(capture); {
		at += recordSize + int(binary.LittleEndian.Uint32(capture[at+8:]))
		ends = append(ends, at)
	}
	return ends
}

type writeCloser interface {
	Write([]byte) (int, error)
	Close() error
}

func packed(t *testing.T, content []byte, by func(*bytes.Buffer) writeCloser) []byte {
	t.Helper()
	var b bytes.Buffer
	w := by(&b)
	_, err := w.Write(content)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// single is what closecap analyze says of a point's files, "" for no point, a line a connection, sorted.
func single(t *testing.T, point string, files []string, brief bool) []string {
	t.Helper()
	r, err := pcapfile.Open(files, nil, pcapfile.Options{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	a := closecap.New(r, closecap.Options{})
	var b bytes.Buffer
	stream := report.NewStream(&b, report.NDJSON, report.Options{Brief: brief})
	for c, err := range a.Connections(t.Context()) {
		if err != nil {
			continue // of a damaged file
		}
		c.ID = 0
		analyze.Identify(c)
		if len(files) == 1 {
			c.FirstFile, c.FirstFileFrame = files[0], c.FirstFrame
		}
		if point != "" {
			c.Vantages = []analyze.Vantage{{Point: point, Client: c.Client, Server: c.Server, Packets: c.Packets}}
		}
		if err := stream.Connection(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Flush(); err != nil {
		t.Fatal(err)
	}
	return sorted(b.String())
}

func sorted(lines string) []string {
	all := slices.Collect(strings.Lines(lines))
	slices.Sort(all)
	return all
}

// written are the lines of a job's files, sorted.
func written(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	var b strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(content)
	}
	return sorted(b.String())
}

// closecapFleet runs the program, and returns its exit code and standard error.
func closecapFleet(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, err bytes.Buffer
	code := run(t.Context(), args, streams{strings.NewReader(""), &out, &err})
	return code, err.String()
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%s: %d connections, want %d", what, len(got), len(want))
	}
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Fatalf("%s:\n got %s\nwant %s", what, got[i], want[i])
		}
	}
}

// Whatever the buckets, files and runner, the records of each point are those of one process.
func TestFleetSaysWhatOneProcessSays(t *testing.T) {
	dir := t.TempDir()
	hosts := map[string][]string{
		"web-1": host(t, dir+"/web-1", 10, 1500, 1), "web-2": host(t, dir+"/web-2", 1, 500, 2), "db/1%": host(t, dir+"/db/1%", 24, 800, 3),
	}
	for i, test := range []struct {
		runner string
		args   []string
		brief  bool
	}{
		{"prism", []string{"--buckets", "7"}, false},
		{"prism", []string{"--buckets", "64", "--brief"}, true},
		{"direct", []string{"--buckets", "1"}, false},
	} {
		out := fmt.Sprintf("%s/out-%d", dir, i)
		args := append([]string{"analyze", "--runner", test.runner, "--out", out, "--point-from", dir + "/(.*)/[^/]*$"}, test.args...)
		var in []string
		for _, files := range hosts {
			in = append(in, files...)
		}
		rand.New(rand.NewPCG(1, uint64(i))).Shuffle(len(in), func(a, b int) { in[a], in[b] = in[b], in[a] })
		for _, file := range append(in, in[0]) {
			args = append(args, "--in", file)
		}
		code, said := closecapFleet(t, args...)
		if want := "warning: 1 file named twice, read once"; code != exitDone || !strings.Contains(said, want) {
			t.Fatalf("%q = %d, %s, want %d and %q", args, code, said, exitDone, want)
		}
		for name, folder := range map[string]string{"web-1": "web-1", "web-2": "web-2", "db/1%": "db%2F1%25"} {
			same(t, fmt.Sprintf("%s with %q", name, test.args), single(t, name, hosts[name], test.brief), written(t, out+"/point="+folder+"/bucket-*.ndjson"))
		}
	}
}

// Files without a point are one timeline, also where their times overlap; a damaged one is told, and what
// was read before it broke counts.
func TestOneTimeline(t *testing.T) {
	dir := t.TempDir()
	all := append(host(t, dir+"/a", 5, 400, 1), host(t, dir+"/b", 3, 300, 2)...)
	slices.Sort(all)
	whole, err := os.ReadFile(all[3])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(all[3], whole[:len(whole)/2+3], 0o666); err != nil {
		t.Fatal(err)
	}
	out := dir + "/out"
	code, said := closecapFleet(t, "analyze", "--in", dir+"/[ab]/*.pcap*", "--out", out, "--buckets", "3")
	if want := "closecap-fleet: read " + all[3] + ": byte "; code != exitFailed || strings.Count(said, want) != 1 {
		t.Fatalf("exit code %d, %s, want %d and once %q", code, said, exitFailed, want)
	}
	same(t, "a damaged file among those of two overlapping captures", single(t, "", all, false), written(t, out+"/bucket-*.ndjson"))

	before, err := os.ReadFile(out + "/" + summaryName)
	if err != nil {
		t.Fatal(err)
	}
	code, said = closecapFleet(t, "analyze", "--in", all[0], "--out", out)
	after, err := os.ReadFile(out + "/" + summaryName)
	if code != exitFailed || !strings.Contains(said, "it holds "+out+"/_summary.json already") || err != nil || !bytes.Equal(before, after) {
		t.Errorf("a second job into the same folder: exit code %d, %s, %v", code, said, err)
	}
}

// The interfaces of a point's files count on from one to the next: an ACK without IP ID that two files show is one packet,
// seen on two interfaces.
func TestInterfacesCountOn(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if _, err := gen.Write(&b, gen.Options{Connections: 20, Open: 5, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	capture, from := b.Bytes(), headerSize
	for _, to := range recordEnds(capture) {
		ip := capture[from+recordSize+14 : to]
		if from > len(capture)/2 && ip[33] == 0x10 && int(binary.BigEndian.Uint16(ip[2:])) == 20+int(ip[32]>>4)*4 {
			clear(ip[4:6])
			for name, content := range map[string][]byte{"1": capture[:to], "2": slices.Concat(capture[:headerSize], capture[from:])} {
				if err := os.WriteFile(dir+"/"+name+".pcap", content, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			break
		}
		from = to
	}
	files, out := []string{dir + "/1.pcap", dir + "/2.pcap"}, dir+"/out"
	if code, said := closecapFleet(t, "analyze", "--in", dir+"/*.pcap", "--out", out, "--buckets", "2"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, said)
	}
	same(t, "an ACK in two files", single(t, "", files, false), written(t, out+"/bucket-*.ndjson"))
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	file := host(t, dir, 1, 10, 1)[0]
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"analyze", exitMisused, "analyze: want --in PATTERN"},
		{"join --in x --out y", exitMisused, "join: want --point-from"},
		{"analyze --in x", exitMisused, "analyze: want --out DIR"},
		{"analyze --in x --out y --format csv", exitMisused, "--format csv: want one of ndjson, parquet"},
		{"analyze --in x --out y --runner abacus", exitMisused, "--runner abacus: want one of prism, direct,"},
		{"analyze --in x --out y --buckets 0", exitMisused, "--buckets 0: want 1 to 65536"},
		{"analyze --in x --out y --point-from a", exitMisused, "--point-from a: it has no group"},
		{"analyze --in x --out y --point-from (", exitMisused, "--point-from: error parsing regexp"},
		{"analyze --in x --out y --time-wait 0s", exitMisused, "--time-wait 0s: want a duration longer than 0"},
		{"analyze --in " + dir + "/none* --out y", exitFailed, "no file is named so"},
		{"analyze --in ftp://x --out y", exitFailed, `file system scheme "ftp" not registered`},
		{"analyze --in " + file + " --out y --point-from host=(.*)", exitFailed, "finds no point in its name"},
		{"parquet " + file, exitMisused, "parquet: want -o FILE"},
		{"parquet " + file + " -o " + dir + "/x", exitFailed, "read NDJSON: " + file + ":1: invalid character"},
		{"parquet --nonsense", exitMisused, "unknown flag: --nonsense"},
	} {
		code, said := closecapFleet(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(said, test.want) {
			t.Errorf("closecap-fleet %s = %d, %s, want %d and %q", test.args, code, said, test.code, test.want)
		}
	}
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) != 1 {
		t.Errorf("what is left behind: %q, %v", left, err)
	}
}
