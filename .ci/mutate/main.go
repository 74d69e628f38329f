// Mutate breaks the analysis on purpose, one operator at a time, and runs the tests that hold it: a mutation
// that no test notices must stand in .ci/mutants with its reason, and one that stands there must still
// survive. Of one that changes a verdict on a story, whole or thinned in some way, it tells on which.
//
//	mutate [-rows] [FILE...]
//
// Without files it breaks those that .ci/mutants says have been examined. All mutations are compiled into one
// test program, each behind a switch, by an overlay: a mutation then costs one run of the tests, under a second,
// and no build. Tools that build each one anew took a minute apiece.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

var rows = flag.Bool("rows", false, "add rows to analyze/thin/testdata/verdicts.txt that notice what no test does")

// explained names the files that have been examined, and lists the mutations of them that survive: one a line,
// its reason indented below it.
const explained = ".ci/mutants"

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
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
	bad := 0
	survives := map[string]bool{}
	for _, n := range lived {
		survives[mutants[n]] = true
		switch {
		case reasons[mutants[n]] != "":
		case told[n] == nil:
			bad++
			fmt.Printf("no test notices: %s\n\tit changes nothing that any story tells, whole or thinned\n", mutants[n])
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
	fmt.Printf("%d mutations, %d survive\n", len(mutants)-1, len(lived))
	if *rows {
		return hold(told)
	}
	if bad > 0 {
		return fmt.Errorf("%d mutations stand against %s: hold each by a story or a row (-rows), or give its reason", bad, explained)
	}
	return nil
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
