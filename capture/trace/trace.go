// Package trace runs a program and records the socket calls that it and its descendants make.
//
// It is a ptrace tracer with a seccomp filter: only socket-related calls stop the program. A
// stop costs a descriptor that is no TCP socket one table look-up, and no stop at the call's exit.
// Which socket a descriptor is comes from the kernel (SO_COOKIE, getsockname, getpeername on a
// duplicate taken by pidfd_getfd), so descriptors that were inherited, duplicated or passed over
// a Unix socket are the same socket without any bookkeeping.
//
// The traced program must behave as if nobody looked. The tracer takes a duplicate only for the
// few instructions of one look, only of a descriptor whose owner stands stopped, and never of one
// that another thread is closing: so it is never the last to close a socket, and no FIN or
// lingering close moves into the tracer. Text and addresses are read without writing.
//
// All ptrace requests come from one locked thread. It waits with __WNOTHREAD, so that -1 means its
// own children and tracees and never a child that some other part of the process has started.
//
// Package follow does the same by eBPF, for root alone: it stops nothing, and does not see what ptrace does of
// payload, poll and calls that are no socket's. Not done: LD_PRELOAD misses static programs and Go; strace -f is a dependency, and prints text that another parser must read
// (package stracelog does that for logs that already exist).
//
// It does not capture packets and does not decide which call caused which of them.
package trace

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"github.com/closecap/closecap/analyze/event"
)

// Options say what to run and how. The zero value of every field but Args works.
type Options struct {
	Args []string // program and arguments; a name without slash is looked up in PATH
	Dir  string   // working directory, "" is the caller's
	Env  []string // nil is the caller's environment

	Stdin, Stdout, Stderr *os.File // nil is the caller's own

	// AllCalls delivers every call, also those that are usually noise: EAGAIN, a poll result
	// that is repeated or tells of no end, getsockopt other than SO_ERROR and SO_LINGER.
	AllCalls bool

	// OnCall gets each call, in order of End, while its thread still stands stopped: it must
	// return soon and keep nothing waiting.
	OnCall func(event.Call)

	// OnSocket hears of the program's TCP sockets before their packets can come: of a connect and of
	// a listen before the kernel does it. What OnCall must be holds for it.
	OnSocket func(Socket)

	// OnUnprivileged gets the path of each program that was to gain privileges by its file (set-uid,
	// set-gid, capabilities) and did not. nil is for nobody.
	OnUnprivileged func(program string)

	// OnEnd is called when the program itself has ended; its descendants may go on. nil is for nobody.
	OnEnd func()

	// Sample asks the kernel for the state of one endpoint; it is called after closing calls.
	// nil means that calls carry no samples.
	Sample func(local, remote netip.AddrPort) (event.Sample, error)

	// Holders asks the kernel for the descriptors of all processes that refer to a socket, by its cookie. nil: those
	// are found that this user may look into.
	Holders func(socket uint64) []event.Holder
}

// Socket is what a TCP socket of the program has become.
type Socket struct {
	Cookie        uint64
	State         SocketState
	Local, Remote netip.AddrPort // as far as known
}

// SocketState says what Socket tells of.
type SocketState int

// The states. A socket passes each as often as its program likes, but Closed only once.
const (
	Connecting  SocketState = iota + 1 // it is about to connect to Remote, perhaps from a port not yet known
	Connected                          // Local and Remote are its connection, or were to be
	Unconnected                        // what it was connecting to, or was connected with, it no longer is
	Listening                          // at Local
	Closed                             // no process that is traced holds it or uses it
	Unseen                             // no socket: io_uring may make some that only later calls tell of
)

// Withheld is a program that was to gain privileges by its file and did not.
type Withheld struct {
	Program string // its path
	Kind    string // set-uid, set-gid or setcap
}

func (w *Withheld) String() string {
	return fmt.Sprintf("%s is a %s program and ran without its privileges: it was traced without root", w.Program, w.Kind)
}

// Result is what became of the program.
type Result struct {
	ExitStatus int      // its exit status; 128 + the signal's number when a signal ended it
	Signal     string   // "SIGSEGV"; "" when it exited
	Processes  int      // that were traced, the program itself included
	Calls      int      // delivered
	Folded     int      // not delivered, because AllCalls was not set
	Warnings   []string // what the calls do not show, and why
}

// Run runs the program until it and all its descendants have ended.
//
// The terminal, and the signals that it sends to the process group, belong to the program: the
// caller should not take SIGINT as a wish to end ctx while the program lives. When ctx ends, all
// that still runs gets SIGTERM, and two seconds later SIGKILL; Run then returns the result so far
// with ctx's error. If the tracer itself dies, the kernel kills what it traced
// (PTRACE_O_EXITKILL).
//
// A program that cannot be started is a *StartError. Where tracing is forbidden,
// the error wraps os.ErrPermission, where the system cannot do it errors.ErrUnsupported; both carry a hint.
// The caller's main must start with LauncherMain.
func Run(ctx context.Context, opts Options) (Result, error) { return run(ctx, opts) }

// StartError is why a program could not be started: fs.ErrNotExist or exec.ErrNotFound where there
// is none, else what forbids it.
type StartError struct{ Err error }

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// LauncherMain must be the first thing that main does: Run starts the traced program through a
// second copy of its own executable, which installs the filter and then becomes the program.
// In that copy LauncherMain does not return; elsewhere it does nothing.
func LauncherMain() { launcherMain() }
