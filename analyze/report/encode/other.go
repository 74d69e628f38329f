package encode

import (
	"strconv"

	"github.com/closecap/closecap/analyze"
)

// The functions here append what ties a connection to another one.

func appendRelay(b []byte, r *analyze.Relay) []byte {
	b = appendInt(append(b, `{"leg":`...), int64(r.Leg))
	b = appendWord(append(b, `,"side":`...), string(r.Side))
	b = appendIntIf(b, `,"pid":`, r.PID)
	if r.Actor != "" {
		b = appendString(append(b, `,"actor":`...), r.Actor)
	}
	b = appendUint(append(b, `,"bytes":`...), r.Bytes)
	if r.Same != "" {
		b = appendWord(append(b, `,"same":`...), string(r.Same))
	}
	b = appendIntIf(b, `,"received":`, r.Received)
	b = appendIntIf(b, `,"sent":`, r.Sent)
	b = appendIntIf(b, `,"call":`, r.Call)
	b = appendIntIf(b, `,"after":`, r.After)
	b = appendWord(append(b, `,"confidence":`...), string(r.Confidence))
	if e := r.Ended; e != nil {
		b = appendAddress(append(b, `,"ended":{"peer":`...), e.Peer)
		b = appendInt(append(b, `,"ns":`...), e.NS)
		b = appendString(append(b, `,"reason":`...), e.Reason)
		b = appendWord(append(b, `,"confidence":`...), string(e.Confidence))
		if e.ByRelay {
			b = append(b, `,"by_relay":true`...)
		}
		if e.Answered {
			b = append(b, `,"answered":true`...)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendTransfer(b []byte, t *analyze.Transfer) []byte {
	b = appendAddress(append(b, `{"client":`...), t.Client)
	b = appendAddress(append(b, `,"server":`...), t.Server)
	b = appendIntIf(b, `,"named":`, int(t.Named))
	if t.Command != "" {
		b = appendString(append(b, `,"command":`...), t.Command)
	}
	if t.Reply != "" {
		b = appendString(append(b, `,"reply":`...), t.Reply)
	}
	b = appendIntIf(b, `,"frame":`, int(t.Frame))
	if t.Outcome != "" {
		b = appendWord(append(b, `,"outcome":`...), string(t.Outcome))
	}
	return append(appendConfidence(b, t.Confidence), '}')
}

func appendIntIf(b []byte, name string, n int) []byte {
	if n == 0 {
		return b
	}
	return appendInt(append(b, name...), int64(n))
}

func appendRemapped(b []byte, r *analyze.Remapped) []byte {
	b = appendAddress(append(b, `{"address":`...), r.Address)
	b = appendUint(append(b, `,"frame":`...), r.Frame)
	return append(strconv.AppendBool(append(b, `,"earlier":`...), r.Earlier), '}')
}
