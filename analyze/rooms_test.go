package analyze

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "github.com/closecap/closecap/analyze"

// rooms are the packages here in order: each imports only those before it.
var rooms = []string{
	"seqnum", "event", ".", "suggest", "terminal", "expect", "tcp", "flows/prefetch", "words", "verdict", "compat", "flows", "partial", "points", "endings", "sockets",
	"join", "compare", "diff", "explain", "report/encode", "report",
}

// TestRooms holds the order of the packages, and what they import of others: nothing that reads files, a
// network or the environment. report has libraries besides.
func TestRooms(t *testing.T) {
	allowed := []string{
		"bytes", "cmp", "crypto/sha1", "embed", "encoding/base64", "encoding/binary", "encoding/json", "errors", "fmt", "hash/crc32", "hash/maphash", "iter", "maps", "math",
		"math/bits", "math/rand/v2", "net/netip", "path", "slices", "sort", "strconv", "strings", "sync", "time",
		"unicode", "unicode/utf16", "unicode/utf8", "github.com/agnivade/levenshtein", "golang.org/x/net/http2/hpack",
	}
	outside := []string{"os", "os/exec", "os/user", "net", "net/http", "syscall", "golang.org/x/sys/unix", "io/fs", "path/filepath"}
	for at, room := range rooms {
		pkg, err := build.ImportDir(room, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range pkg.Imports {
			own := path == root || strings.HasPrefix(path, root+"/")
			switch name, _ := filepath.Rel(root, path); {
			case own && !slices.Contains(rooms[:at], name):
				t.Errorf("%s imports %s, which does not stand before it", room, name)
			case own:
			case room == "report" && !slices.Contains(outside, path):
			case !slices.Contains(allowed, path):
				t.Errorf("%s imports %q", room, path)
			}
		}
	}
	for _, dir := range packages(t) {
		if !slices.Contains(rooms, dir) && !testsOnly(t, dir) {
			t.Errorf("%s is not among the rooms", dir)
		}
	}
}

// TestClock holds the packages to times that they are given.
func TestClock(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, room := range rooms {
		files, err := filepath.Glob(room + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", room, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(clock, s.Sel.Name) {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
						t.Errorf("%s: time.%s", set.Position(n.Pos()), s.Sel.Name)
					}
				}
				return true
			})
		}
	}
}

// testsOnly reports whether a directory holds no code but tests, which may import what they like.
func testsOnly(t *testing.T, dir string) bool {
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	return !slices.ContainsFunc(files, func(file string) bool { return !strings.HasSuffix(file, "_test.go") })
}

// packages are the directories below this one that hold Go files.
func packages(t *testing.T) (dirs []string) {
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if dir := filepath.Dir(path); err == nil && strings.HasSuffix(path, ".go") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err != nil || len(dirs) < len(rooms) {
		t.Fatalf("%d packages, want %d: %v", len(dirs), len(rooms), err)
	}
	return dirs
}

// What a file and a function may take, in lines.
const (
	maxFile     = 400
	maxFunction = 60
)

// TestSizes holds files and functions to what can be read at once; a test may be a long table.
func TestSizes(t *testing.T) {
	for _, dir := range packages(t) {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if n := set.Position(f.FileEnd).Line; n > maxFile+1 {
				t.Errorf("%s has %d lines", file, n)
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if n := set.Position(d.End()).Line - set.Position(d.Pos()).Line + 1; ok && n > maxFunction {
					t.Errorf("%s: %s has %d lines", file, fn.Name.Name, n)
				}
			}
		}
	}
}
