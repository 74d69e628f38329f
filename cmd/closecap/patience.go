package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// lingering is how long, after Ctrl-C, what the program has left running may take to end by itself.
const lingering = time.Second

// together is how soon two interrupts are one.
const together = 200 * time.Millisecond

// patience returns a context that ends when a trace is to be ended. SIGTERM does so. Ctrl-C is the traced
// program's own, which may end as it likes; but where the program has ended and something that it
// started holds on, the first Ctrl-C ends that, and the second one ends all.
func (f *traceFlags) patience(ctx context.Context, std streams) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	came := make(chan os.Signal, 2)
	signal.Notify(came, os.Interrupt, syscall.SIGTERM)
	var over atomic.Bool
	ended := make(chan struct{}, 1)
	f.onEnd = func() {
		over.Store(true)
		ended <- struct{}{}
	}
	go func() {
		interrupts, last := 0, time.Time{}
		var late <-chan time.Time
		for {
			select {
			case <-ctx.Done():
				return
			case <-late:
				fmt.Fprintln(std.err, "closecap: the program has ended; what it left running is not waited for any longer")
				cancel(interruption{syscall.SIGINT})
			case <-ended:
			case s := <-came:
				if s == syscall.SIGTERM {
					cancel(interruption{syscall.SIGTERM})
					continue
				}
				// One that is passed on and comes from the terminal, too, is one.
				if now := time.Now(); now.Sub(last) > together {
					interrupts, last = interrupts+1, now
				}
				if interrupts > 1 {
					cancel(interruption{syscall.SIGINT})
				}
			}
			if interrupts > 0 && over.Load() && late == nil {
				late = time.After(lingering)
			}
		}
	}()
	return ctx, func() { signal.Stop(came); cancel(nil) }
}
