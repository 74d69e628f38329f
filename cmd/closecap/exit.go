package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. Those of trace's program, and of what it can't start, come beside them.
const (
	exitDone      = 0
	exitFailed    = 1 // what was expected is not so; a file unreadable or damaged
	exitMisused   = 2
	exitUndecided = 3   // of check: whether the rules hold is not known
	exitTimeout   = 124 // as timeout(1)
	exitCannotRun = 126 // what a shell exits with when it can't run a command (POSIX.1, 2.8.2)
	exitNotFound  = 127
	exitSignal    = 128 // and the signal's number: 130 for Ctrl-C, as a shell says it
)

// interruption is the signal that ended the work.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string {
	if i.signal == syscall.SIGINT {
		return "interrupted"
	}
	return i.signal.String()
}

// Unwrap makes it the error of a context that was cancelled.
func (i interruption) Unwrap() error { return context.Canceled }

func (i interruption) code() int { return exitSignal + int(i.signal) }

// interruptible returns a context that ends with the first of these signals, which is its cause.
func interruptible(ctx context.Context, signals ...os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	came := make(chan os.Signal, 1)
	signal.Notify(came, signals...)
	go func() {
		select {
		case s := <-came:
			cancel(interruption{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(came); cancel(nil) }
}

// withCause gives an error that the end of ctx by a signal made that signal's exit code.
func withCause(ctx context.Context, err error) error {
	var by interruption
	if errors.Is(err, context.Canceled) && errors.As(context.Cause(ctx), &by) {
		return statusError{err, by.code()}
	}
	return err
}
