//go:build ignore

// bench measures closecap beside other tools on the same generated captures, in one run, and
// prints ratios: a time alone says more of the machine than of the program.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"
)

// cost is what one command took: the best of several runs.
type cost struct {
	wall   time.Duration
	memory int64 // peak resident set, bytes
}

// contest is one command on one file.
type contest struct {
	name string
	args []string // {} is the file
	runs int
}

func main() {
	closecap := flag.String("closecap", "bin/closecap", "the program to measure")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "closecap-bench"), "where the captures are made and kept")
	connections := flag.Int("connections", 300_000, "connections of the large capture")
	flag.Parse()
	if err := bench(*closecap, *dir, *connections); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(closecap, dir string, connections int) error {
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
	contests := []contest{
		{"closecap analyze --format ndjson", []string{closecap, "analyze", "--format", "ndjson", "{}"}, 3},
		{"tcpdump -nr FILE -w /dev/null", []string{"tcpdump", "-nr", "{}", "-w", "/dev/null"}, 3},
		{"tcptrace FILE", []string{"tcptrace", "{}"}, 1},
		{"tshark -q -z conv,tcp -r FILE", []string{"tshark", "-q", "-z", "conv,tcp", "-r", "{}"}, 1},
	}
	info, err := os.Stat(large)
	if err != nil {
		return err
	}
	fmt.Printf("%d connections, %d MB, page cache warm, %d CPUs, %s, %s\n\n",
		connections, info.Size()>>20, runtime.NumCPU(), runtime.GOARCH, time.Now().Format(time.DateOnly))
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "command\tseconds\tto closecap\tpeak memory")
	warm(large)
	var own cost
	for i, c := range contests {
		if _, err := exec.LookPath(c.args[0]); err != nil {
			fmt.Fprintf(t, "%s\tnot installed\t\t\n", c.name)
			continue
		}
		got, err := measure(c, large)
		if err != nil {
			fmt.Fprintf(t, "%s\t%v\t\t\n", c.name, err)
			continue
		}
		if i == 0 {
			own = got
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f ×\t%d MB\n", c.name, got.wall.Seconds(), got.wall.Seconds()/own.wall.Seconds(), got.memory>>20)
		t.Flush()
	}
	tenth, err := measure(contests[0], small)
	if err != nil {
		return err
	}
	fmt.Fprintf(t, "%s, a tenth of the file\t%.2f\t%.2f ×\t%d MB\n", contests[0].name, tenth.wall.Seconds(),
		tenth.wall.Seconds()/own.wall.Seconds(), tenth.memory>>20)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nten times the file: %.2f × the memory\n", float64(own.memory)/float64(tenth.memory))
	return nil
}

// capture makes a capture of n connections, unless an earlier run has left it.
func capture(dir string, n int) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%d.pcap", n))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	f, err := os.Create(path + ".part")
	if err != nil {
		return "", err
	}
	defer f.Close()
	cmd := exec.Command("go", "run", "./capture/pcapfile/gen/makecapture", "-connections", fmt.Sprint(n))
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("make capture: %w", err)
	}
	return path, os.Rename(path+".part", path)
}

// warm reads the file once, so that no contest pays for the disk.
func warm(path string) { _ = exec.Command("cat", path).Run() }

func measure(c contest, file string) (best cost, err error) {
	for range c.runs {
		args := make([]string, len(c.args))
		for i, a := range c.args {
			args[i] = a
			if a == "{}" {
				args[i] = file
			}
		}
		cmd := exec.Command(args[0], args[1:]...)
		begin := time.Now()
		if err := cmd.Run(); err != nil {
			return best, fmt.Errorf("%s: %w", args[0], err)
		}
		wall := time.Since(begin)
		if best.wall == 0 || wall < best.wall {
			best.wall = wall
		}
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			best.memory = max(best.memory, usage.Maxrss<<10)
		}
	}
	return best, nil
}
