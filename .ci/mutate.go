//go:build ignore

// Mutate breaks the analysis on purpose, one operator at a time, and runs the tests that hold it: a mutation
// that no test notices must stand in .ci/mutants with its reason, and one that stands there must still
// survive. Those that change no verdict on any story, whole or thinned in every way, are listed, and stand against
// nothing.
//
//	mutate [-rows] [FILE...]
//
// Without files it breaks those that .ci/mutants says have been examined. All mutations are compiled into one
// test program, each behind a switch, by an overlay: a mutation then costs one run of the tests, under a second,
// and no build. Tools that build each one anew took a minute apiece.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/go/packages"
)

var rows = flag.Bool("rows", false, "add rows to analyze/thin/testdata/verdicts.txt that notice what no test does")

// explained names the files that have been examined, and lists the mutations of them that survive: one a line,
// its reason indented below it.
const explained = ".ci/mutants"

// tests are what must notice, the quickest first. None of them touches a network or another program.
var tests = []struct {
	pkg  string
	args []string
}{
	{"analyze/flows", []string{"-test.run", "TestStories|TestEarly|TestCalm"}},
	{"analyze/join", []string{"-test.skip", "Cost|Index"}},
	{"analyze/verdict", nil},
	{"analyze/endings", []string{"-test.skip", "Bounds|Floods|ManyOfOnePair"}},
	{"pcaps", []string{"-test.run", "TestExpectedAnalysis|TestWithoutCalls"}},
	{"analyze/thin", []string{"-test.run", "TestVerdicts"}},
}

// switches is the package that the overlay adds: which mutation is on, and which ones were reached.
const switches = `package mutant

import (
	"cmp"
	"os"
	"strconv"
)

var on, _ = strconv.Atoi(os.Getenv("MUTANT"))

// Set turns a mutation on, and those before it off.
func Set(n int) { on = n }

func On(n int) bool { return n == on }

func Less[T cmp.Ordered](n int, a, b T) bool {
	if On(n) {
		return a <= b
	}
	return a < b
}

func LessEqual[T cmp.Ordered](n int, a, b T) bool {
	if On(n) {
		return a < b
	}
	return a <= b
}

`

// differ is the test that the overlay adds to analyze/thin: for each of MUTANTS it writes the thinner captures of
// the stories of which another verdict comes out, a line each: mutation, row of testdata/verdicts.txt.
const differ = `package thin_test

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"MODULE/analyze/mutant"
)

func TestDiffer(t *testing.T) {
	file, err := os.Create(os.Getenv("DIFFER"))
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(file)
	type capture struct {
		input
		said string
	}
	var all []capture
	for _, in := range stories(t) {
		for _, th := range append(thin(in.segments, crc32.ChecksumIEEE([]byte(in.name))), thinned{"whole", in.segments}) {
			if th.how != "short snap length" {
				all = append(all, capture{input{in.name, th.segments, in.sameHost}, saidOf(follow(th.segments, in.sameHost))})
			}
		}
	}
	for word := range strings.SplitSeq(os.Getenv("MUTANTS"), ",") {
		m, _ := strconv.Atoi(word)
		mutant.Set(m)
		for _, c := range all {
			if saidOf(follow(c.segments, c.sameHost)) != c.said {
				fmt.Fprintf(out, "%d\t%s: %s\n", m, c.name, rangesOf(c.segments))
			}
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
}

func rangesOf(segments []event.Segment) string {
	frames := framesOf(segments)
	slices.Sort(frames)
	var parts []string
	for i := 0; i < len(frames); {
		j := i
		for j+1 < len(frames) && frames[j+1] == frames[j]+1 {
			j++
		}
		part := strconv.FormatUint(frames[i], 10)
		if j > i {
			part += "-" + strconv.FormatUint(frames[j], 10)
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ",")
}
`

func main() {
	flag.Parse()
	args := flag.Args()
	if len(args) > 0 && args[0] == "--" { // go run takes a first argument in .go for a file of the program
		args = args[1:]
	}
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(files []string) error {
	reasons, examined, err := readExplained(explained)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files = examined
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mutants, err := build(files, dir)
	if err != nil {
		return fmt.Errorf("build the mutants: %w", err)
	}
	lived, err := survivors(mutants, dir)
	if err != nil {
		return err
	}
	told, err := differing(lived, dir)
	if err != nil {
		return fmt.Errorf("compare what the mutants say: %w", err)
	}
	bad, alike := 0, 0
	survives := map[string]bool{}
	for _, n := range lived {
		survives[mutants[n]] = true
		switch {
		case reasons[mutants[n]] != "":
		case told[n] == nil:
			alike++
			fmt.Println("changes nothing that any story tells, whole or thinned:", mutants[n])
		default:
			bad++
			fmt.Printf("no test notices: %s\n\tas in %s\n", mutants[n], told[n][0])
		}
	}
	for m := range reasons {
		if of, _, _ := strings.Cut(m, ":"); slices.Contains(files, of) && !survives[m] {
			bad++
			fmt.Println("explained, and no survivor any more:", m)
		}
	}
	fmt.Printf("%d mutations, %d survive, %d of them explained, %d that change nothing\n", len(mutants)-1, len(lived), len(lived)-alike-bad, alike)
	if *rows {
		return hold(told)
	}
	if bad > 0 {
		return fmt.Errorf("%d mutations stand against %s: hold each by a story or a row (-rows), or give its reason", bad, explained)
	}
	return nil
}

// differing returns, of each mutation of lived that changes a verdict, the rows that would notice.
func differing(lived []int, dir string) (map[int][]string, error) {
	if len(lived) == 0 {
		return nil, nil
	}
	var list []string
	for _, n := range lived {
		list = append(list, strconv.Itoa(n))
	}
	out := filepath.Join(dir, "differ.txt")
	cmd := exec.Command(filepath.Join(dir, strconv.Itoa(len(tests)-1)+".test"), "-test.run", "^TestDiffer$", "-test.timeout", "0")
	cmd.Dir, cmd.Env = tests[len(tests)-1].pkg, append(os.Environ(), "DIFFER="+out, "MUTANTS="+strings.Join(list, ","))
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	told := map[int][]string{}
	for line := range strings.Lines(string(b)) {
		number, row, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		told[n] = append(told[n], row)
	}
	return told, nil
}

// hold adds the fewest rows to testdata/verdicts.txt that notice all of told: the one that notices most
// first. What they want is what is said today: it is to be read before it is believed.
func hold(told map[int][]string) error {
	f, err := os.OpenFile("analyze/thin/testdata/verdicts.txt", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for len(told) > 0 {
		by := map[string]int{}
		best := ""
		for _, rows := range told {
			for _, r := range rows {
				by[r]++
				if by[r] > by[best] || by[r] == by[best] && (len(r) < len(best) || len(r) == len(best) && r < best) {
					best = r
				}
			}
		}
		for n, rows := range told {
			if slices.Contains(rows, best) {
				delete(told, n)
			}
		}
		fmt.Fprintf(f, "%s: \n", best)
	}
	if err := f.Close(); err != nil {
		return err
	}
	cmd := exec.Command("go", "test", "./analyze/thin", "-run", "TestVerdicts", "-update")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// readExplained reads the reasons by mutation, and which files have been examined.
func readExplained(file string) (reasons map[string]string, examined []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	reasons = map[string]string{}
	var of []string // the mutations that the next reason explains
	told := false
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		switch line := lines.Text(); {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "examined "):
			examined = append(examined, strings.TrimPrefix(line, "examined "))
		case line[0] != '\t':
			if told {
				of, told = nil, false
			}
			of = append(of, line)
		case of == nil:
			return nil, nil, fmt.Errorf("%s:%d: a reason without a mutation", file, n)
		default:
			told = true
			for _, m := range of {
				reasons[m] += strings.TrimSpace(line) + "\n"
			}
		}
	}
	return reasons, examined, lines.Err()
}

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
	own := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(own, []byte(switches), 0o600); err != nil {
		return nil, err
	}
	overlay[filepath.Join(wd, "analyze", "mutant", "mutant.go")] = own
	compares := filepath.Join(dir, "differ_test.go")
	if err := os.WriteFile(compares, []byte(strings.Replace(differ, "MODULE", module, 1)), 0o600); err != nil {
		return nil, err
	}
	overlay[filepath.Join(wd, "analyze", "thin", "differ_test.go")] = compares
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		return nil, err
	}
	for n, t := range tests {
		cmd := exec.Command("go", "test", "-c", "-pgo=off", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, strconv.Itoa(n)+".test"), "./"+t.pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compile the tests of %s: %w\n%s", t.pkg, err, out)
		}
	}
	return m.names, nil
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

// mutate returns the text of f with its mutations. Their names are taken before anything in them is changed.
func (m *maker) mutate(f *ast.File, module string) []byte {
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
	astutil.Apply(f, nil, func(c *astutil.Cursor) bool {
		x, ok := c.Node().(*ast.BinaryExpr)
		if !ok {
			return true
		}
		n := numbers[x]
		if n == nil {
			return true
		}
		op := x.Op
		if len(n) == 1 {
			op = token.EQL
		}
		not := func(x, n ast.Expr) ast.Expr { return binary(paren(x), token.NEQ, call("On", n)) }
		switch op {
		case token.LAND:
			c.Replace(binary(binary(call("On", n[0]), token.LOR, x.X), token.LAND, binary(call("On", n[1]), token.LOR, x.Y)))
		case token.LOR:
			off := func(n ast.Expr) ast.Expr { return &ast.UnaryExpr{Op: token.NOT, X: call("On", n)} }
			c.Replace(binary(binary(off(n[0]), token.LAND, x.X), token.LOR, binary(off(n[1]), token.LAND, x.Y)))
		case token.EQL, token.NEQ: // and what is only negated
			c.Replace(not(&ast.BinaryExpr{X: x.X, Op: x.Op, Y: x.Y}, n[0]))
		case token.LSS:
			c.Replace(not(call("Less", n[1], x.X, x.Y), n[0]))
		case token.GTR:
			c.Replace(not(call("Less", n[1], x.Y, x.X), n[0]))
		case token.LEQ:
			c.Replace(not(call("LessEqual", n[1], x.X, x.Y), n[0]))
		case token.GEQ:
			c.Replace(not(call("LessEqual", n[1], x.Y, x.X), n[0]))
		}
		return true
	})
	if len(numbers) > 0 {
		astutil.AddImport(m.set, f, module+"/analyze/mutant")
	}
	f.Comments = nil // their places are no longer true
	return []byte(m.text(f))
}

// survivors runs the tests with each mutation on, and returns those that none of them noticed.
func survivors(mutants []string, dir string) ([]int, error) {
	limits := make([]time.Duration, len(tests))
	for n := range tests {
		begun := time.Now()
		if out, err := test(n, 0, dir, 10*time.Minute); err != nil {
			return nil, fmt.Errorf("%s without a mutation: %w\n%s", tests[n].pkg, err, out)
		}
		fmt.Fprintf(os.Stderr, "%s: %.1f s\n", tests[n].pkg, time.Since(begun).Seconds())
		limits[n] = 10*time.Since(begun) + 5*time.Second
	}
	var (
		mu    sync.Mutex
		lived []int
		next  = make(chan int)
		group sync.WaitGroup
	)
	for range runtime.NumCPU() {
		group.Go(func() {
			for m := range next {
				noticed := slices.ContainsFunc(seq(len(tests)), func(n int) bool {
					_, err := test(n, m, dir, limits[n])
					return err != nil
				})
				if !noticed {
					mu.Lock()
					lived = append(lived, m)
					mu.Unlock()
				}
			}
		})
	}
	for m := 1; m < len(mutants); m++ {
		next <- m
	}
	close(next)
	group.Wait()
	slices.Sort(lived)
	return lived, nil
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// test runs one test program with a mutation on.
func test(n, mutant int, dir string, limit time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, strconv.Itoa(n)+".test"), append([]string{"-test.failfast"}, tests[n].args...)...)
	cmd.Dir, cmd.Env = tests[n].pkg, append(os.Environ(), "MUTANT="+strconv.Itoa(mutant))
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return out, errors.New("it does not end")
	}
	return out, err
}
