package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/go/packages"
)

// switches is the package that the overlay adds: which mutation is on.
//
//go:embed mutant.txt
var switches string

// differ is the test that the overlay adds to analyze/thin: for each of MUTANTS it writes the thinner captures of
// the stories of which another verdict comes out, a line each: mutation, row of testdata/verdicts.txt.
//
//go:embed differ.txt
var differ string

// maker puts switches into one file.
type maker struct {
	file, in string
	set      *token.FileSet
	info     *types.Info
	names    []string // of the mutations, by number; 0 is none
	taken    map[string]int
}

// build compiles the tests with every mutation of files behind a switch, into dir, and names the mutations
// by number.
func build(files []string, dir string) ([]string, error) {
	m := &maker{set: token.NewFileSet(), names: []string{""}, taken: map[string]int{}}
	var patterns []string
	for _, f := range files {
		if p := "./" + filepath.Dir(f); !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax | packages.NeedModule, Fset: m.set}, patterns...)
	if err != nil {
		return nil, err
	}
	overlay := map[string]string{}
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	module := ""
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		module, m.info = p.Module.Path, p.TypesInfo
		for _, f := range p.Syntax {
			path := m.set.Position(f.Pos()).Filename
			if m.file, err = filepath.Rel(wd, path); err != nil || !slices.Contains(files, m.file) {
				continue
			}
			broken := filepath.Join(dir, strconv.Itoa(len(overlay))+".go")
			if err := os.WriteFile(broken, m.mutate(f, module), 0o600); err != nil {
				return nil, err
			}
			overlay[path] = broken
		}
	}
	if len(overlay) != len(files) {
		return nil, fmt.Errorf("%d of the files %s are not built here", len(files)-len(overlay), files)
	}
	for path, text := range map[string]string{
		filepath.Join(wd, "analyze", "mutant", "mutant.go"):    switches,
		filepath.Join(wd, "analyze", "thin", "differ_test.go"): strings.Replace(differ, "MODULE", module, 1),
	} {
		added := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(added, []byte(text), 0o600); err != nil {
			return nil, err
		}
		overlay[path] = added
	}
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		return nil, err
	}
	return m.names, compile(dir)
}

// compile builds the test programs with the overlay in dir.
func compile(dir string) error {
	for n, t := range tests {
		cmd := exec.Command("go", "test", "-c", "-pgo=off", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, strconv.Itoa(n)+".test"), "./"+t.pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("compile the tests of %s: %w\n%s", t.pkg, err, out)
		}
	}
	return nil
}

// name numbers a mutation. Two alike in one function are told apart by a count.
func (m *maker) name(what string, n ast.Node) ast.Expr {
	name := m.file + ":" + m.in + ": " + what + ": " + strings.Join(strings.Fields(m.text(n)), " ")
	m.taken[name]++
	if c := m.taken[name]; c > 1 {
		name += fmt.Sprintf(" (%d)", c)
	}
	m.names = append(m.names, name)
	return &ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(len(m.names) - 1)}
}

func (m *maker) text(n ast.Node) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, m.set, n); err != nil {
		panic(err)
	}
	return b.String()
}

func call(name string, args ...ast.Expr) ast.Expr {
	return &ast.CallExpr{Fun: &ast.SelectorExpr{X: ast.NewIdent("mutant"), Sel: ast.NewIdent(name)}, Args: args}
}

func paren(x ast.Expr) ast.Expr { return &ast.ParenExpr{X: x} }

func binary(x ast.Expr, op token.Token, y ast.Expr) ast.Expr {
	return paren(&ast.BinaryExpr{X: x, Op: op, Y: y})
}

// mutate returns the text of f with its mutations.
func (m *maker) mutate(f *ast.File, module string) []byte {
	numbers := m.number(f)
	astutil.Apply(f, nil, func(c *astutil.Cursor) bool {
		if x, ok := c.Node().(*ast.BinaryExpr); ok && numbers[x] != nil {
			c.Replace(switched(x, numbers[x]))
		}
		return true
	})
	if len(numbers) > 0 {
		astutil.AddImport(m.set, f, module+"/analyze/mutant")
	}
	f.Comments = nil // their places are no longer true
	return []byte(m.text(f))
}

// number names the mutations of f by expression, before anything is changed.
func (m *maker) number(f *ast.File) map[ast.Node][]ast.Expr {
	numbers := map[ast.Node][]ast.Expr{}
	for _, d := range f.Decls {
		m.in = "var"
		if fn, ok := d.(*ast.FuncDecl); ok {
			m.in = fn.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			x, ok := n.(*ast.BinaryExpr)
			if !ok || m.info.Types[x].Value != nil {
				return true
			}
			switch x.Op {
			case token.LAND, token.LOR:
				numbers[n] = []ast.Expr{m.name("without its left", n), m.name("without its right", n)}
			case token.EQL, token.NEQ:
				numbers[n] = []ast.Expr{m.name("negated", n)}
			case token.LSS, token.GTR, token.LEQ, token.GEQ:
				if t := m.info.TypeOf(x.X); t.String() == "time.Duration" { // two moments are never equally far apart
					numbers[n] = []ast.Expr{m.name("negated", n)}
					return true
				}
				numbers[n] = []ast.Expr{m.name("negated", n), m.name("at its bound", n)}
			}
			return true
		})
	}
	return numbers
}

// switched returns x with its mutations n, each behind its switch.
func switched(x *ast.BinaryExpr, n []ast.Expr) ast.Expr {
	op := x.Op
	if len(n) == 1 {
		op = token.EQL
	}
	not := func(x, n ast.Expr) ast.Expr { return binary(paren(x), token.NEQ, call("On", n)) }
	switch op {
	case token.LAND:
		return binary(binary(call("On", n[0]), token.LOR, x.X), token.LAND, binary(call("On", n[1]), token.LOR, x.Y))
	case token.LOR:
		off := func(n ast.Expr) ast.Expr { return &ast.UnaryExpr{Op: token.NOT, X: call("On", n)} }
		return binary(binary(off(n[0]), token.LAND, x.X), token.LOR, binary(off(n[1]), token.LAND, x.Y))
	case token.EQL, token.NEQ: // and what is only negated
		return not(&ast.BinaryExpr{X: x.X, Op: x.Op, Y: x.Y}, n[0])
	case token.LSS:
		return not(call("Less", n[1], x.X, x.Y), n[0])
	case token.GTR:
		return not(call("Less", n[1], x.Y, x.X), n[0])
	case token.LEQ:
		return not(call("LessEqual", n[1], x.X, x.Y), n[0])
	case token.GEQ:
		return not(call("LessEqual", n[1], x.Y, x.X), n[0])
	}
	panic("mutate: no mutation of " + x.Op.String())
}
