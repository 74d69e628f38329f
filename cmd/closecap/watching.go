package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/analyze/report/encode"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/kernel"
)

// pollTime is how long events may wait in the ring: reading it seldom is what makes watching cheap.
const pollTime = 50 * time.Millisecond

// watching is one closecap watch while it runs.
type watching struct {
	flags   *watchFlags
	std     streams
	source  *bpf.Endings
	log     *watchLog // nil: nothing is saved
	shown   int
	named   event.Time // when it was last asked who holds sockets
	floods  floods
	lost    losses
	server  *http.Server
	served  chan struct{}
	mu      sync.Mutex // of what --metrics serves
	summary report.EndingSummary
	metrics report.EndingMetrics
}

// losses are what a witness had no room for.
type losses struct {
	what     string // "kernel events"
	total    uint64
	byReason map[string]uint64
}

func kernelLosses(l bpf.Losses) losses {
	return losses{"kernel events", l.Total(), map[string]uint64{
		"ring_full": l.RingFull, "no_memory": l.NoRecord, "recursion": l.Recursion, "untold": l.Untold, "damaged": l.Damaged,
	}}
}

// reasons says in brackets what was lost for what reason, where there are several.
func (l *losses) reasons() string {
	if len(l.byReason) < 2 {
		return ""
	}
	var all []string
	for _, reason := range slices.Sorted(maps.Keys(l.byReason)) {
		all = append(all, fmt.Sprintf("%s %d", strings.ReplaceAll(reason, "_", " "), l.byReason[reason]))
	}
	return " (" + strings.Join(all, ", ") + ")"
}

func newWatching(f *watchFlags, std streams) *watching {
	w := &watching{flags: f, std: std}
	if f.iface == "" { // a capture's clients may be other machines
		w.lost, w.summary.Ports = kernelLosses(bpf.Losses{}), ephemeralPorts().Size()
	}
	return w
}

// until shows connections until ctx is done or there were enough, and then adds them up.
func (w *watching) until(ctx context.Context) error {
	own, begin := ownAddresses(), present()
	names := w.source.NamesHolders()
	w.log.begin(begin, own, w.summary.Ports, w.source.Lacks(), names)
	opt := endings.Options{Local: isOwn(own), Names: names}
	if diag, err := kernel.OpenDiag(); err == nil {
		defer diag.Close()
		if own, err := bpf.Netns("self"); err == nil {
			opt.State = w.log.asking(askKernel(diag, own))
		}
	}
	tracker := endings.NewTracker(opt)
	add := w.log.taking(tracker.Add)
	if err := w.heading(); err != nil {
		return err
	}
	for ctx.Err() == nil && !w.enough() && !w.log.failed() {
		if err := w.source.Poll(pollTime, add); err != nil {
			return err
		}
		now := present()
		w.nameHolders(tracker, add, now)
		over := tracker.Ready(now)
		w.log.judged(over, now, false)
		if err := w.show(over, now); err != nil {
			return err
		}
		w.sayKernelLosses(w.source.Losses())
	}
	// What had happened when Ctrl-C came is in the ring already.
	now := present()
	err := w.source.Poll(0, add)
	rest := tracker.Rest(now)
	w.log.judged(rest, now, true)
	if err := errors.Join(err, w.show(rest, now)); err != nil {
		return err
	}
	return w.finish(now.Sub(begin))
}

// nameHolders tells who has the sockets that ended while they were held: a server that is told nothing of
// its client's RST until it reads or writes.
func (w *watching) nameHolders(tracker *endings.Tracker, add func(event.KernelEvent), now event.Time) {
	if !w.source.NamesHolders() || now.Sub(w.named) < time.Second {
		return
	}
	sockets := tracker.Unnamed(now)
	if len(sockets) == 0 {
		return
	}
	w.named = now
	held, err := w.source.Holders()
	if err != nil {
		return // they stay without a name
	}
	for _, s := range sockets {
		if tasks := held[s]; len(tasks) > 0 {
			add(event.KernelEvent{Held: &event.Held{Time: now, Socket: s, Task: &tasks[0]}})
		}
	}
}

// heading writes what stands above the lines.
func (w *watching) heading() error {
	if w.flags.format == "csv" && !w.flags.summary {
		return w.write(report.AppendEndingHeading(nil))
	}
	return nil
}

func (w *watching) enough() bool { return w.flags.count > 0 && w.shown >= w.flags.count }

func (w *watching) show(cs []*endings.Connection, now event.Time) error {
	for _, c := range cs {
		if !w.flags.picks(c) || w.enough() {
			continue
		}
		w.shown++
		w.mu.Lock()
		w.summary.Add(c)
		w.metrics.Add(c)
		w.mu.Unlock()
		if w.flags.summary {
			continue
		}
		if err := w.line(c, now); err != nil {
			return err
		}
	}
	if w.flags.format != "table" || w.flags.summary {
		return nil
	}
	for _, line := range w.floods.told(now) {
		if _, err := fmt.Fprintln(w.std.out, line); err != nil {
			return writeFailed(err)
		}
	}
	return nil
}

func (w *watching) line(c *endings.Connection, now event.Time) error {
	switch w.flags.format {
	case "ndjson":
		b, err := w.json(c)
		if err != nil {
			return fmt.Errorf("write connection: %w", err)
		}
		return w.write(append(b, '\n'))
	case "csv":
		return w.write(report.AppendEndingRow(nil, c))
	}
	if w.floods.swallows(c, now) {
		return nil
	}
	_, err := fmt.Fprintln(w.std.out, report.EndingLine(c, time.Local))
	return writeFailed(err)
}

// json writes c as analyze does; what only the kernel knows stands behind that where it was asked.
func (w *watching) json(c *endings.Connection) ([]byte, error) {
	if w.flags.iface != "" {
		return new(encode.Encoder).Connection(nil, &c.Connection), nil
	}
	b, err := json.Marshal(c)
	return encode.EscapeUnseen(b), err
}

func (w *watching) write(b []byte) error {
	_, err := w.std.out.Write(b)
	return writeFailed(err)
}

// sayLacks says what this kernel can't tell.
func (w *watching) sayLacks(lacks []string) {
	for _, lack := range lacks {
		fmt.Fprintf(w.std.err, "closecap: %s\n", report.Safe(lack))
	}
}

// sayKernelLosses says and saves what was lost as soon as it is known.
func (w *watching) sayKernelLosses(l bpf.Losses) {
	if l.Total() > w.lost.total {
		w.log.lost(l)
	}
	w.sayLosses(kernelLosses(l))
}

// sayLosses says what was lost as soon as it is known.
func (w *watching) sayLosses(l losses) {
	w.mu.Lock()
	before := w.lost.total
	w.lost = l
	w.mu.Unlock()
	if l.total > before {
		fmt.Fprintf(w.std.err, "closecap: warning: %d %s were lost just now: endings of this time may be missing or wrong\n", l.total-before, l.what)
	}
}

// finish writes the summary, beside data on standard error.
func (w *watching) finish(length time.Duration) error {
	out := w.std.out
	if w.flags.format != "table" {
		out = w.std.err
	} else if w.shown > 0 && !w.flags.summary {
		if _, err := fmt.Fprintln(out); err != nil {
			return writeFailed(err)
		}
	}
	err := w.summary.Write(out, length)
	if l := w.lost; l.total > 0 {
		fmt.Fprintf(w.std.err, "closecap: warning: %d %s were lost%s\n", l.total, l.what, l.reasons())
	}
	return writeFailed(err)
}

// ownAddresses returns the addresses of this machine's interfaces.
func ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return own // then only peers that were seen before are waited for
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return own
}

func isOwn(own map[netip.Addr]bool) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return own[a] }
}

// serve starts to serve --metrics. The listener is opened while a low port is still allowed.
func (w *watching) serve() error {
	if w.flags.metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", w.flags.metrics)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.writeMetrics(rw)
	})
	w.server = &http.Server{Addr: l.Addr().String(), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	w.served = make(chan struct{})
	go func() {
		defer close(w.served)
		_ = w.server.Serve(l) // http.ErrServerClosed
	}()
	return nil
}

func (w *watching) writeMetrics(out io.Writer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// A reader that went away needs no answer.
	_ = w.metrics.Write(out, w.lost.byReason)
}

func (w *watching) stopServing() {
	if w.server != nil {
		w.server.Close()
		<-w.served
	}
}
