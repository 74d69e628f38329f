package doc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// declared are the names of the module's packages: "analyze.Judge", "report.Stream.Finish".
type declared struct{ packages, names map[string]bool }

func declarations(t *testing.T) declared {
	d := declared{map[string]bool{}, map[string]bool{}}
	roots, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range append(roots, "../analyze", "../capture", "../cmd", "../pcaps") {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err == nil {
				d.add(file)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *declared) add(file *ast.File) {
	pkg := file.Name.Name + "."
	d.packages[file.Name.Name] = true
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			d.names[pkg+receiver(decl)+decl.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					d.names[pkg+spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						d.names[pkg+name.Name] = true
					}
				}
			}
		}
	}
}

// receiver returns "Type." for a method, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	name, ok := typ.(*ast.Ident)
	if !ok {
		return ""
	}
	return name.Name + "."
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	quoted  = regexp.MustCompile("`([^`\n]+)`")
	aPath   = regexp.MustCompile(`^(?:analyze|capture|cmd|pcaps|doc|\.ci|\.github)(?:/[\w.*-]+)*/?$|^[\w./-]+\.(?:go|md)$`)
	aName   = regexp.MustCompile(`^([a-z]+)\.\w+(?:\.\w+)?(?:\(\))?$`)
	aTarget = regexp.MustCompile(`\bmake ([a-z]+)\b`)
	aLink   = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	aRoom   = regexp.MustCompile(`(?m)^( *)([\w/.-]+/)  `)
)

// TestPagesNameWhatExists holds every path, name of the code, link and make target in the pages to
// the tree.
func TestPagesNameWhatExists(t *testing.T) {
	d := declarations(t)
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("*.md")
	top, topErr := filepath.Glob("../*.md")
	if err != nil || topErr != nil || len(pages) < 3 || len(top) < 4 {
		t.Fatalf("pages %q and %q", pages, top)
	}
	checked := 0
	for _, page := range append(pages, top...) {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		exists := func(path string) {
			checked++
			if found, err := filepath.Glob(path); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", page, path)
			}
		}
		text := fenced.ReplaceAllString(string(b), "")
		for _, m := range aLink.FindAllStringSubmatch(text, -1) {
			exists(filepath.Join(filepath.Dir(page), m[1]))
		}
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			name := aName.FindStringSubmatch(m[1])
			switch {
			case aPath.MatchString(m[1]):
				exists(filepath.Join("..", m[1]))
			case m[1] == "tcp.completeness": // a field of Wireshark's
			case name != nil && d.packages[name[1]]:
				checked++
				if !d.names[strings.TrimSuffix(m[1], "()")] {
					t.Errorf("%s names %s, which is not declared", page, m[1])
				}
			}
			for _, target := range aTarget.FindAllStringSubmatch(m[1], -1) {
				checked++
				if !regexp.MustCompile(`(?m)^` + target[1] + `:`).Match(makefile) {
					t.Errorf("%s names make %s, which the Makefile lacks", page, target[1])
				}
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d names found in the pages: are they still written as this test reads them?", checked)
	}
}

// TestHouse holds README's map of the folders to the tree, both ways.
func TestHouse(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, house, _ := strings.Cut(string(readme), "## The house")
	house, _, _ = strings.Cut(house, "\n## ")
	shown, parent := map[string]bool{}, ""
	for _, m := range aRoom.FindAllStringSubmatch(house, -1) {
		path := m[2]
		if m[1] != "" {
			path = parent + path
		} else {
			parent = path
		}
		shown[path] = true
		if info, err := os.Stat("../" + path); err != nil || !info.IsDir() {
			t.Errorf("README's house has %s, which is not there", path)
		}
	}
	for _, pattern := range []string{"../cmd/*", "../capture/*", "../analyze/*", "../internal/*", "../*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil || len(dirs) == 0 {
			t.Fatalf("%s: %d directories, %v", pattern, len(dirs), err)
		}
		for _, dir := range dirs {
			rel := strings.TrimPrefix(dir, "../") + "/"
			if gofiles, _ := filepath.Glob(dir + "/*.go"); len(gofiles) > 0 && !shown[rel] && !strings.HasPrefix(rel, ".") {
				t.Errorf("README's house lacks %s", rel)
			}
		}
	}
}
