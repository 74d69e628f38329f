//go:build ignore

// bench measures closecap beside other tools on the same generated captures, in one run, and
// prints ratios: a time alone says more of the machine than of the program. Of recordings with
// calls, which no other tool joins, it prints how the cost grows.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// cost is what one command took: the best of its runs.
type cost struct {
	wall   time.Duration
	cpu    time.Duration
	memory int64 // peak resident set, bytes
	over   bool  // it was ended at the limit: wall is less than it would have taken
}

// contest is one command on one file.
type contest struct {
	name  string
	args  []string      // {} is the file
	file  string        // "" is the large capture
	bulk  bool          // the file is the one of few connections
	copy  bool          // it is tcpdump's copy of that capture, beside which the others stand
	runs  int           // rounds that it takes part in: what takes a minute says enough once
	limit time.Duration // ends a contest that takes too long to wait for
}

// rounds is how often the fast contests are run, in turns: a machine that other work slows down
// for a while then slows all of them down.
const rounds = 25

func main() {
	closecap := flag.String("closecap", "bin/closecap", "the program to measure")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "closecap-bench"), "where the captures are made and kept")
	connections := flag.Int("connections", 300_000, "connections of the large capture")
	limit := flag.Duration("limit", 10*time.Minute, "end a contest after this long")
	flag.Parse()
	if err := bench(*closecap, *dir, *connections, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(closecap, dir string, connections int, limit time.Duration) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	large, err := capture(dir, connections)
	if err != nil {
		return err
	}
	small, err := capture(dir, connections/10)
	if err != nil {
		return err
	}
	bulk, err := bulk(dir, connections)
	if err != nil {
		return err
	}
	if _, err := os.Stat(large + "ng"); err != nil { // where it can't be made, its contest says so
		convert(large, large+"ng")
	}
	contests := contests(closecap, large, bulk, limit)
	info, err := os.Stat(large)
	if err != nil {
		return err
	}
	fmt.Printf("%d connections, %d MB, page cache warm, %d CPUs, %s, %s\n\n",
		connections, info.Size()>>20, runtime.NumCPU(), runtime.GOARCH, time.Now().Format(time.DateOnly))
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "command\tseconds\tCPU seconds\tto tcpdump\tpeak memory")
	warm(large)
	warm(bulk)
	costs, errs := make([]cost, len(contests)), make([]error, len(contests))
	for round := range rounds {
		for i, c := range contests {
			if round < c.runs && errs[i] == nil {
				errs[i] = measure(c, cmp.Or(c.file, large), &costs[i])
			}
		}
	}
	rows(t, contests, costs, errs)
	var tenth cost
	for range rounds {
		if err := measure(contests[0], small, &tenth); err != nil {
			return err
		}
	}
	row(t, contests[0].name+", a tenth of the file", tenth, cost{})
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nten times the file: %.2f × the memory\n\n", float64(costs[0].memory)/float64(tenth.memory))
	return joins(closecap, dir, limit)
}

// contests are each form of closecap's, and other tools.
func contests(closecap, large, bulk string, limit time.Duration) []contest {
	own := func(args ...string) contest {
		return contest{name: "closecap analyze " + strings.Join(args, " "), args: slices.Concat([]string{closecap, "analyze"}, args, []string{"{}"}), runs: rounds, limit: limit}
	}
	ng := own("--format", "ndjson")
	ng.name, ng.file = ng.name+", pcapng", large+"ng"
	copies := contest{name: "tcpdump -nr FILE -w /dev/null", args: []string{"tcpdump", "-nr", "{}", "-w", "/dev/null"}, copy: true, runs: rounds, limit: limit}
	few := func(c contest) contest {
		c.name, c.file, c.bulk = c.name+", few connections", bulk, true
		return c
	}
	return []contest{
		own("--format", "ndjson"),
		own("--format", "ndjson", "--brief"),
		own("--format", "csv"),
		own("--format", "table"),
		own("--summary"),
		ng,
		{name: "cat FILE | closecap analyze --format ndjson -",
			args: []string{"sh", "-c", `cat "$1" | "$0" analyze --format ndjson -`, closecap, "{}"}, runs: rounds, limit: limit},
		copies,
		{name: "cat FILE | tcpdump -nr - -w /dev/null",
			args: []string{"sh", "-c", `cat "$0" | tcpdump -nr - -w /dev/null`, "{}"}, runs: rounds, limit: limit},
		few(own("--format", "ndjson")),
		few(own("--summary")),
		few(copies),
		{name: "tcptrace -n FILE", args: []string{"tcptrace", "-n", "{}"}, runs: 1, limit: limit},
		{name: "tshark -q -z conv,tcp -r FILE", args: []string{"tshark", "-q", "-z", "conv,tcp", "-r", "{}"}, runs: 1, limit: limit},
	}
}

// rows writes what each contest cost, also beside tcpdump's copy of the same capture.
func rows(t io.Writer, contests []contest, costs []cost, errs []error) {
	var copies [2]cost // of the large capture, and of that with few connections
	for i, c := range contests {
		if c.copy && errs[i] == nil {
			copies[number(c.bulk)] = costs[i]
		}
	}
	for i, c := range contests {
		switch {
		case errors.Is(errs[i], exec.ErrNotFound):
			fmt.Fprintf(t, "%s\tnot installed\t\t\t\n", c.name)
		case errs[i] != nil:
			fmt.Fprintf(t, "%s\t%v\t\t\t\n", c.name, errs[i])
		default:
			row(t, c.name, costs[i], copies[number(c.bulk)])
		}
	}
}

// row writes what a contest took, beside tcpdump's copy of the same capture where there is one.
func row(w io.Writer, name string, got, copied cost) {
	than, ratio := "", ""
	if got.over {
		than = "> "
	}
	if copied.wall > 0 {
		ratio = fmt.Sprintf("%s%.2f ×", than, got.wall.Seconds()/copied.wall.Seconds())
	}
	fmt.Fprintf(w, "%s\t%s%.2f\t%.2f\t%s\t%d MB\n", name, than, got.wall.Seconds(), got.cpu.Seconds(), ratio, got.memory>>20)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// capture makes a capture of n connections, unless an earlier run has left it.
func capture(dir string, n int) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%d.pcap", n))
	return path, generate(path, "./capture/pcapfile/gen/makecapture", "-connections", fmt.Sprint(n))
}

// bulk makes a capture as large, of a few connections that move much.
func bulk(dir string, connections int) (string, error) {
	const few = 12
	path := filepath.Join(dir, fmt.Sprintf("%d-bulk.pcap", connections))
	return path, generate(path, "./capture/pcapfile/gen/makecapture", "-connections", fmt.Sprint(few), "-requests", fmt.Sprint(connections/5))
}

// convert makes a pcapng of a capture. It is written again by what writes in large pieces: what editcap does stands in
// small pages of the page cache, and to read those takes a tenth longer, whoever does.
func convert(from, to string) {
	if exec.Command("editcap", "-F", "pcapng", from, to+".part").Run() == nil && exec.Command("cp", to+".part", to).Run() == nil {
		_ = os.Remove(to + ".part")
	}
}

// generate lets a command write the file, unless an earlier run has left it.
func generate(path, command string, args ...string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command("go", append([]string{"run", command}, args...)...)
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make %s: %w", path, err)
	}
	return os.Rename(path+".part", path)
}

// warm reads the file once, so that no contest pays for the disk.
func warm(path string) { _ = exec.Command("cat", path).Run() }

// measure runs c on a file and keeps in best what it took, if that is less than before; of
// memory the most.
func measure(c contest, file string, best *cost) error {
	args := make([]string, len(c.args))
	for i, a := range c.args {
		args[i] = a
		if a == "{}" {
			args[i] = file
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	best.over = errors.Is(ctx.Err(), context.DeadlineExceeded)
	if err != nil && !best.over {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if best.wall == 0 || wall < best.wall {
		best.wall = wall
		best.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		best.memory = max(best.memory, usage.Maxrss<<10)
	}
	return nil
}
