package report

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// readZeek reads a log of Zeek's as its header says that it is to be read: records by field names, without
// those that are unset, and their types.
func readZeek(t *testing.T, text string) (records []map[string]string, types map[string]string) {
	t.Helper()
	separator, unset := "", ""
	var fields []string
	types = map[string]string{}
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if hex, ok := strings.CutPrefix(l, `#separator \x`); ok {
			n, err := strconv.ParseUint(hex, 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			separator = string(rune(n))
			continue
		}
		values := strings.Split(l, separator)
		switch {
		case values[0] == "#unset_field":
			unset = values[1]
		case values[0] == "#fields":
			fields = values[1:]
		case values[0] == "#types":
			for i, kind := range values[1:] {
				types[fields[i]] = kind
			}
		case strings.HasPrefix(l, "#"):
		default:
			if len(values) != len(fields) || len(types) != len(fields) {
				t.Fatalf("%d values, %d types, %d fields: %q", len(values), len(types), len(fields), l)
			}
			record := map[string]string{}
			for i, v := range values {
				if v != unset {
					record[fields[i]] = v
				}
			}
			records = append(records, record)
		}
	}
	return records, types
}

// zeekTypes are what values of Zeek's types look like.
var zeekTypes = map[string]*regexp.Regexp{
	"time": regexp.MustCompile(`^\d+\.\d{6}$`), "interval": regexp.MustCompile(`^\d+\.\d{6}$`), "count": regexp.MustCompile(`^\d+$`),
	"port": regexp.MustCompile(`^\d+$`), "addr": regexp.MustCompile(`^[0-9a-f.:]+$`), "enum": regexp.MustCompile(`^tcp$`),
	"string": regexp.MustCompile(`^[0-9A-Za-z:+/=^]+$`), "bool": regexp.MustCompile(`^[TF]$`), "set[string]": regexp.MustCompile(`^$`),
}

// Both forms of conn.log say what the JSON says.
func TestZeekSaysWhatJSONSays(t *testing.T) {
	n := 0
	for name, r := range recordings(t) {
		records, types := readZeek(t, render(t, Zeek, r, Options{}))
		lines := strings.Split(strings.TrimSpace(render(t, ZeekJSON, r, Options{})), "\n")
		if len(records) != len(r.Connections) || len(records) > 0 && len(lines) != len(records) {
			t.Fatalf("%s: %d records, %d lines, want %d", name, len(records), len(lines), len(r.Connections))
		}
		for i, c := range r.Connections {
			n++
			analyze.Identify(c)
			checkZeek(t, name, records[i], c)
			var o map[string]any
			if err := json.Unmarshal([]byte(lines[i]), &o); err != nil {
				t.Fatal(err)
			}
			if len(o) != len(records[i]) {
				t.Errorf("%s: %d fields in JSON, %d in the log", name, len(o), len(records[i]))
			}
			for field, v := range records[i] {
				kind := types[field]
				if !zeekTypes[kind].MatchString(v) {
					t.Errorf("%s: %s is %q, which is no %s", name, field, v, kind)
				}
				got, want := o[field], any(v)
				switch kind {
				case "time", "interval", "count", "port":
					want, _ = strconv.ParseFloat(v, 64)
				}
				if got != want {
					t.Errorf("%s: %s is %v in JSON, %v in the log", name, field, got, want)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("%d connections, want those of all recordings", n)
	}
}

// checkZeek compares a record with what the JSON says of its connection.
func checkZeek(t *testing.T, name string, record map[string]string, c *analyze.Connection) {
	t.Helper()
	want := map[string]string{
		"uid": c.UID, "community_id": c.CommunityID, "proto": "tcp", "conn_state": c.Compat.ZeekConnState, "history": c.Compat.ZeekHistory,
		"id.orig_h": c.Client.Addr().String(), "id.orig_p": fmt.Sprint(c.Client.Port()),
		"id.resp_h": c.Server.Addr().String(), "id.resp_p": fmt.Sprint(c.Server.Port()),
		"orig_pkts": fmt.Sprint(c.Packets.Client), "resp_pkts": fmt.Sprint(c.Packets.Server),
		"missed_bytes": fmt.Sprint(c.LostBytes().Missing),
	}
	if c.End > c.Start {
		want["orig_bytes"], want["resp_bytes"] = fmt.Sprint(c.Bytes.Client), fmt.Sprint(c.Bytes.Server)
		if d, err := strconv.ParseFloat(record["duration"], 64); err != nil || math.Abs(d*1e9-float64(c.End-c.Start)) > 501 {
			t.Errorf("%s: duration %q, want %d ns", name, record["duration"], c.End-c.Start)
		}
	}
	if ts, err := strconv.ParseFloat(record["ts"], 64); err != nil || math.Abs(ts-float64(c.Start)/1e9) > 2e-6 {
		t.Errorf("%s: ts %q, want %d ns", name, record["ts"], c.Start)
	}
	for field, v := range want {
		if record[field] != v {
			t.Errorf("%s: %s is %q, want %q", name, field, record[field], v)
		}
	}
	others := 1 // ts
	if c.End > c.Start {
		others++ // duration
	}
	if len(record) != len(want)+others {
		t.Errorf("%s: fields %v", name, record)
	}
}

// A log without a connection has its heading, so that it can be read.
func TestZeekOfNothing(t *testing.T) {
	records, types := readZeek(t, render(t, Zeek, &analyze.Result{}, Options{}))
	if len(records) != 0 || types["id.orig_h"] != "addr" {
		t.Errorf("%d records, types %v", len(records), types)
	}
}
