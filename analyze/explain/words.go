package explain

import (
	"cmp"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// words are what people ask for, each with the topic that has it.
var words = map[string]string{
	"fin": "fin-ordering", "close": "close-vs-shutdown", "shutdown": "close-vs-shutdown", "shut-wr": "half-close", "shut-rd": "close-vs-shutdown",
	"eof": "end-of-file-by-fin", "rst": "reset", "epipe": "econnreset-vs-epipe", "sigpipe": "econnreset-vs-epipe", "econnreset": "econnreset-vs-epipe",
	"econnrefused": "reset", "ebadf": "does-close-affect-the-peer", "so-linger": "linger", "lingering-close": "closing-politely",
	"eaddrinuse": "address-in-use", "so-reuseaddr": "address-in-use", "2msl": "time-wait", "backlog": "accept-queue", "somaxconn": "accept-queue",
	"keepalive": "keepalive-race", "keep-alive": "keepalive-race", "fork": "shared-sockets", "dup": "shared-sockets", "scm-rights": "shared-sockets",
	"closing": "simultaneous-close", "last-ack": "fin-ordering", "fin-wait1": "fin-ordering", "fin-wait-1": "fin-ordering", "fin-wait-2": "fin-wait2",
	"zero-window": "window-zero", "window": "window-zero", "persist": "window-zero", "middlebox": "middlebox-reset", "nat": "middlebox-reset",
	"firewall": "middlebox-reset", "etimedout": "half-open", "dead-peer": "half-open", "tcp-user-timeout": "half-open", "so-keepalive": "half-open",
	"tls": "tls-close", "ssl": "tls-close", "close-notify": "tls-close", "proxy": "relay", "balancer": "relay", "data-fin": "mptcp",
	"multipath": "mptcp", "production": "watching-production", "watch": "watching-production", "ps": "watching-production",
	"http2": "goaway", "h2": "goaway", "grpc": "goaway", "enhance-your-calm": "goaway", "too-many-pings": "goaway", "max-age": "goaway",
	"websocket": "websocket-close", "ws": "websocket-close", "1000": "websocket-close", "1001": "websocket-close", "1005": "websocket-close",
	"1006": "websocket-close", "1009": "websocket-close", "1011": "websocket-close", "1015": "websocket-close",
	"truncated": "end-of-file-by-fin", "incomplete": "end-of-file-by-fin", "content-length": "end-of-file-by-fin", "ftp": "end-of-file-by-fin",
	"226": "end-of-file-by-fin", "426": "end-of-file-by-fin", "alert": "tls-close", "idle": "keepalive-race", "idle-close": "keepalive-race",
	"glossary": "words", "listenoverflows": "accept-queue",
	"orphan": "fin-wait2", "tcp-fin-timeout": "fin-wait2", "expect": "scripts", "script": "scripts", "poll": "blocked-calls", "epoll": "blocked-calls", "select": "blocked-calls", "stall": "window-zero",
	"pollhup": "does-close-affect-the-peer", "pollrdhup": "does-close-affect-the-peer", "siocoutq": "lost-bytes", "recv-q": "two-rows-one-connection",
	"ss": "two-rows-one-connection", "netstat": "two-rows-one-connection", "conntrack": "half-close", "mp-fastclose": "mptcp",
	"tcp-tw-reuse": "time-wait", "tcp-rfc1337": "time-wait", "assassination": "time-wait", "tcp-linger2": "fin-wait2", "so-reuseport": "address-in-use",
	"ip-local-port-range": "address-in-use", "ephemeral": "address-in-use", "kill": "end-of-file-by-fin", "exit": "shared-sockets", "exec": "shared-sockets",
}

// asked is a word as it is looked up, however it was written.
func asked(word string) string {
	return strings.TrimSuffix(strings.ReplaceAll(strings.ToLower(word), "_", "-"), "()")
}

// Meaning returns what the glossary says of a word, "" where it has none.
func Meaning(word string) string {
	for _, t := range Glossary() {
		if asked(t.Word) == asked(word) {
			return t.Means
		}
	}
	return ""
}

// TopicOf returns the topic that has a word: one that people ask for, an ending, a reset cause, a finding or
// another word of the output; "" for none.
func TopicOf(word string) string {
	word = asked(word)
	if Lookup(word) != nil { // TIME_WAIT; a cause of a reset is called so, too
		return word
	}
	if topic := words[word]; topic != "" {
		return topic
	}
	for _, c := range analyze.CauseCodes() {
		if string(c.Code) == word {
			return c.Topic
		}
	}
	for _, c := range analyze.EndingCodes() {
		if string(c.Code) == word {
			return cmp.Or(c.Topic, "words")
		}
	}
	for _, c := range analyze.FindingCodes() {
		if string(c.Code) == word {
			return c.Topic
		}
	}
	if Meaning(word) != "" {
		return "words"
	}
	return ""
}
