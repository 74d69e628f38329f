package script

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// token is one word of a line. A quoted one holds the string that it stands for.
type token struct {
	text   string
	quoted bool
}

// lexLine splits a line into its words and the outcome behind "->". A # where a word would
// begin starts a comment.
func lexLine(line string) (words []token, outcome []token, err error) {
	arrow := false
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" || line[0] == '#' {
			break
		}
		var t token
		if t, line, err = nextToken(line); err != nil {
			return nil, nil, err
		}
		switch {
		case t.text == "->" && !t.quoted && arrow:
			return nil, nil, errors.New(`two outcomes: "->" stands twice`)
		case t.text == "->" && !t.quoted:
			arrow = true
		case arrow:
			outcome = append(outcome, t)
		default:
			words = append(words, t)
		}
	}
	if arrow && len(outcome) != 1 {
		return nil, nil, fmt.Errorf(`"->" wants one outcome (a number, EOF, "text" or an errno), got %d words`, len(outcome))
	}
	return words, outcome, nil
}

func nextToken(line string) (t token, rest string, err error) {
	if line[0] != '"' {
		end := strings.IndexAny(line, " \t\r")
		if end < 0 {
			end = len(line)
		}
		return token{text: line[:end]}, line[end:], nil
	}
	prefix, err := strconv.QuotedPrefix(line)
	if err != nil {
		return token{}, "", fmt.Errorf("a string does not end: %s", line)
	}
	text, err := strconv.Unquote(prefix)
	if err != nil {
		return token{}, "", fmt.Errorf("read string %s: %w", prefix, err)
	}
	return token{text: text, quoted: true}, line[len(prefix):], nil
}

// parseOutcome checks what stands behind "->" and returns it as Call.Want holds it: a
// decimal number, EOF, a quoted string, or an errno's name.
func parseOutcome(t token) (string, error) {
	if t.quoted {
		return strconv.Quote(t.text), nil
	}
	if _, err := strconv.ParseInt(t.text, 10, 64); err == nil {
		return t.text, nil
	}
	known := append([]string{"EOF", "pending"}, ErrnoNames...)
	return t.text, oneKnown("outcome", t.text, known)
}

// ErrnoNames are the errors that a script may expect of a socket call.
var ErrnoNames = []string{
	"EACCES", "EADDRINUSE", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EAGAIN", "EALREADY", "EBADF",
	"ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EDESTADDRREQ", "EDOM", "EFAULT", "EHOSTUNREACH",
	"EINPROGRESS", "EINTR", "EINVAL", "EISCONN", "EMFILE", "EMSGSIZE", "ENETUNREACH", "ENOBUFS",
	"ENOMEM", "ENOPROTOOPT", "ENOTCONN", "ENOTSOCK", "EPERM", "EPIPE", "EPROTO",
	"ETIMEDOUT",
}

func texts(words []token) []string {
	s := make([]string, len(words))
	for i, w := range words {
		s[i] = w.text
	}
	return s
}
