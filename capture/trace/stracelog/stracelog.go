// Package stracelog reads the socket calls out of what strace wrote: the calls of a server that
// never had closecap installed, to be joined with a capture that was taken beside it.
//
//	strace -f -ttt -T -yy -o strace.log -p PID
//
// It reads the forms that these options and -ff, -tt, --absolute-timestamps, -Y and missing -f
// or -yy give, and calls that strace printed in two halves. A line that it cannot read is counted
// and kept as an example, never passed over in silence; a call that is not about a TCP socket is
// read and left out.
//
// A log is read line by line. What does not concern a TCP socket is dropped at once, so a log of
// file reads costs nothing; the calls of sockets are kept in short until the last line, because
// which thread is whose and what a descriptor is may stand later or in another log.
//
// It does not trace: package trace does. What strace does not print, it does not know: a
// socket's cookie, bytes left unread, who else holds the socket.
package stracelog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// Options say how to read. The zero value works for logs with dates (-ttt).
type Options struct {
	// Near dates logs that hold only the time of day: each line gets the day on which it is
	// nearest to this time, usually the capture's first packet. 0 makes such lines unreadable.
	Near event.Time
	Zone *time.Location // of such a log; nil is this system's

	Limit    int  // of calls of sockets, beyond which ErrTooMany; 0 means 4,000,000
	AllCalls bool // also what is usually noise: EAGAIN, a poll that tells of no end, getsockopt other than SO_ERROR and SO_LINGER
}

// Log is what one or more logs of the same run held.
type Log struct {
	Calls    []*event.Call // of TCP sockets, in order of Start
	Lines    int           // read
	Folded   int           // calls of TCP sockets left out as noise
	Unparsed int           // lines that could not be read
	Examples []Unparsed    // the first of them
	Warnings []string      // what the log does not tell
}

// Unparsed is a line that could not be read.
type Unparsed struct {
	At   string // "file:line"
	Text string // shortened; it may hold hostile bytes
	Why  string
}

// exampleLimit is how many unreadable lines are kept, textLimit how much of each.
const exampleLimit, textLimit = 10, 200

// File is one log. A Name that ends in a dot and a number, as -ff makes them, gives the
// process whose log it is.
type File struct {
	Name   string
	Reader io.Reader
}

// ReadFiles reads logs by name. A name that does not exist stands for the files that strace -ff
// made of it, NAME.PID.
func ReadFiles(names []string, opts Options) (*Log, error) {
	var logs []File
	for _, name := range names {
		files := []string{name}
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			perProcess, _ := filepath.Glob(name + ".*")
			perProcess = slices.DeleteFunc(perProcess, func(f string) bool { return pidOfName(f) == 0 })
			if len(perProcess) == 0 {
				return nil, fmt.Errorf("read strace log: %w", err)
			}
			files = perProcess
		}
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				return nil, fmt.Errorf("read strace log: %w", err)
			}
			defer f.Close()
			logs = append(logs, File{file, f})
		}
	}
	return Read(logs, opts)
}

// Read reads logs of one run. What was read before an error is returned with it.
func Read(logs []File, opts Options) (*Log, error) {
	if opts.Zone == nil {
		opts.Zone = time.Local
	}
	if opts.Limit == 0 {
		opts.Limit = defaultLimit
	}
	b := newBuilder(opts, len(logs) == 1)
	var first error
	for _, l := range logs {
		if err := b.read(l); err != nil && first == nil {
			first = fmt.Errorf("read strace log %s: %w", l.Name, err)
		}
	}
	return b.finish(), first
}

// pidOfName returns the pid at the end of a -ff file's name, 0 when there is none.
func pidOfName(name string) int {
	i := strings.LastIndexByte(name, '.')
	n, err := strconv.Atoi(name[i+1:])
	if i < 0 || err != nil || n <= 0 {
		return 0
	}
	return n
}
