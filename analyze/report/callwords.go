package report

import (
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const shownText = 24 // characters of a call's text that a table shows

// callLine writes a call as its caller would: "client shutdown(SHUT_WR)".
func callLine(c *analyze.Call) line {
	st := plain
	switch c.Name {
	case "close", "shutdown", "exit", "kill":
		st = bold
	}
	actor := Safe(c.Actor)
	if c.Thread {
		actor += "&"
	}
	if actor != "" {
		actor += " "
	}
	return line{text: actor + callName(c), style: st, hang: 2}
}

// callName writes a call without its actor: "send(\"Hello\")".
func callName(c *analyze.Call) string {
	args := Safe(shownArgs(c))
	if c.Kind() == event.SendCall && c.Text != "" && !strings.Contains(args, `"`) {
		args = quoted(c.Text, shownText)
	}
	switch c.Name {
	case "exit", "kill", "until", "wait", "sysctl": // steps of a script, not calls of the socket
		if args != "" {
			return Safe(c.Name) + " " + args
		}
		return Safe(c.Name)
	}
	return Safe(c.Name) + "(" + args + ")"
}

// shownArgs leaves out what the table says elsewhere: the address connected to, and the size
// of a buffer that was not filled.
func shownArgs(c *analyze.Call) string {
	switch {
	case c.Name == "connect" && c.Connection != 0 && c.Args == c.Remote.String():
		return ""
	case c.Kind() == event.RecvCall:
		size, flags, _ := strings.Cut(c.Args, ", ")
		if strings.HasSuffix(size, " bytes") && size != fmt.Sprintf("%d bytes", c.Ret) {
			return flags
		}
	}
	return c.Args
}

// resultLine writes what a call returned and which frames made it return.
func resultLine(c *analyze.Call) line {
	l := line{text: resultWords(c), hang: 2}
	if !returned(c) {
		l = line{text: "did not return", style: warn, hang: 2}
		if c.Abandoned != 0 {
			l.text += ", " + together("ended after "+span(c.Abandoned.Sub(c.Start)))
		}
		return l
	}
	if c.Errno != "" {
		l.style = bad
	}
	if len(c.ReturnedBy) > 0 {
		l.text += " " + together("(by "+frames(c.ReturnedBy)+")")
	}
	if lasted := c.End.Sub(c.Start); c.Blocked && lasted > 0 || lasted >= waited {
		l.text += " " + together("after "+span(c.End.Sub(c.Start)))
	}
	return l
}

// returned reports whether c had returned when the recording ended.
func returned(c *analyze.Call) bool { return c.End != 0 || c.Start == 0 }

func resultWords(c *analyze.Call) string {
	switch {
	case c.Errno != "":
		return "-1 " + Safe(c.Errno)
	case c.EndsProcess():
		return ""
	case c.Kind() == event.RecvCall && c.Ret == 0:
		return "EOF"
	case c.Kind() == event.RecvCall && c.Text != "":
		return quoted(c.Text, shownText) + " " + together(count(uint64(max(c.Ret, 0)), "byte"))
	case c.Kind() == event.RecvCall:
		return count(uint64(max(c.Ret, 0)), "byte")
	case c.Ret > 0 && c.Text != "" && strings.Contains(c.Name, "poll"): // which events, and not of how many sockets
		return Safe(c.Text)
	case strings.HasPrefix(c.Name, "accept") && c.Accepted != 0:
		return fmt.Sprintf("fd %d", c.Accepted)
	}
	return fmt.Sprint(c.Ret)
}
