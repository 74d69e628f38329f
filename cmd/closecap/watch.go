package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/kernel"
)

// watchFlags are the flags of closecap watch.
type watchFlags struct {
	pids                  []int
	comm                  string
	cgroup, container     string
	netns                 string
	host                  string
	ending, cause, closer string
	problems, lostBytes   bool
	iface                 string // capture there, instead of asking the kernel
	filter                string // with iface
	noPayload             bool   // likewise
	length                time.Duration
	count                 int
	summary               bool
	format                string
	metrics               string
	save, outFile         string

	pick  analyze.Selection
	scope bpf.Options
}

func newWatch(std streams) *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use:   "watch [-i INTERFACE [FILTER]]",
		Short: "Show who ends connections on this machine, as it happens",
		Long: `Show each TCP connection of this machine when it ends: how, why, by which call of which
process, what was lost and who waits in TIME_WAIT. The kernel says so itself (BPF
tracepoints): nothing is started, traced or captured, and no payload is read.

A connection between two processes of this machine is shown once, when both its ends are
over. Ctrl-C ends the watching and adds it up. It needs root, or CAP_BPF and CAP_PERFMON,
until it is attached; then it drops every privilege.

With -i it captures on an interface instead, what a filter as tcpdump's lets through, and
goes by the packets alone: also of other machines' connections, without processes and
calls, and causes are inferred. A connection is shown a second after it has ended, with
what its ends said last where that stands in clear and says why. That needs root or
CAP_NET_RAW until the capture is open.`,
		Example: "  sudo closecap watch\n  sudo closecap watch --problems --comm nginx\n  sudo closecap watch --port 5432 --for 1m --summary\n  sudo closecap watch --format ndjson --cause unread-data | jq .tasks\n  sudo closecap watch -i eth0 host 10.1.4.4 and tcp port 5432",
		RunE: func(cmd *cobra.Command, args []string) error {
			f.filter = strings.Join(args, " ")
			return f.run(cmd.Context(), std)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.iface, "interface", "i", "", "capture on this interface (any: all), go by packets instead of the kernel's word")
	fl.BoolVar(&f.noPayload, "no-payload", false, "with -i: capture and read no payload, no last words")
	fl.IntSliceVar(&f.pids, "pid", nil, "only connections of these processes")
	fl.StringVar(&f.comm, "comm", "", "only connections of processes with this name, at most 15 bytes as the kernel keeps it")
	fl.StringVar(&f.cgroup, "cgroup", "", "only sockets made in this cgroup or below it (a path)")
	fl.StringVar(&f.container, "container", "", "only sockets of the container whose cgroup has this id in its name")
	fl.Uint16Var(&f.pick.Port, "port", 0, "only connections with this port at either end")
	fl.StringVar(&f.host, "host", "", "only connections with this address or network at either end")
	fl.StringVar(&f.netns, "netns", "all", "network namespace: all, self, a process number or a path")
	fl.StringVar(&f.ending, "ending", "", "only connections that ended so, a code such as graceful or reset")
	fl.StringVar(&f.cause, "cause", "", "only resets of this cause, a code such as unread-data")
	fl.StringVar(&f.closer, "closer", "", "only connections closed first by client, server or both")
	fl.BoolVar(&f.problems, "problems", false, "only connections that did not end gracefully, or lost bytes")
	fl.BoolVar(&f.lostBytes, "lost-bytes", false, "only connections that lost bytes")
	fl.DurationVar(&f.length, "for", 0, "stop after this long")
	fl.IntVar(&f.count, "count", 0, "stop after so many connections")
	fl.BoolVar(&f.summary, "summary", false, "show only the summary")
	fl.StringVar(&f.format, "format", "table", "table, ndjson or csv")
	outputFlag(fl, &f.outFile, "write the lines to this `file`, which is there when the watching has ended (default: standard output)")
	fl.StringVar(&f.metrics, "metrics", "", "serve counters for Prometheus at http://ADDR/metrics, as 127.0.0.1:9435")
	fileFlag(fl, "save", &f.save, "write what the kernel tells, of whichever connections are shown, to this pcapng `file`")
	for _, w := range f.wordFlags() {
		completeFlag(cmd, w.name, w.words)
	}
	return cmd
}

// wordFlags are the flags that take one of a list of words.
func (f *watchFlags) wordFlags() []wordFlag {
	return append(endingFlags(&f.ending, &f.cause, &f.closer),
		wordFlag{"format", &f.format, []cobra.Completion{"table", "ndjson", "csv"}})
}

// check reads the flags.
func (f *watchFlags) check() error {
	f.pick.Ending, f.pick.Cause, f.pick.Closer = analyze.Ending(f.ending), analyze.ResetCause(f.cause), analyze.Side(f.closer)
	for _, w := range f.wordFlags() {
		if err := w.check(); err != nil {
			return err
		}
	}
	var err error
	if f.pick.Host, err = parseHost(f.host); err != nil {
		return err
	}
	if f.cgroup != "" && f.container != "" {
		return misused("--cgroup and --container: want one of them")
	}
	if f.count < 0 || f.length < 0 {
		return misused("--count and --for: want nothing below 0")
	}
	if f.iface != "" {
		return f.checkCapture()
	}
	if f.filter != "" {
		return usageError{hint.With(fmt.Errorf("watch %s: a filter of packets wants an interface", f.filter),
			"usage: closecap watch [-i INTERFACE [FILTER]]")}
	}
	if len(f.pids) > 0 && kernel.InPIDNamespace() {
		return hint.With(fmt.Errorf("pick by --pid in a process namespace of its own: %w", errors.ErrUnsupported),
			"the kernel tells of processes by the numbers that they have outside; run closecap there, or use --comm or --cgroup")
	}
	f.scope.Port = f.pick.Port
	if f.netns != "all" {
		if f.scope.Netns, err = bpf.Netns(f.netns); err != nil {
			return usageError{fmt.Errorf("--netns: %w", err)}
		}
	}
	switch {
	case f.cgroup != "":
		f.scope.Cgroup, err = bpf.Cgroup(f.cgroup)
	case f.container != "":
		f.scope.Cgroup, err = bpf.Container(f.container)
	}
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", scopeFlag(f.container), err)}
	}
	return nil
}

func scopeFlag(container string) string {
	if container != "" {
		return "--container"
	}
	return "--cgroup"
}

// picks reports whether c is wanted.
func (f *watchFlags) picks(c *endings.Connection) bool {
	lost := c.LostBytes().Sum() > 0
	return f.pick.Match(&c.Connection) &&
		(!f.problems || c.Ending != analyze.Graceful || lost) && (!f.lostBytes || lost) &&
		(len(f.pids) == 0 || ofTask(c, func(t *event.Task) bool { return slices.Contains(f.pids, t.PID) })) &&
		(f.comm == "" || ofTask(c, func(t *event.Task) bool { return t.Comm == f.comm }))
}

// ofTask reports whether ok accepts one of c's processes.
func ofTask(c *endings.Connection, ok func(*event.Task) bool) bool {
	for _, t := range []*event.Task{c.Tasks.Client, c.Tasks.Server, c.Tasks.Closer} {
		if t != nil && ok(t) {
			return true
		}
	}
	return false
}

func (f *watchFlags) run(ctx context.Context, std streams) error {
	if err := f.check(); err != nil {
		return err
	}
	w := newWatching(f, std)
	if err := w.serve(); err != nil {
		return err
	}
	defer w.stopServing()
	if f.iface != "" {
		return f.capture(ctx, w)
	}
	err := kernel.WithBPF(func() (err error) {
		w.source, err = bpf.Open(f.scope)
		return err
	})
	if err != nil {
		return err
	}
	defer w.source.Close()
	if err := kernel.DropCapabilities(); err != nil {
		return err
	}
	w.sayLacks(w.source.Lacks())
	if kernel.InPIDNamespace() {
		fmt.Fprintln(std.err, "closecap: process numbers are those outside of this process namespace")
	}
	ctx, stop := f.limit(ctx)
	defer stop()
	return w.writeTo(f.outFile, func() error {
		return w.saveWhile(f.save, func() error { return w.until(ctx) })
	})
}

// limit returns ctx, which also ends when --for is over.
func (f *watchFlags) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.length == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, f.length)
}

// askKernel returns what endings.Options.State needs: sock_diag of this network namespace.
func askKernel(diag *kernel.Diag, own uint32) func(uint32, netip.AddrPort, netip.AddrPort) event.TCPState {
	return func(netns uint32, local, remote netip.AddrPort) event.TCPState {
		if netns != own {
			return event.StateUnknown
		}
		s, err := diag.Sample(local, remote)
		if err != nil {
			return event.StateUnknown
		}
		return s.State
	}
}
