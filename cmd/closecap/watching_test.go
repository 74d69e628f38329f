package main

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

// hostileComm is a process name that would drive a terminal and break lines of other formats.
const hostileComm = "a\x1b\x7f\u009b\u202e\"\\\nb"

func endedBy(comm string, ending analyze.Ending) *endings.Connection {
	c := &endings.Connection{Tasks: endings.Tasks{Closer: &event.Task{PID: 3, Comm: comm}}}
	c.Ending, c.Closer = ending, analyze.Client
	return c
}

// sample is a line of Prometheus's text format (version 0.0.4): a name, labels, a number.
var (
	sample      = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\d+)$`)
	aboutMetric = regexp.MustCompile(`^# (HELP|TYPE) (\w+) (.+)$`)
)

// scrape reads what --metrics serves, and holds it to the format.
func scrape(t *testing.T, url string) map[string]int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if kind := res.Header.Get("Content-Type"); err != nil || res.StatusCode != http.StatusOK || kind != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%s: %v, %s, %s", url, err, res.Status, kind)
	}
	values, types, helps := map[string]int{}, map[string]string{}, map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			t.Errorf("the last line does not end: %q", line)
		}
		line = strings.TrimSuffix(line, "\n")
		if m := aboutMetric.FindStringSubmatch(line); m != nil {
			if m[1] == "TYPE" {
				types[m[2]] = m[3]
			}
			helps[m[2]] = helps[m[2]] || m[1] == "HELP"
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no line of the format: %q", line)
		}
		if types[m[1]] != "counter" || !helps[m[1]] || !strings.HasSuffix(m[1], "_total") {
			t.Errorf("%s: type %q, help %v, want a counter that was announced", m[1], types[m[1]], helps[m[1]])
		}
		key := m[1] + "{" + m[2] + "}"
		if _, twice := values[key]; twice {
			t.Errorf("%s stands twice", key)
		}
		if values[key], err = strconv.Atoi(m[3]); err != nil {
			t.Error(err)
		}
	}
	return values
}

// TestWatchMetrics scrapes the counters over HTTP while connections end.
func TestWatchMetrics(t *testing.T) {
	w := newWatching(&watchFlags{metrics: "127.0.0.1:0", format: "csv"}, streams{out: io.Discard, err: io.Discard})
	if err := w.serve(); err != nil {
		t.Fatal(err)
	}
	url := "http://" + w.server.Addr
	lost := map[string]int{}
	for _, reason := range []string{"damaged", "no_memory", "recursion", "ring_full", "untold"} {
		lost[`closecap_lost_events_total{reason="`+reason+`"}`] = 0
	}
	want := map[string]int{"closecap_lost_bytes_total{}": 0}
	check := func() {
		t.Helper()
		for k, v := range lost {
			want[k] = v
		}
		if d := cmp.Diff(want, scrape(t, url+"/metrics")); d != "" {
			t.Errorf("want -, got +\n%s", d)
		}
	}
	check()
	cs := []*endings.Connection{endedBy("curl", analyze.Graceful), endedBy("curl", analyze.Graceful), endedBy(hostileComm, analyze.WasReset)}
	cs[2].Reset = &analyze.Reset{By: analyze.Client, Cause: analyze.UnreadData, Lost: analyze.Lost{Unread: 7}}
	if err := w.show(cs, 0); err != nil {
		t.Fatal(err)
	}
	want["closecap_lost_bytes_total{}"] = 7
	want[`closecap_connections_ended_total{ending="graceful",cause="",closer="client",process="curl"}`] = 2
	want[`closecap_connections_ended_total{ending="reset",cause="unread-data",closer="client",process="a\\x1b\\x7f\\u009b\\u202e\"\\\\nb"}`] = 1
	check()
	res, err := http.Get(url + "/other")
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("/other: %v, %v, want 404", res, err)
	}
	res.Body.Close()
	w.stopServing()
	if _, err := http.Get(url + "/metrics"); err == nil {
		t.Error("it serves on after it was stopped")
	}
}

// TestWatchEscapes holds the line formats to bytes that a terminal does not take for orders.
func TestWatchEscapes(t *testing.T) {
	for _, format := range []string{"table", "csv", "ndjson"} {
		var out bytes.Buffer
		w := newWatching(&watchFlags{format: format}, streams{out: &out, err: io.Discard})
		if err := w.line(endedBy(hostileComm, analyze.Graceful), 0); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 || bytes.ContainsAny(out.Bytes(), "\x1b\x7f\u009b\u202e") {
			t.Errorf("--format %s: %q", format, out.String())
		}
	}
}
