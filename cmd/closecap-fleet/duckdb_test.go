package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// duckdb prepares DuckDB with statements, and writes the rows of each query, as JSON, as an element of a list.
const duckdb = `
import { createRequire } from 'node:module';
const { DuckDBInstance } = createRequire(process.argv[2] + '/')('@duckdb/node-api');
const connection = await (await DuckDBInstance.create(':memory:')).connect();
const { prepare, queries } = JSON.parse(process.argv[3]);
for (const sql of prepare) await connection.run(sql);
const all = [];
for (const sql of queries) {
  const rows = await connection.runAndReadAll(sql).catch(e => { throw new Error(sql + ': ' + e.message) });
  all.push(rows.getRowsJson().map(row => JSON.stringify(row)).join('\n'));
}
console.log(JSON.stringify(all));`

// answers returns what DuckDB says to each query, a row a line.
func answers(t *testing.T, dir string, prepare []string, queries ...string) (all []string) {
	t.Helper()
	root, err := filepath.Abs("../../bin/duckdb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root + "/node_modules/@duckdb"); errors.Is(err, os.ErrNotExist) {
		if os.Getenv("CLOSECAP_NO_SKIP") != "" {
			t.Fatal("no DuckDB: make fleet installs it")
		}
		t.Skip("no DuckDB: make fleet installs it")
	}
	script := filepath.Join(dir, "duckdb.mjs")
	if err := os.WriteFile(script, []byte(duckdb), 0o666); err != nil {
		t.Fatal(err)
	}
	args, err := json.Marshal(map[string][]string{"prepare": prepare, "queries": queries})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script, root, string(args))
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("DuckDB: %v: %s", err, said.String())
	}
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(queries) {
		t.Fatalf("%d answers to %d queries: %v", len(all), len(queries), err)
	}
	return all
}

var sqlBlock = regexp.MustCompile("(?ms)^```sql\n(.*?)^```")

// Each query of the page says something, and the same of NDJSON as of Parquet.
func TestQueriesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../doc/fleets.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range sqlBlock.FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) != 8 {
		t.Fatalf("%d blocks of SQL, want two of tables and six queries", len(blocks))
	}
	dir := captured(t)
	macro, view, ok := strings.Cut(blocks[0], ";\n")
	if !ok {
		t.Fatal("the first block is no macro and a view")
	}
	ndjson, parquet := []string{macro, view}, []string{blocks[1]}
	for _, format := range formats {
		code, said := closecapFleet(t, "analyze", "--in", dir+"/in/*/*", "--point-from", "in/([^/]*)/", "--out", dir+"/endings",
			"--format", format, "--buckets", "2")
		if code != exitDone {
			t.Fatalf("exit code %d: %s", code, said)
		}
		if err := os.Rename(dir+"/endings", dir+"/"+format); err != nil {
			t.Fatal(err)
		}
	}
	for i := range ndjson {
		ndjson[i] = strings.ReplaceAll(ndjson[i], "'endings/", "'ndjson/")
	}
	parquet[0] = strings.ReplaceAll(parquet[0], "'endings/", "'parquet/")
	pageQueries := blocks[2:]
	of, other := answers(t, dir, ndjson, pageQueries...), answers(t, dir, parquet, pageQueries...)
	for i, q := range pageQueries {
		if of[i] == "" {
			t.Errorf("no answer to\n%s", q)
		}
		if diff := cmp.Diff(of[i], other[i]); diff != "" {
			t.Errorf("%s\n(-NDJSON +Parquet):\n%s", q, diff)
		}
		t.Logf("%.60s...\n%s", q, of[i])
	}
	columns(t, dir, ndjson, parquet)
}

// columns holds each column that the page names to itself in the other format.
func columns(t *testing.T, dir string, ndjson, parquet []string) {
	names := answers(t, dir, ndjson, "SELECT column_name FROM (DESCRIBE connections)")[0]
	all := strings.Fields(strings.NewReplacer(`["`, "", `"]`, "").Replace(names))
	if len(all) < 25 {
		t.Fatalf("columns %q", all)
	}
	var queries []string
	for _, name := range all {
		value := `"` + name + `"`
		switch name {
		case "segments": // Parquet has more fields of each
			value = `list_transform(segments, lambda s: (s.frame, s.time, s."from", s.flags, s.len, s.kind))`
		case "vantages":
			value = `list_transform(vantages, lambda v: (v.point, v.client, v.server, v.packets))`
		case "time_wait":
			value = `list_transform(coalesce(time_wait, []), lambda w: (w.holder, w.since, w."until", w.rearmed, w.ended_by))`
		case "why", "warnings": // a list that the JSON leaves out is empty
			value = `coalesce(` + name + `, [])`
		case "reset":
			value = `(reset."by", reset.frame, reset.cause, reset.confidence, reset."trigger", reset.why, reset.lost.unread, reset.lost.may_be)`
		case "lost":
			value = `(lost.unacked, lost.unread, lost.after_close, lost.missing, lost."from")`
		}
		queries = append(queries, "SELECT uid, vantages[1].point, "+value+" AS v FROM connections ORDER BY uid, vantages[1].point")
	}
	of, other := answers(t, dir, ndjson, queries...), answers(t, dir, parquet, queries...)
	for i, name := range all {
		if diff := cmp.Diff(of[i], other[i]); diff != "" {
			t.Errorf("column %s (-NDJSON +Parquet):\n%.2000s", name, diff)
		}
	}
}

// captured are the scenarios' recordings, each a point, and one of them at a second point.
func captured(t *testing.T) string {
	dir := t.TempDir()
	files, err := filepath.Glob("../../pcaps/*.pcapng")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		points := []string{strings.TrimSuffix(filepath.Base(file), ".pcapng")}
		if i == 0 {
			points = append(points, points[0]+"-seen-again")
		}
		for _, point := range points {
			if err := os.MkdirAll(dir+"/in/"+point, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/in/"+point+"/1.pcapng", b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}
