package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/kernel"
)

// recording are the flags of the commands that record: where, and what becomes of it.
type recording struct {
	output
	private   bool
	save      string
	noPayload bool
}

func (r *recording) recordFlags(cmd *cobra.Command) {
	r.allFlags(cmd)
	cmd.Flags().BoolVar(&r.private, "private", false, "use a private network namespace even as root")
	fileFlag(cmd.Flags(), "save", &r.save, "write packets, calls and what the kernel told to this pcapng `file`")
	cmd.Flags().BoolVar(&r.noPayload, "no-payload", false, "nothing of what was sent: no last words, and in files the headers alone")
}

// ready reports what keeps the files that were asked for from being written.
func (r *recording) ready() error { return ready(r.save, r.outFile, r.html) }

// join links what was recorded, and tells each end's last words.
func (r *recording) join(rec *event.Recording) *analyze.Result {
	if r.noPayload {
		intake.DropPayload(rec)
	}
	res := join.Join(rec, analyze.Options{})
	if !r.noPayload {
		closecap.TellWords(rec, res)
	}
	return res
}

// keep writes the files that were asked for.
func (r *recording) keep(rec *event.Recording, res *analyze.Result) error {
	err := r.savePage(res)
	if r.save != "" {
		err = errors.Join(save(r.save, rec, res), err)
	}
	return err
}

// againInPrivate lets this program do the same in a private namespace. There nobody may ask the kernel how connections
// end: where the evidence has that, this process asks, and tells the other.
func againInPrivate(evidence string, std streams) error {
	code, err := kernel.ReexecPrivate(kernel.PrivateOptions{
		Stdin: std.in, Stdout: std.out, Stderr: std.err, Last: true, Aside: tellAside(evidence),
	})
	if err != nil {
		return err
	}
	return exitOrNil(code)
}

func exitOrNil(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError(code)
}
