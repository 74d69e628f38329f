package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/suggest"
)

// Op is one system call as it is sent to an actor, with everything that the call needs. ID, FD,
// Addr, Keep, V6 and Passed are known, and set, only when it runs.
type Op struct {
	ID         int
	Verb       string
	FD         int
	Background bool `json:",omitempty"`

	Addr    string        `json:",omitempty"` // bind, connect: address and port; "" is AF_UNSPEC
	Size    int           `json:",omitempty"` // send, recv: bytes; listen: backlog; exit: status
	Text    []byte        `json:",omitempty"` // send: the payload, instead of Size bytes of filler
	Words   []string      `json:",omitempty"` // flags, events, segment kinds, or the one word of shutdown and fcntl
	Option  string        `json:",omitempty"`
	Value   int64         `json:",omitempty"`
	Timeout time.Duration `json:",omitempty"` // poll: negative waits for ever
	Keep    []int         `json:",omitempty"` // fork: descriptors that the child shares
	V6      bool          `json:",omitempty"`

	Passed int `json:"-"` // fork: the new process's end of its socketpair, sent beside the op
}

// SocketUse says what a verb does with the socket that its line names.
type SocketUse int

const (
	UsesSocket  SocketUse = iota // it must have been opened by an earlier line
	OpensSocket                  // it is opened when no earlier line did
	MakesSocket                  // a new descriptor gets the name
	NoSocket                     // the verb concerns the whole actor
)

// Verb is a row of the vocabulary: a word that an actor's line may begin with.
type Verb struct {
	Name  string
	usage string
	about string
	Use   SocketUse
	parse func(st *Step, w []token) error
}

// Verbs is the vocabulary of calls. What each does stands under the same name in the
// actor's table of system calls.
var Verbs = []Verb{
	{"socket", "socket", "open a TCP socket; the other lines do it where they need one", MakesSocket, parseNothing},
	{"bind", "bind [PORT]", "bind to PORT, by default the server's", OpensSocket, parsePort},
	{"listen", "listen [PORT] [backlog N]", "listen on PORT; binds, with SO_REUSEADDR, unless lines before did", OpensSocket, parseListen},
	{"connect", "connect [PORT | AF_UNSPEC]", "connect to PORT, by default the server's; AF_UNSPEC disconnects", OpensSocket, parseConnect},
	{"accept", "accept [LISTENER]", "accept a connection from the actor's listener", MakesSocket, parseAccept},
	{"send", `send "TEXT"|SIZE [FLAG…]`, "send TEXT, or SIZE bytes (12, 64k, 4M)", UsesSocket, parseSend},
	{"recv", "recv [SIZE] [FLAG…]", "receive up to SIZE bytes, by default 64k", UsesSocket, parseRecv},
	{"shutdown", "shutdown RD|WR|RDWR", "end one or both directions for every holder", UsesSocket, parseShutdown},
	{"close", "close", "close the descriptor", UsesSocket, parseNothing},
	{"setsockopt", "setsockopt OPTION VALUE", "set a socket option", OpensSocket, parseSetsockopt},
	{"getsockopt", "getsockopt OPTION", `read a socket option; SO_ERROR -> "ECONNRESET"`, UsesSocket, parseGetsockopt},
	{"fcntl", "fcntl O_NONBLOCK|FD_CLOEXEC|BLOCK", "set a descriptor's flag; BLOCK clears O_NONBLOCK", UsesSocket, parseFcntl},
	{"poll", "poll [EVENT…] [DURATION]", `poll once, by default POLLIN and at once; -> "POLLIN|POLLRDHUP"`, UsesSocket, parsePoll},
	{"dup", "dup NAME", "duplicate the descriptor; ACTOR:NAME is the new one", UsesSocket, parseDup},
	{"fork", "fork ACTOR", "make a process that shares all sockets", NoSocket, parseFork},
	{"exec", "exec", "replace the program: descriptors with FD_CLOEXEC are closed", NoSocket, parseNothing},
	{"exit", "exit [STATUS]", "end the process; its kernel closes its sockets", NoSocket, parseExit},
	{"join", "join", "wait for the oldest call that ACTOR& began", NoSocket, parseNothing},
}

// The words that calls take, by Linux's names. Their numbers stand with the system calls.
var (
	MsgFlags   = []string{"MSG_DONTWAIT", "MSG_MORE", "MSG_OOB", "MSG_PEEK", "MSG_TRUNC", "MSG_WAITALL"}
	PollEvents = []string{"POLLIN", "POLLOUT", "POLLRDHUP", "POLLPRI", "POLLERR", "POLLHUP"}
	fcntlFlags = []string{"O_NONBLOCK", "FD_CLOEXEC", "BLOCK"}
	dropKinds  = []string{"FIN", "SYN", "RST", "ACK", "data", "all"}
)

const (
	defaultBuffer  = 64 << 10
	defaultBacklog = 128
	largestBuffer  = 64 << 20
)

// FindVerb returns the verb of that name; its error names the nearest one.
func FindVerb(name string) (*Verb, error) {
	i := slices.IndexFunc(Verbs, func(v Verb) bool { return v.Name == name })
	if i < 0 {
		names := make([]string, len(Verbs))
		for i, v := range Verbs {
			names[i] = v.Name
		}
		return nil, suggest.Unknown("call", name, names)
	}
	return &Verbs[i], nil
}

func parseNothing(_ *Step, w []token) error {
	if len(w) != 0 {
		return fmt.Errorf("unexpected %q", w[0].text)
	}
	return nil
}

func parsePort(st *Step, w []token) (err error) {
	if len(w) > 1 {
		return fmt.Errorf("unexpected %q", w[1].text)
	}
	if len(w) == 1 {
		st.Port, err = readPort(w[0].text)
	}
	return err
}

// readPort reads "+2", a port beside the server's, or a port number.
func readPort(word string) (Port, error) {
	digits, relative := strings.CutPrefix(word, "+")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || !relative && n == 0 || relative && n > MaxOffset {
		return Port{}, fmt.Errorf("%q is not a port (a number, or +1 to +%d beside the server's)", word, MaxOffset)
	}
	return Port{n: uint16(n), Absolute: !relative}, nil
}

func parseListen(st *Step, w []token) error {
	st.Op.Size = defaultBacklog
	if n := len(w); n >= 2 && w[n-2].text == "backlog" {
		size, err := strconv.Atoi(w[n-1].text)
		if err != nil || size < 0 {
			return fmt.Errorf("backlog %s: want a number", w[n-1].text)
		}
		st.Op.Size, w = size, w[:n-2]
	}
	return parsePort(st, w)
}

func parseConnect(st *Step, w []token) error {
	if len(w) == 1 && w[0].text == "AF_UNSPEC" {
		st.Unspec = true
		return nil
	}
	return parsePort(st, w)
}

func parseAccept(st *Step, w []token) error {
	st.Other = listenerName
	if len(w) > 1 {
		return fmt.Errorf("unexpected %q", w[1].text)
	}
	if len(w) == 1 {
		st.Other = w[0].text
	}
	return nil
}

func parseSend(st *Step, w []token) error {
	if len(w) == 0 {
		return fmt.Errorf(`send: want "TEXT" or a number of bytes`)
	}
	if w[0].quoted {
		st.Op.Text, st.Op.Size = []byte(w[0].text), len(w[0].text)
		if st.Op.Size > defaultBuffer {
			return fmt.Errorf("send: the text is longer than %d bytes", defaultBuffer)
		}
		return parseFlags(st, w[1:], "flag", MsgFlags)
	}
	size, err := readSize(w[0].text)
	if err != nil {
		return err
	}
	st.Op.Size = size
	return parseFlags(st, w[1:], "flag", MsgFlags)
}

func parseRecv(st *Step, w []token) error {
	st.Op.Size = defaultBuffer
	if len(w) > 0 && !strings.HasPrefix(w[0].text, "MSG_") {
		size, err := readSize(w[0].text)
		if err != nil {
			return err
		}
		st.Op.Size, w = size, w[1:]
	}
	return parseFlags(st, w, "flag", MsgFlags)
}

// readSize reads 12, 64k or 4M.
func readSize(word string) (int, error) {
	digits, unit := word, 1
	if s, ok := strings.CutSuffix(word, "k"); ok {
		digits, unit = s, 1<<10
	} else if s, ok := strings.CutSuffix(word, "M"); ok {
		digits, unit = s, 1<<20
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || int(n)*unit > largestBuffer {
		return 0, fmt.Errorf("%q is not a size (12, 64k, 4M; at most %dM)", word, largestBuffer>>20)
	}
	return int(n) * unit, nil
}

func parseFlags(st *Step, w []token, what string, known []string) error {
	for _, t := range w {
		if err := oneKnown(what, t.text, known); err != nil {
			return err
		}
		st.Op.Words = append(st.Op.Words, t.text)
	}
	return nil
}

func parseShutdown(st *Step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("shutdown: want RD, WR or RDWR")
	}
	how := strings.TrimPrefix(w[0].text, "SHUT_")
	st.Op.Words = []string{how}
	return oneKnown("direction", how, []string{"RD", "WR", "RDWR"})
}

func parseFcntl(st *Step, w []token) error {
	if len(w) != 1 {
		return fmt.Errorf("fcntl: want one of %s", strings.Join(fcntlFlags, ", "))
	}
	return parseFlags(st, w, "flag", fcntlFlags)
}

func parsePoll(st *Step, w []token) error {
	if n := len(w); n > 0 && !strings.HasPrefix(w[n-1].text, "POLL") {
		timeout, err := time.ParseDuration(w[n-1].text)
		if err != nil {
			return fmt.Errorf("poll: %q is neither an event nor a duration like 100ms", w[n-1].text)
		}
		st.Op.Timeout, w = timeout, w[:n-1]
	}
	if len(w) == 0 {
		st.Op.Words = []string{"POLLIN"}
		return nil
	}
	return parseFlags(st, w, "event", PollEvents)
}

func parseDup(st *Step, w []token) error {
	if len(w) != 1 || !isName(w[0].text) {
		return fmt.Errorf("dup: want the new descriptor's name")
	}
	st.Other = w[0].text
	return nil
}

func parseFork(st *Step, w []token) error {
	if len(w) != 1 || !isName(w[0].text) {
		return fmt.Errorf("fork: want the new process's name")
	}
	st.Other = w[0].text
	return nil
}

func parseExit(st *Step, w []token) error {
	if len(w) > 1 {
		return fmt.Errorf("unexpected %q", w[1].text)
	}
	if len(w) == 1 {
		status, err := strconv.ParseUint(w[0].text, 10, 8)
		if err != nil {
			return fmt.Errorf("exit %s: want a status from 0 to 255", w[0].text)
		}
		st.Op.Size = int(status)
	}
	return nil
}
