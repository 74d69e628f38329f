package analyze

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codeTypes are the types whose codes stand in the tables of codes.go.
var codeTypes = map[string][]string{
	"Ending":     Names(endingCodes),
	"ResetCause": Names(causeCodes),
	"Side":       append(Names(closerCodes), string(NoSide)), // no code of its own: nobody is known
	"Confidence": Names(confidenceCodes),
}

// TestEveryCodeIsListed holds the tables of codes against the constants of their types.
func TestEveryCodeIsListed(t *testing.T) {
	got := map[string][]string{}
	for _, c := range codeConstants(t) {
		got[c.kind] = append(got[c.kind], c.value)
	}
	for kind, listed := range codeTypes {
		slices.Sort(listed)
		slices.Sort(got[kind])
		if !slices.Equal(got[kind], listed) {
			t.Errorf("%s: the constants are %q, the table has %q", kind, got[kind], listed)
		}
	}
}

func TestEveryCodeHasWords(t *testing.T) {
	check := func(kind, code, means string) {
		if code == "" || means == "" || strings.ContainsAny(means, "\n\t") {
			t.Errorf("%s %q means %q, want one line", kind, code, means)
		}
	}
	for _, c := range endingCodes {
		check("ending", string(c.Code), c.Means)
	}
	for _, c := range causeCodes {
		check("cause", string(c.Code), c.Means)
		if c.Words == "" || strings.Count(c.Sent, "%s") != 1 {
			t.Errorf("cause %s: words %q, sent %q", c.Code, c.Words, c.Sent)
		}
	}
	for _, c := range closerCodes {
		check("closer", string(c.Code), c.Means)
	}
	for _, c := range confidenceCodes {
		check("confidence", string(c.Code), c.Means)
	}
	for _, c := range stateCodes {
		check("state", c.Code.String(), c.Means)
	}
}

// TestCodesAreListedOnce finds a second list of endings, causes or states: a composite literal
// with half of them or more, whether by constant or by text. A switch that tells some of them
// apart is no list.
func TestCodesAreListedOnce(t *testing.T) {
	known := map[string]string{} // a constant's name, or a code in quotes, to its type
	size := map[string]int{}
	for _, c := range codeConstants(t) {
		if c.kind == "Ending" || c.kind == "ResetCause" {
			known[c.name], known[strconv.Quote(c.value)] = c.kind, c.kind
			size[c.kind]++
		}
	}
	for _, name := range Names(stateCodes) {
		known[strconv.Quote(name)] = "TCPState"
		size["TCPState"]++
	}
	homes := []string{"../analyze/codes.go", "../analyze/event/tcpstate.go", "../analyze/verdict/resetcause.go"} // the last says what each needs
	files := 0
	for _, root := range []string{"../analyze", "../capture", "../cmd", "../pcaps"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || slices.Contains(homes, path) {
				return err
			}
			files++
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				list, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				for kind, n := range codesIn(list, known) {
					if 2*n >= size[kind] {
						t.Errorf("%s: a second list of %s codes, with %d of %d", set.Position(list.Pos()), kind, n, size[kind])
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("%d files were read, want the whole module", files)
	}
}

// codesIn counts the different codes of each type in a literal's keys and elements.
func codesIn(list *ast.CompositeLit, known map[string]string) map[string]int {
	found := map[string]int{}
	seen := map[string]bool{}
	var look func(ast.Expr)
	look = func(e ast.Expr) {
		word := ""
		switch e := e.(type) {
		case *ast.KeyValueExpr:
			look(e.Key)
			look(e.Value)
		case *ast.CompositeLit: // a row of a table
			for _, field := range e.Elts {
				look(field)
			}
		case *ast.Ident:
			word = e.Name
		case *ast.SelectorExpr:
			word = e.Sel.Name
		case *ast.BasicLit:
			word = e.Value
		}
		if kind := known[word]; kind != "" && !seen[word] {
			seen[word] = true
			found[kind]++
		}
	}
	for _, e := range list.Elts {
		look(e)
	}
	return found
}

type codeConstant struct{ name, kind, value string }

// codeConstants returns the package's constants of the types that have a table.
func codeConstants(t *testing.T) []codeConstant {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []codeConstant
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				all = append(all, constantsOf(t, spec.(*ast.ValueSpec))...)
			}
		}
	}
	return all
}

func constantsOf(t *testing.T, spec *ast.ValueSpec) []codeConstant {
	kind, ok := spec.Type.(*ast.Ident)
	if !ok || codeTypes[kind.Name] == nil {
		return nil
	}
	var all []codeConstant
	for i, name := range spec.Names {
		lit, ok := spec.Values[i].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s %s: its value is no text", kind.Name, name.Name)
		}
		value, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, codeConstant{name.Name, kind.Name, value})
	}
	return all
}
