//go:build ignore

// benchwatch measures what watching and tracing cost a program, beside other tools, in one run: of a short
// connection, both ends, and of a send of 64 bytes. It needs root.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// What the program does, and how often.
var works = []struct {
	name string
	n    int
	work func(n int) error
}{
	{"connections", 10_000, connections},
	{"sends", 50_000, sends},
}

// rounds is how often each is run, in turns; the least counts.
const rounds = 3

// observer is a tool beside the program, or one that starts it.
type observer struct {
	name   string
	args   []string
	starts bool
}

// took is what an operation cost: time of the program, and CPU time of both.
type took struct{ wall, cpu time.Duration }

func main() {
	closecap := flag.String("closecap", "bin/closecap", "the program to measure")
	work := flag.Int("work", -1, "do that, and say how long it took")
	flag.Parse()
	err := error(nil)
	if *work >= 0 {
		w := works[*work]
		begin := time.Now()
		err = w.work(w.n)
		fmt.Println(time.Since(begin).Nanoseconds())
	} else {
		err = bench(*closecap)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchwatch:", err)
		os.Exit(1)
	}
}

func bench(closecap string) error {
	observers := []observer{
		{"nothing", nil, false},
		{"closecap watch", []string{closecap, "watch"}, false},
		{"tcplife (libbpf-tools)", withTracefs("tcplife"), false},
		{"tcpstates (libbpf-tools)", withTracefs("tcpstates"), false},
		{"closecap trace --evidence bpf", []string{closecap, "trace", "--evidence", "bpf", "-o", "/dev/null", "--format", "csv", "--"}, true},
		{"closecap trace --evidence ptrace", []string{closecap, "trace", "--evidence", "ptrace", "-o", "/dev/null", "--format", "csv", "--"}, true},
		{"strace -f -e trace=network,desc", []string{"strace", "-f", "-o", "/dev/null", "-e", "trace=network,desc"}, true},
	}
	costs := make([][]took, len(observers))
	for range rounds {
		for i, o := range observers {
			for w := range works {
				got, err := observe(o, w)
				if errors.Is(err, errAway) || errors.Is(err, exec.ErrNotFound) {
					continue
				}
				if err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				}
				if len(costs[i]) <= w {
					costs[i] = append(costs[i], got)
				}
				best := &costs[i][w]
				best.wall, best.cpu = min(best.wall, got.wall), min(best.cpu, got.cpu)
			}
		}
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "beside a program\tconnection: µs\t× nothing\tCPU µs\t× nothing\tsend: µs\t× nothing\tCPU µs\t× nothing")
	for i, o := range observers {
		if costs[i] == nil {
			fmt.Fprintf(t, "%s\tdid not start\t\t\t\t\t\t\t\n", o.name)
			continue
		}
		fmt.Fprint(t, o.name)
		for w, c := range costs[i] {
			none := costs[0][w]
			fmt.Fprintf(t, "\t%.1f\t%.2f\t%.1f\t%.2f", micros(c.wall), ratio(c.wall, none.wall), micros(c.cpu), ratio(c.cpu, none.cpu))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func micros(d time.Duration) float64   { return float64(d.Nanoseconds()) / 1e3 }
func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// errAway is of a tool that is not installed, or ended when it was to watch.
var errAway = errors.New("did not start")

// withTracefs runs a tool with what it reads its tracepoints' numbers from.
func withTracefs(tool string) []string {
	return []string{"unshare", "-m", "sh", "-c", "mount -t tracefs none /sys/kernel/tracing 2>/dev/null; exec " + tool + " 2>/dev/null"}
}

// observe runs a work once beside o, or under it.
func observe(o observer, work int) (took, error) {
	own, err := os.Executable()
	if err != nil {
		return took{}, err
	}
	program := []string{own, "-work", strconv.Itoa(work)}
	if o.starts {
		program = append(append([]string{}, o.args...), program...)
	}
	spent := func() time.Duration { return 0 }
	if o.args != nil && !o.starts {
		tool := exec.Command(o.args[0], o.args[1:]...)
		if err := tool.Start(); err != nil {
			return took{}, errAway
		}
		ended := make(chan error, 1)
		go func() { ended <- tool.Wait() }()
		select {
		case <-ended:
			return took{}, errAway
		case <-time.After(2 * time.Second): // until it is attached
		}
		defer func() { _ = tool.Process.Signal(os.Interrupt); <-ended }()
		begin := cpuOf(tool.Process.Pid)
		spent = func() time.Duration { return cpuOf(tool.Process.Pid) - begin }
	}
	var out bytes.Buffer
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	before := children()
	if err := cmd.Run(); err != nil {
		return took{}, err
	}
	cpu := children() - before
	time.Sleep(200 * time.Millisecond) // what is yet to be read
	ns, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil {
		return took{}, err
	}
	n := time.Duration(works[work].n)
	return took{time.Duration(ns) / n, (cpu + spent()) / n}, nil
}

// children is the CPU time of all processes that this one has waited for.
func children() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// cpuOf is the CPU time of a process, in ticks of a hundredth of a second.
func cpuOf(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// listen returns a listening socket and its address.
func listen() (int, unix.Sockaddr, error) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 5))
	}
	if err != nil {
		return 0, nil, err
	}
	at, err := unix.Getsockname(l)
	return l, at, err
}

func connect(l int, at unix.Sockaddr) (client, server int, err error) {
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return
	}
	// No TIME_WAIT, or the ports run out.
	if err = unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err == nil {
		err = unix.Connect(client, at)
	}
	if err == nil {
		server, _, err = unix.Accept(l)
	}
	return
}

func connections(n int) error {
	l, at, err := listen()
	for ; err == nil && n > 0; n-- {
		var c, s int
		if c, s, err = connect(l, at); err == nil {
			err = errors.Join(unix.Close(c), unix.Close(s))
		}
	}
	return err
}

func sends(n int) error {
	l, at, err := listen()
	if err != nil {
		return err
	}
	c, s, err := connect(l, at)
	small, large := make([]byte, 64), make([]byte, 64<<10)
	for i := 0; err == nil && i < n; i++ {
		if _, err = unix.Write(c, small); err == nil && i%256 == 255 {
			_, err = unix.Read(s, large)
		}
	}
	return err
}
