package pcaps_test

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

// FuzzRecordingReport reads a recording, of which one value of one entry was replaced, and writes
// the report in every format: none may fail, and none may let through what acts on a terminal
// or a page.
func FuzzRecordingReport(f *testing.F) {
	values := []string{
		`-1`, `0`, `9223372036854775807`, `-9223372036854775808`, `1e99`, `null`, `[]`, `{}`, `""`, `[{}]`, `{"a":1}`,
		`"\u001b]0;owned\u0007"`, `"<zz onload=x>"`, `"\u202e\u0000"`, `"0001-01-01T00:00:00Z"`, `"client"`, `[null]`,
	}
	for i, name := range pcaps.Names() {
		b, err := pcaps.Recording(name)
		if err != nil {
			f.Fatal(err)
		}
		for j, v := range values {
			f.Add(b, uint16(i+j), uint16(3*i+j), v)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, entry, field uint16, value string) {
		if len(b) > 1<<18 {
			t.Skip("too large to draw in every format")
		}
		reportAll(t, editEntry(b, int(entry), int(field), value), int(field)%200)
	})
}

func reportAll(t *testing.T, b []byte, width int) {
	r := pcapfile.NewReader(bytes.NewReader(b), "fuzz", pcapfile.Options{})
	defer r.Close()
	rec, err := intake.ReadRecording(t.Context(), r)
	var fe *pcapfile.FileError
	if err != nil && !errors.As(err, &fe) {
		t.Errorf("read: %v names no place", err)
	}
	res := join.Join(rec, analyze.Options{})
	for _, err := range analyze.Validate(res) {
		t.Error(err)
	}
	for _, format := range report.Formats() {
		var out bytes.Buffer
		if err := report.Write(&out, format, res, report.Options{Box: true, Width: width}); err != nil {
			t.Errorf("write %s: %v", format, err)
		}
		harmless(t, format, out.String())
	}
}

// harmless reports what in a report could act on who shows it, or is not in its format.
func harmless(t *testing.T, format report.Format, out string) {
	t.Helper()
	for i, r := range out {
		_, n := utf8.DecodeRuneInString(out[i:])
		if r == '\n' || r == '\t' && (format == report.HTML || format == report.Zeek) || n > 1 && unicode.IsPrint(r) || n == 1 && r >= ' ' && r < 0x7f || r == '\u00a0' {
			continue
		}
		t.Errorf("%s: %U at byte %d: %.80q", format, r, i, out[max(0, i-40):])
		return
	}
	var err error
	switch format {
	case report.JSON:
		var v any
		err = json.Unmarshal([]byte(out), &v)
	case report.NDJSON:
		for line := range strings.Lines(out) {
			var v any
			err = errors.Join(err, json.Unmarshal([]byte(line), &v))
		}
	case report.CSV:
		_, err = csv.NewReader(strings.NewReader(out)).ReadAll()
	case report.SVG:
		d := xml.NewDecoder(strings.NewReader(out))
		for err == nil {
			_, err = d.Token()
		}
		if err == io.EOF {
			err = nil
		}
	}
	if err != nil {
		t.Errorf("%s: %v", format, err)
	}
	if (format == report.SVG || format == report.HTML || format == report.Markdown) && strings.Contains(out, "<zz") {
		t.Errorf("%s holds a tag of the recording's", format)
	}
}

// editEntry replaces one value of one of closecap's journal entries: text that is JSON as it is,
// other text as a string. What it does not understand it leaves.
func editEntry(file []byte, entry, field int, value string) []byte {
	if !json.Valid([]byte(value)) {
		quoted, _ := json.Marshal(value)
		value = string(quoted)
	}
	var entries []int // where they begin
	for at := 0; at+12 <= len(file); {
		size := int(binary.LittleEndian.Uint32(file[at+4:]))
		if size < 12 || size > len(file)-at {
			break
		}
		if binary.LittleEndian.Uint32(file[at:]) == 9 && bytes.Contains(file[at:at+size], []byte("\nCLOSECAP_")) {
			entries = append(entries, at)
		}
		at += size
	}
	if len(entries) == 0 {
		return file
	}
	at := entries[entry%len(entries)]
	size := int(binary.LittleEndian.Uint32(file[at+4:]))
	body := file[at+8 : at+size-4]
	head, line, found := bytes.Cut(body, []byte("\nCLOSECAP_"))
	key, line, isText := bytes.Cut(line, []byte("="))
	text, _, _ := bytes.Cut(line, []byte("\n"))
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var tree any
	if !found || !isText || d.Decode(&tree) != nil {
		return file
	}
	n := field % countValues(tree)
	text, err := json.Marshal(replaceValue(tree, &n, json.RawMessage(value)))
	if err != nil {
		return file
	}
	body = slices.Concat(head, []byte("\nCLOSECAP_"), key, []byte("="), text, []byte("\n\n"))
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	block := binary.LittleEndian.AppendUint32(nil, 9)
	block = binary.LittleEndian.AppendUint32(block, uint32(len(body)+12))
	block = binary.LittleEndian.AppendUint32(append(block, body...), uint32(len(body)+12))
	return slices.Concat(file[:at], block, file[at+size:])
}

func countValues(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			n += countValues(x)
		}
	case []any:
		for _, x := range v {
			n += countValues(x)
		}
	}
	return n
}

// replaceValue puts with in the place of value number n, in the order of the keys.
func replaceValue(v any, n *int, with any) any {
	if *n--; *n == -1 {
		return with
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = replaceValue(v[key], n, with)
		}
	case []any:
		for i := range v {
			v[i] = replaceValue(v[i], n, with)
		}
	}
	return v
}
