package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/closecap/closecap/capture/kernel"
)

// errPagerLeft is the error of writing to a pager that was quit. What is left need not be shown.
var errPagerLeft = errors.New("the pager was quit")

// pager is a terminal that shows a text longer than its screen through another program. What fits on the
// screen is written as it is.
type pager struct {
	terminal *os.File
	command  string       // for a shell
	rows     int          // of the screen
	held     bytes.Buffer // what no pager has read for certain
	lines    int
	running  *exec.Cmd // nil while held is enough
	in       io.WriteCloser
	read     bool // more than a pipe holds
	absent   bool // there is no such program, and what comes goes to the terminal
}

// paged returns w with a pager before it where w is a terminal and there is a pager; close ends it, and
// waits until it was quit.
func paged(std streams) (w io.Writer, close func() error) {
	none := func() error { return nil }
	f, ok := std.out.(*os.File)
	if !ok || std.noPager == nil || *std.noPager || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return std.out, none
	}
	command := pagerCommand()
	_, rows, err := term.GetSize(int(f.Fd()))
	// With rights that its caller has not, a program of the environment's choice is not started.
	if command == "" || err != nil || rows <= 0 || kernel.MayDrop() {
		return std.out, none
	}
	p := &pager{terminal: f, command: command, rows: rows}
	return p, p.close
}

// pagerCommand is $PAGER, "" where no pager is wanted or there is none.
func pagerCommand() string {
	command, set := os.LookupEnv("PAGER")
	if !set {
		if _, err := exec.LookPath("less"); err != nil {
			return ""
		}
		return "less -RFX"
	}
	if command = strings.TrimSpace(command); command == "cat" {
		return ""
	}
	return command
}

func (p *pager) Write(b []byte) (int, error) {
	if p.running == nil {
		p.held.Write(b)
		p.lines += bytes.Count(b, []byte("\n"))
		if p.lines < p.rows { // the last line is the prompt's
			return len(b), nil
		}
		if err := p.start(); err != nil {
			return 0, err
		}
		return len(b), p.write(p.held.Bytes())
	}
	if p.absent {
		return p.terminal.Write(b)
	}
	if !p.read {
		p.held.Write(b)
	}
	return len(b), p.write(b)
}

// pipeSize is what a pipe takes before anybody reads (pipe(7)).
const pipeSize = 64 << 10

func (p *pager) write(b []byte) error {
	_, err := p.in.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		if err = p.wait(); err == nil && !p.absent {
			err = errPagerLeft
		}
		return err
	}
	if p.held.Len() > pipeSize {
		p.held, p.read = bytes.Buffer{}, true
	}
	return err
}

// wait waits for the pager's end. Where the shell could not start it, held is shown without it.
func (p *pager) wait() error {
	// How it ended says else nothing of what was shown.
	_ = p.running.Wait()
	if code := p.running.ProcessState.ExitCode(); p.read || code != exitNotFound && code != exitCannotRun {
		return nil
	}
	p.absent = true
	_, err := p.terminal.Write(p.held.Bytes())
	return err
}

func (p *pager) start() error {
	cmd := exec.Command("sh", "-c", p.command)
	cmd.Stdout, cmd.Stderr = p.terminal, os.Stderr
	if _, set := os.LookupEnv("LESS"); !set {
		cmd.Env = append(os.Environ(), "LESS=FRX")
	}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("start pager: %w", err)
	}
	p.running, p.in = cmd, in
	return nil
}

// close shows what is held, or waits for the pager.
func (p *pager) close() error {
	if p.running == nil {
		_, err := p.terminal.Write(p.held.Bytes())
		return err
	}
	err := p.in.Close()
	if p.running.ProcessState != nil { // and was waited for
		return nil
	}
	return errors.Join(err, p.wait())
}
