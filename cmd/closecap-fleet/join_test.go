package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/pcapfile"
)

// joined is what is said of a connection, but for frames, which number the packets of those joined together; of one
// that goes on with another's numbers, which a join does not tell, only what the points saw of its packets.
func joined(c *analyze.Connection, translated bool) string {
	var b strings.Builder
	fmt.Fprint(&b, c.Client, c.Server, c.Start, c.End, c.Packets, c.Bytes)
	if !translated {
		fmt.Fprint(&b, c.Ending, c.Closer, c.CloserSure, c.Confidence)
	}
	for _, v := range c.Vantages {
		fmt.Fprint(&b, " at ", v.Point, v.Client, v.Server, v.Packets)
	}
	if r := c.Reset; r != nil && !translated {
		fmt.Fprint(&b, " reset ", r.By, r.Cause, r.Confidence, r.Lost)
	}
	if c.Path != nil {
		for _, o := range c.Path.Lost {
			fmt.Fprint(&b, " lost ", o.From, o.Flags, o.Bytes, o.Seen, o.Missing)
		}
		for _, o := range c.Path.Made {
			fmt.Fprint(&b, " made ", o.From, o.Flags, o.Bytes, o.Seen, o.Missing, o.Why)
		}
	}
	for _, s := range c.Segments {
		fmt.Fprint(&b, " ", s.From, s.FlagText, s.Seq, s.Ack, s.Len, s.Lost != "", s.Seen)
	}
	return b.String()
}

// named tells connections apart, whatever is said of them.
func named(c *analyze.Connection) string { return fmt.Sprint(c.Client, c.Server, c.Start) }

// byPoints is what closecap analyze --point says, and of which connections it says that they go on with others' numbers.
func byPoints(t *testing.T, files map[string]string) (all []string, translated map[string]bool) {
	t.Helper()
	var from []closecap.Point
	for _, name := range []string{"client", "router", "server", "again"} {
		if files[name] == "" {
			continue
		}
		r, err := pcapfile.Open([]string{files[name]}, nil, pcapfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		from = append(from, closecap.Point{Name: name, Source: r, Sides: name == "router"})
	}
	slices.SortFunc(from, func(a, b closecap.Point) int { return strings.Compare(a.Name, b.Name) })
	opt := closecap.Options{}
	opt.AllSegments = true
	translated = map[string]bool{}
	for c, err := range closecap.NewPoints(from, opt).Connections(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Remapped != nil {
			translated[named(c)] = true
		}
		all = append(all, joined(c, c.Remapped != nil))
	}
	slices.Sort(all)
	return all, translated
}

// without leaves out one of the packets with payload of a capture, the n-th.
func without(capture []byte, n int) []byte {
	from := headerSize
	for _, to := range recordEnds(capture) {
		if to-from-recordSize > 80 {
			if n--; n < 0 {
				return slices.Concat(capture[:from], capture[to:])
			}
		}
		from = to
	}
	return nil
}

// dropping is a capture that says it lost packets.
func dropping(t *testing.T, capture []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	run := &event.Run{Dropped: 3}
	w, err := pcapfile.NewWriter(&b, run, pcapfile.Interface{})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range pcapfile.NewReader(bytes.NewReader(capture), "", pcapfile.Options{}).Records(t.Context()) {
		if err == nil {
			err = w.Packet(&rec.Packet)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(run, nil, ""); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Whatever the buckets, a join says what closecap analyze --point says in one process, address translation,
// clocks 3 s apart and a router's two sides included.
func TestJoin(t *testing.T) {
	const captures = "../closecap/testdata/points/"
	dir := t.TempDir()
	change := map[string]func([]byte) []byte{
		"holed": func(b []byte) []byte { return without(b, 1) },
		"drops": func(b []byte) []byte { return dropping(t, b) },
	}
	put := func(set string, files map[string]string) (pattern string, paths map[string]string) {
		paths = map[string]string{}
		for point, file := range files {
			b, err := os.ReadFile(captures + file)
			if err != nil {
				t.Fatal(err)
			}
			if point == "server" && change[set] != nil {
				b = change[set](b)
			}
			paths[point] = filepath.Join(dir, set, "host="+point, file)
			if err := os.MkdirAll(filepath.Dir(paths[point]), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(paths[point], b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(dir, set, "host=*/*"), paths
	}
	for set, files := range map[string]map[string]string{
		"two":   {"client": "client.pcap", "server": "server.pcap"},
		"three": {"client": "client.pcap", "router": "router-any.pcap", "server": "server.pcap"},
		"same":  {"client": "client.pcap", "again": "client.pcap"},
		// What a point missed, said it lost, or saw under other addresses, counts in every share.
		"holed":  {"client": "client.pcap", "server": "server.pcap"},
		"drops":  {"client": "client.pcap", "server": "server.pcap"},
		"forgot": {"client": "forgot-client.pcap", "server": "forgot-server.pcap"},
	} {
		pattern, paths := put(set, files)
		want, translated := byPoints(t, paths)
		if (len(translated) == 0) != (set != "forgot") {
			t.Errorf("%s: connections that go on with others' numbers: %v", set, translated)
		}
		for _, buckets := range []int{1, 5} {
			out := fmt.Sprintf("%s/out-%s-%d", dir, set, buckets)
			code, said := closecapFleet(t, "join", "--in", pattern, "--point-from", "host=([^/]+)", "--router", "router", "--out", out,
				"--buckets", fmt.Sprint(buckets), "--all-segments")
			if code != exitDone {
				t.Fatalf("%s: exit code %d: %s", set, code, said)
			}
			var got []string
			made := 0
			for _, line := range written(t, out+"/bucket-*.ndjson") {
				var c analyze.Connection
				if err := json.Unmarshal([]byte(line), &c); err != nil {
					t.Fatal(err)
				}
				if c.Path != nil {
					made += len(c.Path.Made)
				}
				if c.Remapped != nil {
					t.Errorf("%s, %d buckets: %v goes on with another's numbers: not told whatever the buckets", set, buckets, c.Client)
				}
				if c.FirstFile == "" || c.UID == "" {
					t.Errorf("%s: a connection without uid %q or first file %q", set, c.UID, c.FirstFile)
				}
				got = append(got, joined(&c, translated[named(&c)]))
			}
			slices.Sort(got)
			same(t, fmt.Sprintf("%s, %d buckets", set, buckets), want, got)
			if (made == 0) != (set == "same") && change[set] == nil {
				t.Errorf("%s: %d packets were made on the way", set, made)
			}
		}
	}
}
