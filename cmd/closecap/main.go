// Command closecap shows who ended a TCP connection, and why: it joins application calls,
// captured packets and kernel states.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/closecap/closecap/capture/kernel"
	"github.com/closecap/closecap/capture/lab"
	"github.com/closecap/closecap/capture/trace"
)

func main() {
	lab.ActorMain()
	trace.LauncherMain()
	os.Exit(mainExit())
}

// mainExit is the program once it is known to be no actor and no launcher. It gives Ctrl-C and a reader that went away the meaning they have here: both end the
// work in order, the second with exit status 1 and no word about it.
func mainExit() int {
	if err := kernel.BecomeCaller(); err != nil {
		return exitCode(err, os.Stderr)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := interruptible(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
