// Package doc_test holds the pages in here to the code that they speak of.
package doc_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/compare"
	"github.com/closecap/closecap/analyze/diff"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/expect"
	"github.com/closecap/closecap/analyze/sockets"
)

var update = flag.Bool("update", false, "rewrite schema.json")

const module = "github.com/closecap/closecap/"

// written are the types of whole documents and lines.
var written = []reflect.Type{reflect.TypeFor[analyze.Result](), reflect.TypeFor[analyze.Catalogue](), reflect.TypeFor[compare.Comparison](), reflect.TypeFor[sockets.Listing](), reflect.TypeFor[expect.Checked](),
	reflect.TypeFor[diff.Difference](), reflect.TypeFor[endings.Connection]()}

// called are the names of types whose own name another one has.
var called = map[reflect.Type]string{reflect.TypeFor[endings.Connection](): "Ended"}

// within are the objects that have all fields of another: json.md names those there.
var within = map[string]string{"Ended": "Connection"}

// first returns a, or b where that is empty.
func first(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func nameOf(typ reflect.Type) string { return first(called[typ], typ.Name()) }

// field is one of a JSON object.
type field struct {
	name, kind string // kind is its type as json.md writes it
	optional   bool
	schema     map[string]any
}

// types are all objects and codes that documents are made of, by name.
type types struct {
	objects map[string][]field
	codes   map[string][]string
	named   map[string]reflect.Type
}

func (ts *types) object(t *testing.T, typ reflect.Type) {
	name := nameOf(typ)
	if other := ts.named[name]; other != nil {
		if other != typ {
			t.Fatalf("%s and %s would be one object in json.md", other, typ)
		}
		return
	}
	ts.named[name] = typ
	ts.objects[name] = ts.fields(t, typ)
}

func (ts *types) fields(t *testing.T, typ reflect.Type) (list []field) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			embedded := f.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			list = append(list, ts.fields(t, embedded)...)
			continue
		case name == "-" || !f.IsExported():
			continue
		case name == "":
			t.Errorf("%s.%s has no name in JSON", typ, f.Name)
		}
		kind, schema := ts.kind(t, f.Type)
		optional := strings.HasPrefix(options, "omit")
		if f.Type.Kind() == reflect.Pointer && !optional {
			schema = map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
		}
		list = append(list, field{name, kind, optional, schema})
	}
	return list
}

var text = reflect.TypeFor[encoding.TextMarshaler]()

// kind returns how json.md and JSON Schema write a type.
func (ts *types) kind(t *testing.T, typ reflect.Type) (string, map[string]any) {
	ref := func() (string, map[string]any) { return nameOf(typ), map[string]any{"$ref": "#/$defs/" + nameOf(typ)} }
	switch typ {
	case reflect.TypeFor[event.Time]():
		return "time", map[string]any{"type": "string", "anyOf": []any{map[string]any{"format": "date-time"}, map[string]any{"const": ""}}}
	case reflect.TypeFor[netip.AddrPort](), reflect.TypeFor[netip.Addr]():
		return "address", map[string]any{"type": "string"}
	case reflect.TypeFor[event.TCPState]():
		ts.codes[typ.Name()] = stateNames(t)
		return ref()
	}
	switch typ.Kind() {
	case reflect.Struct:
		ts.object(t, typ)
		return ref()
	case reflect.Pointer:
		return ts.kind(t, typ.Elem())
	case reflect.Slice, reflect.Array:
		kind, schema := ts.kind(t, typ.Elem())
		return "list of " + kind, map[string]any{"type": "array", "items": schema}
	case reflect.Map:
		kind, schema := ts.kind(t, typ.Elem())
		return "object of " + kind, map[string]any{"type": "object", "additionalProperties": schema}
	case reflect.Float64:
		return "number", map[string]any{"type": "number"}
	case reflect.Bool:
		return "boolean", map[string]any{"type": "boolean"}
	case reflect.String:
		if typ.PkgPath() != "" {
			ts.codes[typ.Name()] = constants(t, typ)
			return ref()
		}
		return "string", map[string]any{"type": "string"}
	case reflect.Int, reflect.Int64:
		return "integer", map[string]any{"type": "integer"}
	case reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		if !typ.Implements(text) {
			return "integer", map[string]any{"type": "integer", "minimum": 0}
		}
	}
	t.Fatalf("%s has no kind in JSON yet", typ)
	return "", nil
}

func stateNames(t *testing.T) (names []string) {
	for i := range 256 {
		state := event.TCPState(i)
		b, err := json.Marshal(state)
		var back event.TCPState
		if err == nil && json.Unmarshal(b, &back) == nil && back == state && !slices.Contains(names, state.String()) {
			names = append(names, state.String())
		}
	}
	if len(names) < 10 {
		t.Fatalf("the kernel's states are %q", names)
	}
	return names
}

// constants returns the values of the constants of a type, as its package declares them.
func constants(t *testing.T, typ reflect.Type) (values []string) {
	files, err := filepath.Glob(filepath.Join("..", strings.TrimPrefix(typ.PkgPath(), module), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the package of %s: %v", typ, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == typ.Name() {
				for _, v := range spec.Values {
					if lit, ok := v.(*ast.BasicLit); ok {
						value, _ := strconv.Unquote(lit.Value)
						values = append(values, value)
					}
				}
			}
			return true
		})
	}
	if len(values) == 0 {
		t.Errorf("%s has no constants", typ)
	}
	return values
}

func allTypes(t *testing.T) *types {
	ts := &types{objects: map[string][]field{}, codes: map[string][]string{}, named: map[string]reflect.Type{}}
	for _, typ := range written {
		ts.object(t, typ)
	}
	return ts
}

// row is one of json.md's tables: its first cells, and the text behind them.
var row = regexp.MustCompile("^\\| `([^`]*)` \\|(?: ([^|]+) \\|)? ([^|]+) \\|$")

// meanings reads json.md: for each section its rows as "field, type", and what they mean.
func meanings(t *testing.T) (rows map[string][]string, meaning map[string]string) {
	page, err := os.ReadFile("json.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, meaning = map[string][]string{}, map[string]string{}
	section := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "### "); ok {
			section = name
		}
		if m := row.FindStringSubmatch(line); m != nil {
			name := strings.Trim(m[1], `"`) // the empty code is written ""
			rows[section] = append(rows[section], strings.TrimSuffix(name+", "+m[2], ", "))
			meaning[section+"."+name] = m[3]
		}
	}
	return rows, meaning
}

// TestFields holds json.md to the types: every field in its order, and none besides.
func TestFields(t *testing.T) {
	ts := allTypes(t)
	got, _ := meanings(t)
	want := map[string][]string{}
	for name, fields := range ts.objects {
		for _, f := range fields {
			if slices.ContainsFunc(ts.objects[within[name]], func(there field) bool { return there.name == f.name }) {
				continue
			}
			kind := f.kind
			if f.optional {
				kind += ", optional"
			}
			want[name] = append(want[name], f.name+", "+kind)
		}
	}
	for name, codes := range ts.codes {
		want[name] = codes
	}
	delete(got, "Columns of watch's CSV")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("json.md (-types +page):\n%s", diff)
	}
}

// schema writes the types as JSON Schema, each property with its meaning.
func schema(t *testing.T, strict bool) []byte {
	ts := allTypes(t)
	_, meaning := meanings(t)
	defs := map[string]any{}
	for name, fields := range ts.objects {
		properties, required := map[string]any{}, []string{}
		for _, f := range fields {
			f.schema["description"] = first(meaning[name+"."+f.name], meaning[within[name]+"."+f.name])
			properties[f.name] = f.schema
			if !f.optional {
				required = append(required, f.name)
			}
		}
		def := map[string]any{"type": "object", "properties": properties, "required": required}
		if strict {
			def["additionalProperties"] = false
		}
		defs[name] = def
	}
	for name, codes := range ts.codes {
		defs[name] = map[string]any{"type": "string", "enum": codes}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   fmt.Sprintf("closecap --format json, schema %d", analyze.Schema),
		"$ref":    "#/$defs/Result",
		"$defs":   defs,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSchema holds schema.json to the types and to json.md.
func TestSchema(t *testing.T) {
	want := schema(t, false)
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("schema.json is not what the types say: make schema\n%s", diff)
	}
}

// compiled returns one of the documents of the schema, which then allows no other fields.
func compiled(t *testing.T, which string) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema(t, true)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile(which)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRecordingsFollowTheSchema validates what closecap writes of each recording, and that no field
// is in it which the types don't have.
func TestRecordingsFollowTheSchema(t *testing.T) {
	whole := compiled(t, "schema.json")
	names, err := filepath.Glob("../pcaps/*.json")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d recordings' analyses, %v", len(names), err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := whole.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
