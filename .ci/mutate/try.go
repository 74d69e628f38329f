package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tests are what must notice, the quickest first. None of them touches a network or another program.
var tests = []struct {
	pkg  string
	args []string
}{
	{"analyze/flows", []string{"-test.run", "TestStories|TestEarly|TestCalm|TestRemapped"}},
	{"analyze/join", []string{"-test.skip", "Cost|Index"}},
	{"analyze/verdict", nil},
	{"analyze/endings", []string{"-test.skip", "Bounds|Floods|ManyOfOnePair"}},
	{"pcaps", []string{"-test.run", "TestExpectedAnalysis|TestWithoutCalls"}},
	{"analyze/thin", []string{"-test.run", "TestVerdicts"}},
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
