package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/analyze/sockets"
	"github.com/closecap/closecap/analyze/suggest"
	"github.com/closecap/closecap/capture/kernel"
)

// psFlags are the flags of closecap ps.
type psFlags struct {
	output
	states []string
	every  time.Duration
	limit  int
	pick   sockets.Options
}

func newPs(std streams) *cobra.Command {
	f := psFlags{pick: sockets.Options{Tool: "closecap " + version}}
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "Show the sockets that are ending or stuck, and what each waits for",
		Long: `Show the TCP sockets of this network namespace that are ending or stuck now, the worst
first: what each waits for, what ends that and when, which process holds it, and which
topic of closecap explain tells more. Both ends of a local connection stand together.

The kernel's own lists say so (sock_diag, /proc): nothing is traced, captured or loaded.
Who holds a socket is known for one's own processes, for all with sudo. An age is what
the kernel's times bound: "≥ 5 s" says that it is that old at least.`,
		Example: "  closecap ps\n  sudo closecap ps --state close-wait --format json\n  sudo closecap ps --port 5432 --watch 2s",
		Args:    argCount(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), std) },
	}
	fl := cmd.Flags()
	f.flags(fl)
	fl.Lookup("format").Usage = report.Or(report.SocketFormats())
	fl.BoolVar(&f.pick.All, "all", false, "also sockets that are in order")
	fl.StringSliceVar(&f.states, "state", nil, "only sockets in these states, such as close-wait, in order or not")
	fl.IntSliceVar(&f.pick.PIDs, "pid", nil, "only what these processes hold, and its other end")
	fl.Uint16Var(&f.pick.Port, "port", 0, "only sockets with this port at either end")
	fl.DurationVar(&f.every, "watch", 0, "show them again and again, this often")
	fl.IntVar(&f.limit, "limit", 50, "rows of the table at most, 0 for all")
	completeFormats(cmd, report.SocketFormats())
	var states []cobra.Completion
	for _, name := range stateNames() {
		states = append(states, cobra.Completion(name))
	}
	completeFlag(cmd, "state", states)
	return cmd
}

// minEvery is how often sockets may be listed: each time every process is looked into.
const minEvery = 100 * time.Millisecond

// check reads the flags.
func (f *psFlags) check() (report.Format, error) {
	format, err := f.output.check()
	if err != nil {
		return "", err
	}
	if !slices.Contains(report.SocketFormats(), format) {
		return "", misused("--format %s: want %s", format, report.Or(report.SocketFormats()))
	}
	if f.every != 0 && f.every < minEvery {
		return "", misused("--watch %s: want %s or more", f.every, minEvery)
	}
	if f.every != 0 && f.outFile != "" {
		return "", misused("--watch and --output: a file is written once")
	}
	if f.limit < 0 {
		return "", misused("--limit %d: want a number of rows, 0 for all", f.limit)
	}
	for _, name := range f.states {
		state, err := parseState(name)
		if err != nil {
			return "", err
		}
		f.pick.States = append(f.pick.States, state)
	}
	return format, nil
}

// stateNames are the states that a listed socket can be in, as --state takes them.
func stateNames() (names []string) {
	for s := event.Established; s <= event.Closing; s++ {
		if s != event.Closed {
			names = append(names, strings.ReplaceAll(strings.ToLower(s.String()), "_", "-"))
		}
	}
	return names
}

// parseState reads a state as the kernel or ss writes it: FIN_WAIT1, fin-wait-1.
func parseState(name string) (event.TCPState, error) {
	bare := strings.NewReplacer("-", "", "_", "")
	for s := event.Established; s <= event.Closing; s++ {
		if s != event.Closed && strings.EqualFold(bare.Replace(name), bare.Replace(s.String())) {
			return s, nil
		}
	}
	return 0, usageError{suggest.Unknown("--state", name, stateNames())}
}

func (f *psFlags) run(ctx context.Context, std streams) error {
	format, err := f.check()
	if err != nil {
		return err
	}
	diag, err := kernel.OpenDiag()
	if err != nil {
		return err
	}
	defer diag.Close()
	if f.every == 0 {
		e, err := socketsNow(diag)
		if err != nil {
			return err
		}
		if err := kernel.DropCapabilities(); err != nil {
			return err
		}
		return f.report(std, func(w io.Writer) error { return f.write(w, format, e, std) })
	}
	return f.again(ctx, std, format, diag)
}

// again lists the sockets until ctx is done.
func (f *psFlags) again(ctx context.Context, std streams, format report.Format, diag *kernel.Diag) error {
	_, terminal := isTerminal(std.out)
	out := bufio.NewWriterSize(std.out, 64<<10)
	ticks := time.NewTicker(f.every)
	defer ticks.Stop()
	for n := 0; ; n++ {
		e, err := socketsNow(diag)
		if err != nil {
			return err
		}
		if format == report.Table {
			if err := between(out, terminal, n); err != nil {
				return err
			}
		}
		if err := f.write(out, format, e, std); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return writeFailed(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// between parts a table from the one before: on a terminal it takes that one's place.
func between(out io.Writer, terminal bool, n int) error {
	var err error
	switch {
	case terminal:
		_, err = io.WriteString(out, "\x1b[H\x1b[2J")
	case n > 0:
		_, err = io.WriteString(out, "\n")
	}
	return writeFailed(err)
}

func (f *psFlags) write(w io.Writer, format report.Format, e *sockets.Evidence, std streams) error {
	return report.WriteSockets(w, format, sockets.List(e, f.pick), f.limit, f.options(std))
}

// settings are the sysctls that say when a socket's wait ends. Some are of newer kernels.
var settings = []string{
	"tcp_fin_timeout", "tcp_orphan_retries", "tcp_retries2", "tcp_rto_max_ms", "tcp_syn_retries", "tcp_syn_linear_timeouts",
	"tcp_abort_on_overflow", "tcp_tw_reuse",
}

// socketsNow asks the kernel for all sockets and who holds them.
func socketsNow(diag *kernel.Diag) (*sockets.Evidence, error) {
	e := &sockets.Evidence{Time: present(), Settings: map[string]int64{}, Counters: map[string]int64{}}
	var err error
	if e.Sockets, err = diag.List(); err != nil {
		return nil, err
	}
	if err := kernel.WithLook(func() (err error) { e.Refused, err = kernel.FindHolders(e.Sockets); return err }); err != nil {
		return nil, err
	}
	for _, name := range settings {
		text, err := kernel.Sysctl(name)
		var n int64
		if err == nil {
			_, err = fmt.Sscan(text, &n)
		}
		if err == nil {
			e.Settings[name] = n
		}
	}
	e.Ports = ephemeralPorts()
	if all, err := kernel.ReadCounters(); err == nil {
		for _, name := range []string{"ListenOverflows", "ListenDrops"} {
			e.Counters[name] = all[name]
		}
	}
	return e, nil
}

// ephemeralPorts returns the ports that connect may choose from, none when they are not known.
func ephemeralPorts() (p sockets.Ports) {
	text, err := kernel.Sysctl("ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(text, &p.Low, &p.High)
	}
	if err != nil {
		return sockets.Ports{}
	}
	return p
}
